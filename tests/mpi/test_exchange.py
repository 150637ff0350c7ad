"""Sums over slow networks: shorter messages, or fewer; each rank takes itself for a node here."""

from pathlib import Path

import pytest

from tests.mpi.mpirun import run

PROGRAMS = Path(__file__).parent / "programs"


@pytest.mark.parametrize("ranks, on_node", [(1, 1), (3, 1), (4, 2)])
def test_exchange(ranks, on_node, tmp_path):
    done = run([PROGRAMS / "exchange.py", tmp_path], ranks, 120, {"DSEQ_NODE_RANKS": on_node})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("is done") == ranks
    assert ranks == 1 or "engine apart" in done.stdout

"""Strict mode: the same bits of weights, slots, history and predictions on any number of ranks, engine and threads."""

from functools import cache
from pathlib import Path

import pytest

from tests.mpi.mpirun import run

PROGRAM = Path(__file__).parent / "programs" / "strict.py"


@cache
def sums(ranks, **env):
    """Checksums of training with 8 shards, with 12, of a wide model with 8, and with one shard for each rank."""
    done = run(PROGRAM, ranks, 120, env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split("\n")[-2].split()


@pytest.mark.parametrize("ranks, engine", [(2, "node"), (3, "flat"), (4, "node"), (5, "node"), (8, "flat")])
def test_the_same_bits_on_any_number_of_ranks(ranks, engine):
    assert sums(ranks, DSEQ_ENGINE=engine)[:4] == sums(1)[:4]


def test_the_same_bits_on_threads_and_on_several_nodes():
    """Nodes of two ranks each, three threads in each rank: shards are summed by messages."""
    assert sums(1, DSEQ_NUM_THREADS="3")[:4] == sums(1)[:4]
    assert sums(3, DSEQ_NUM_THREADS="3", DSEQ_NODE_RANKS="2")[:4] == sums(1)[:4]


def test_bits_depend_on_the_division_alone():
    """Another number of shards rounds in another way, and so does another number of ranks outside of strict mode."""
    one, three = sums(1), sums(3, DSEQ_ENGINE="flat")
    assert len(set(one)) == 5
    assert one[4] != three[4]


def test_more_ranks_than_shards():
    done = run(PROGRAM, 3, 60, {"DSEQ_SHARDS": "2"})
    assert done.returncode != 0
    assert "Received: 2 shards for 3 ranks. Set DSEQ_SHARDS" in done.stderr
    assert done.tracebacks == 1

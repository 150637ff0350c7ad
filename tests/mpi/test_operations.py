"""Results over samples, and gradients that come from them, are those of the global batch on any number of ranks."""

from pathlib import Path

import pytest

from tests.mpi.mpirun import run

PROGRAMS = Path(__file__).parent / "programs"


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_operations_over_samples(ranks):
    done = run([PROGRAMS / "operations.py"], ranks, timeout=180)
    assert done.returncode == 0 and "all cases agree" in done.stdout, done.stdout + done.stderr

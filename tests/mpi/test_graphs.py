"""Graphs of every kind are trained alike by any number of ranks."""

from pathlib import Path

import numpy as np
import pytest

from tests.mpi.mpirun import run

PROGRAM = Path(__file__).parent / "programs" / "graphs.py"


def trained(ranks, folder):
    target = folder / f"{ranks}.npz"
    done = run([PROGRAM, target], ranks, timeout=180)
    assert done.returncode == 0, done.stderr
    return dict(np.load(target))


@pytest.fixture(scope="module")
def one_rank(tmp_path_factory):
    """What a single process without MPI computes."""
    return trained(1, tmp_path_factory.mktemp("alone"))


@pytest.mark.parametrize("ranks", [2, 3])
def test_any_number_of_ranks_gives_the_same_models(ranks, one_rank, tmp_path):
    result = trained(ranks, tmp_path)
    assert set(result) == set(one_rank)
    for name, expected in one_rank.items():
        if expected.size:
            np.testing.assert_allclose(
                result[name], expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max(), err_msg=name
            )


def test_the_comparison_has_power(one_rank):
    """Twelve steps move the losses by far more than the tolerance."""
    for kind in ("u_shape", "siamese", "two_towers", "nested", "repeated", "frozen", "thawed"):
        losses = one_rank[f"{kind}/values"][:6]
        assert losses[-1] < losses[0] * (1 - 1e-3), kind

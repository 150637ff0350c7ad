"""The number of ranks changes the speed, not the result: 1, 2, 3, 4 and 5 ranks, ragged and empty shards, Dropout on."""

from pathlib import Path

import numpy as np
import pytest

from tests.mpi.mpirun import run

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="module")
def one_rank(tmp_path_factory):
    """What a single process without MPI computes."""
    return trained(1, tmp_path_factory.mktemp("alone"))


def trained(ranks, folder):
    target = folder / f"{ranks}.npz"
    done = run([PROGRAMS / "train.py", target], ranks, timeout=180)
    assert done.returncode == 0, done.stderr
    return dict(np.load(target))


@pytest.mark.parametrize("ranks", [2, 3, 4, 5])
def test_any_number_of_ranks_gives_the_same_model(ranks, one_rank, tmp_path):
    result = trained(ranks, tmp_path)
    assert set(result) == set(one_rank)
    for name, expected in one_rank.items():
        # Single weights near zero carry rounding of their neighbours' size: 1e-5 of the largest weight.
        scale = np.abs(expected).max()
        np.testing.assert_allclose(result[name], expected, rtol=1e-5, atol=1e-5 * scale, err_msg=name)


def test_the_comparison_has_power(one_rank):
    """Fifty steps move every weight by far more than the tolerance; other optimizers lead elsewhere."""
    for i in range(6):
        a, b = one_rank[f"sgd/weight_{i}"], one_rank[f"adam/weight_{i}"]
        assert np.abs(a - b).max() > 1e-3 * np.abs(a).max()
    assert one_rank["sgd/loss"][-1] < one_rank["sgd/loss"][0]


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
def test_keras_goldens(ranks):
    done = run([PROGRAMS / "goldens.py"], ranks, timeout=180)
    assert done.returncode == 0 and "all cases agree" in done.stdout, done.stdout + done.stderr

"""Normalisation layers on several ranks: as on one, and not so where each rank normalises by itself."""

from pathlib import Path

import numpy as np
import pytest

from tests.mpi.mpirun import run

PROGRAM = Path(__file__).parent / "programs" / "normalized.py"


def trained(ranks, folder):
    target = folder / f"{ranks}.npz"
    done = run([PROGRAM, target], ranks, timeout=240)
    assert done.returncode == 0 and "all runs agree with Keras" in done.stdout, done.stdout + done.stderr
    return dict(np.load(target))


@pytest.fixture(scope="module")
def one_rank(tmp_path_factory):
    return trained(1, tmp_path_factory.mktemp("alone"))


def close(result, expected, name):
    # Single weights near zero carry rounding of their neighbours' size: 1e-5 of the largest weight.
    return np.allclose(result[name], expected[name], rtol=1e-5, atol=1e-5 * np.abs(expected[name]).max())


@pytest.mark.parametrize("ranks", [2, 5])
def test_any_number_of_ranks_gives_the_same_model(ranks, one_rank, tmp_path):
    result = trained(ranks, tmp_path)
    assert set(result) == set(one_rank)
    shared = [name for name in result if not name.startswith("per_rank")]
    assert [name for name in shared if not close(result, one_rank, name)] == []
    # Statistics of each rank's own rows give another model: the comparison has power.
    assert not close(result, one_rank, "per_rank/loss")
    assert not any(close(result, one_rank, f"per_rank/weight_{i}") for i in (4, 5))


def test_one_rank_is_the_same_either_way(one_rank):
    for name in one_rank:
        if name.startswith("per_rank"):
            np.testing.assert_array_equal(one_rank[name], one_rank[name.replace("per_rank", "synchronized")])


def test_moving_statistics_follow_the_data(one_rank):
    """Thirty batches and a momentum of 0.7: what the first layer has seen of a mean of 10,000 is all but exact."""
    mean, variance = one_rank["synchronized/weight_2"], one_rank["synchronized/weight_3"]
    np.testing.assert_allclose(mean[1:], 1e4 * np.arange(1, 6), rtol=2e-4)
    assert np.all((variance > 0.2) & (variance < 5))
    np.testing.assert_allclose(one_rank["adapt/array/mean"][0, 1:], 1e4 * np.arange(1, 6), rtol=1e-4)
    np.testing.assert_allclose(one_rank["adapt/batches/variance"], one_rank["adapt/array/variance"], rtol=1e-5)

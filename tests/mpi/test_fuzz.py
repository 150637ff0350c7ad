"""Random graphs give the same results on any number of ranks, some of them without rows."""

from pathlib import Path

import numpy as np
import pytest

from tests.mpi.mpirun import run

PROGRAM = Path(__file__).parent / "programs" / "fuzz.py"


def results(ranks, folder):
    target = folder / f"{ranks}.npz"
    done = run([PROGRAM, target], ranks, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(np.load(target))


@pytest.fixture(scope="module")
def one_rank(tmp_path_factory):
    """What a single process without MPI computes."""
    return results(1, tmp_path_factory.mktemp("alone"))


@pytest.mark.parametrize("ranks", [2, 5])
def test_the_number_of_ranks_changes_nothing(ranks, one_rank, tmp_path):
    found = results(ranks, tmp_path)
    assert set(found) == set(one_rank)
    for name, expected in one_rank.items():
        np.testing.assert_allclose(found[name], expected, 1e-7, 1e-9, err_msg=name)


def test_results_over_the_batch_come_once_for_each_batch(one_rank):
    data = np.random.default_rng(0).standard_normal((11, 3, 4))
    parts = data[:4], data[4:8], data[8:]
    np.testing.assert_allclose(one_rank["operations_1"], np.concatenate([part.max(0) for part in parts]))
    np.testing.assert_allclose(one_rank["operations_2"], [part.sum() for part in parts])
    means = np.concatenate([np.broadcast_to(part.mean(0), part.shape) for part in parts])[:, :, :1]
    expected = np.concatenate([np.sin(data) * 2 + np.arange(4.0), data[:, ::-1]], axis=-1) * means
    np.testing.assert_allclose(one_rank["operations_0"], expected, 1e-12, 1e-12)

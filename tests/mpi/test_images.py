"""Random image layers show a model the same images on any number of ranks."""

from pathlib import Path

import numpy as np

from tests.mpi.mpirun import run

PROGRAM = Path(__file__).parent / "programs" / "images.py"


def trained(ranks, folder):
    target = folder / f"{ranks}.npz"
    done = run([PROGRAM, target], ranks, timeout=240)
    assert done.returncode == 0 and "done" in done.stdout, done.stdout + done.stderr
    return dict(np.load(target))


def test_any_number_of_ranks_sees_the_same_images(tmp_path):
    one, *others = (trained(ranks, tmp_path) for ranks in (1, 2, 3))
    for result in others:
        assert set(result) == set(one)
        for name in one:
            np.testing.assert_allclose(result[name], one[name], rtol=1e-4, atol=1e-5, err_msg=name)

"""Clipping, averages, accumulation, loss scales and updates of whole weights act on gradients of all ranks."""

from pathlib import Path

import numpy as np

from tests.mpi.mpirun import run

PROGRAM = Path(__file__).parent / "programs" / "optimizers.py"


def trained(ranks, folder):
    target = folder / f"{ranks}.npz"
    done = run([PROGRAM, target], ranks, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(np.load(target))


def test_three_ranks_make_the_updates_of_one(tmp_path):
    one, three = trained(1, tmp_path), trained(3, tmp_path)
    assert set(one) == set(three)
    for name, expected in one.items():
        scale = np.abs(expected).max()
        np.testing.assert_allclose(three[name], expected, rtol=1e-4, atol=2e-5 * scale, err_msg=name)
    # The comparison has power: all cases lead elsewhere.
    firsts = [values for name, values in one.items() if name.endswith("/0")]
    assert len(firsts) == 7
    for i, a in enumerate(firsts):
        assert all(np.abs(a - b).max() > 1e-3 for b in firsts[:i])

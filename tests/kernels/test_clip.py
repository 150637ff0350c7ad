"""What stands before and behind an update: checks, accumulation, norms and averages, against NumPy."""

import numpy as np
import pytest

from dseq.kernels import clip as kernels

both = pytest.mark.parametrize("dtype", ["float32", "float64"])


def control(**options):
    """alive, due, unscale, steps, norm, keep, overwrite"""
    known = {"alive": 1.0, "due": 1.0, "unscale": 1.0, "steps": 1.0, "norm": 0.0, "keep": 0.0, "overwrite": 0.0}
    return np.array(list((known | options).values()))


@both
def test_sums_of_squares_are_exact_and_in_one_order(dtype):
    rng = np.random.default_rng(0)
    for size in (0, 1, 63, 64, 65, 1000):
        x, total, lanes = (rng.standard_normal(size) * 1e3).astype(dtype), np.full(1, 7.0), np.ones(kernels.LANES)
        kernels.square_sum(total, x, lanes)
        assert total[0] == pytest.approx(np.sum(x.astype("f8") ** 2), rel=1e-14)
        again = np.zeros(1)
        kernels.square_sum(again, x.copy(), lanes)
        assert again[0] == total[0]
    kernels.square_sum(total, np.full(70, 1e30, dtype), lanes)  # squares that float32 has not
    assert total[0] == pytest.approx(70e60)


@both
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_finite(dtype, bad):
    big = np.finfo(dtype).max
    flags, gate, clips = np.ones(2), control(alive=0.0), np.ones((3, 3))
    for k in range(2):
        kernels.check_finite(flags[k : k + 1], np.array([big, -big, 0.0, 1e-30] * 20, dtype))
    kernels.all_finite(gate, clips, flags)
    assert gate[0] == 1 and (clips == 1).all()
    g = np.ones(200, dtype)
    g[117] = bad
    kernels.check_finite(flags[1:], g)
    kernels.all_finite(gate, clips, flags)
    assert gate[0] == 0 and clips[:, 0].tolist() == [0, 0, 0] and (clips[:, 1:] == 1).all()


@both
def test_accumulation(dtype):
    a, g = np.array([1.0, 2.0], dtype), np.array([8.0, 4.0], dtype)
    kernels.accumulate(a, g, control(due=0.0, unscale=0.5, steps=2.0))
    assert a.tolist() == [5, 4] and g.tolist() == [8, 4]
    kernels.accumulate(a, g, control(unscale=0.5, steps=2.0))
    assert a.tolist() == [0, 0] and g.tolist() == [4.5, 3]
    kernels.accumulate(a, g, control(alive=0.0, steps=2.0))
    assert a.tolist() == [0, 0] and g.tolist() == [4.5, 3]


@pytest.mark.parametrize("whole", [0, 1])
@pytest.mark.parametrize(("squares", "factor"), [([9.0, 16.0], 0.4), ([1.0, 0.0], 1.0), ([0.0, 0.0], 1.0)])
def test_factors_that_clip_norms(squares, factor, whole):
    clip = np.array([1.0, 1.0, np.inf])
    kernels.clip_to_norm(clip, np.array(squares), control(norm=2.0), whole)
    assert clip[1] == pytest.approx(factor)
    scaled = np.array([1.0, 0.25, np.inf])  # gradients that are four times as large as they count
    kernels.clip_to_norm(scaled, 16 * np.array(squares), control(norm=2.0), whole)
    assert scaled[1] == pytest.approx(factor / 4)


def test_norms_that_are_not_finite():
    for whole, bad, expected in ((0, np.inf, 0.0), (1, np.inf, np.nan), (0, np.nan, np.nan), (1, np.nan, np.nan)):
        clip = np.array([1.0, 1.0, np.inf])
        kernels.clip_to_norm(clip, np.array([1.0, bad]), control(norm=2.0), whole)
        np.testing.assert_equal(clip[1], expected)


@both
def test_moving_average(dtype):
    a, p = np.array([1.0, 2.0], dtype), np.array([3.0, 6.0], dtype)
    kernels.moving_average(a, p, control(alive=0.0, keep=0.75, overwrite=1.0))
    assert a.tolist() == [1, 2] and p.tolist() == [3, 6]
    kernels.moving_average(a, p, control(keep=0.75))
    assert a.tolist() == [1.5, 3] and p.tolist() == [3, 6]
    kernels.moving_average(a, p, control(keep=0.5, overwrite=1.0))
    assert a.tolist() == p.tolist() == [2.25, 4.5]


@both
def test_decay_and_clipping_for_updates_in_python(dtype):
    p, x, g = np.array([2.0, -4.0], dtype), np.zeros(3, dtype), np.array([1.0, -8.0, np.nan], dtype)
    kernels.decay(p, np.array([0.25]), np.array([1.0, 1.0, np.inf]))
    assert p.tolist() == [1.5, -3]
    kernels.clip_into(x, g, np.array([1.0, 0.5, 2.0]))
    np.testing.assert_array_equal(x, np.array([0.5, -2, np.nan], dtype))
    before = p.copy(), x.copy()
    kernels.decay(p, np.array([0.25]), np.zeros(3))
    kernels.clip_into(x, g, np.zeros(3))
    np.testing.assert_array_equal(p, before[0])
    np.testing.assert_array_equal(x, before[1])

"""Maxima of normalised images against NumPy: windows, margins, falling and flat channels, ties, activations."""

import numpy as np
import pytest

from dseq.kernels.epilogue import NONE, RELU, RELU6
from dseq.kernels.normalized_pool import max_columns_backward, max_columns_write, max_slopes, normalize_max

C, WIDTH = 5, 10


def windows(x, window):
    """(n, od, oh, ow, pixels of a window, c) of images (n, d, h, w, c)."""
    n, d, h, w, c = x.shape
    kd, kh, kw = window
    x = x.reshape(n, d // kd, kd, h // kh, kh, w // kw, kw, c).transpose(0, 1, 3, 5, 2, 4, 6, 7)
    return x.reshape(*x.shape[:4], kd * kh * kw, c)


def images(parts, window, shape):
    """What `windows` undoes."""
    n, d, h, w, c = shape
    kd, kh, kw = window
    x = parts.reshape(n, d // kd, h // kh, w // kw, kd, kh, kw, c)
    return x.transpose(0, 1, 4, 2, 5, 3, 6, 7).reshape(shape)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("window", "activation"), [((1, 2, 2), RELU), ((1, 2, 2), NONE), ((2, 3, 1), RELU6), ((1, 1, 1), RELU)]
)
def test_against_numpy(window, activation, dtype):
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(3.0, 2.0, (3, 2, 6, 4, C)), 1).astype(dtype)  # with ties
    mean, variance = x.mean((0, 1, 2, 3), "f8"), x.var((0, 1, 2, 3), dtype="f8")
    inverse = 1 / np.sqrt(variance + 1e-3)
    gamma, beta = np.array([1.0, -2.0, 0.0, 8.0, -0.5]), rng.standard_normal(C)
    table = np.tile(np.array([mean, gamma * inverse, beta]), 2).astype(dtype)
    table[2] += np.tile((table[0, :C] - mean) * gamma * inverse, 2).astype(dtype)
    batch = np.concatenate([mean, variance, inverse, [x.size // C]])

    v = windows(gamma * (x.astype("f8") - mean) * inverse + beta, window)
    bottom, top = {NONE: (-np.inf, np.inf), RELU: (0, np.inf), RELU6: (0, 6)}[activation]
    largest = v.max(4)
    dy = rng.standard_normal(largest.shape).astype(dtype)
    before, (_, d, h, w, _) = (1, 0, 2), largest.shape
    y = np.full((3, d + 1, h + 3, w + 2, C), np.nan, dtype)
    places = np.full(largest.shape, 99, "uint8")
    normalize_max(y, places, x, table, *window, *before, activation)
    behind = [(b, n - b - m) for b, n, m in zip(before, y.shape[1:4], largest.shape[1:4], strict=True)]
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    expected = np.pad(np.clip(largest, bottom, top), ((0, 0), *behind, (0, 0)))
    np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance)
    y[...] = np.nan
    normalize_max(y, None, x, table, *window, *before, activation)
    np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance)

    passed = np.where((largest > bottom) & (largest < top), dy, 0.0)
    rising = windows(x * np.sign(gamma), window)  # equal pixels are equal here too, whatever rounding makes of them
    slopes = np.zeros(v.shape)
    np.put_along_axis(slopes, rising.argmax(4)[..., None, :], passed[..., None, :], 4)
    slopes = images(slopes, window, x.shape)
    xhat = (x - mean) * inverse
    sums, scratch = np.empty(2 * C), np.full((4, WIDTH), np.nan)
    max_slopes(sums, dy, places, x, table, batch, scratch, *window)
    axes = (0, 1, 2, 3)
    wanted = np.concatenate([slopes.sum(axes), (slopes * xhat).sum(axes)])
    np.testing.assert_allclose(sums, wanted, rtol=0, atol=100 * tolerance)

    pulls = rng.standard_normal((2, C))
    repeated = np.tile(pulls, 2).astype(dtype)
    dx = np.full_like(x, np.nan)
    max_columns_write(dx, dy, places, x, table, repeated, *window)
    wanted = slopes * gamma * inverse - pulls[0] - (x - mean) * pulls[1]
    np.testing.assert_allclose(dx, wanted, rtol=0, atol=10 * tolerance)
    max_columns_backward(dx, dy, places, x, table, repeated, *window)
    np.testing.assert_allclose(dx, 2 * wanted, rtol=0, atol=20 * tolerance)


def test_windows_of_many_pixels():
    """More than a byte counts; nobody asks where the maxima are."""
    x = np.random.default_rng(0).standard_normal((1, 1, 17, 16, C)).astype("float32")
    y, table = np.empty((1, 1, 1, 1, C), "float32"), np.ones((3, WIDTH), "float32")
    normalize_max(y, None, x, table, 1, 17, 16, 0, 0, 0, RELU)
    np.testing.assert_allclose(y[0, 0, 0, 0], np.maximum(x.max((0, 1, 2, 3)), 0), rtol=1e-6)


def test_nan_stays():
    x = np.zeros((1, 1, 2, 2, 1), "float32")
    x[0, 0, 1, 0] = np.nan
    y, table = np.zeros((1, 1, 1, 1, 1), "float32"), np.array([[0.0], [1.0], [0.0]], "float32")
    normalize_max(y, None, x, table, 1, 2, 2, 0, 0, 0, RELU)
    assert np.isnan(y).all()

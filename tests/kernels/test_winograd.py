"""Convolutions by tiles against the sum over taps in float64; a tile's bits in any company; what lies around memory."""

import numpy as np
import pytest

from dseq.kernels.base import JIT
from dseq.kernels.conv import conv_transpose_kernel
from dseq.kernels.epilogue import NONE, RELU, RELU6
from dseq.kernels.winograd import (
    scratch_size,
    winograd_backward_input,
    winograd_backward_kernel,
    winograd_forward,
    winograd_kernel,
    winograd_write_input,
    winograd_write_kernel,
)

# samples, output's height and width, margins before them, channels, filters
CASES = [
    (3, 6, 8, 0, 0, 16, 32),
    (2, 5, 7, 1, 1, 32, 48),
    (1, 1, 1, 2, 2, 16, 16),
    (2, 2, 9, 1, 0, 80, 64),
    (1, 40, 27, 0, 1, 32, 16),  # more than one block of tiles
    (1, 3, 2, 1, 2, 208, 304),  # sums along channels in pieces, rows of the kernel's gradient too
]
FENCE = 64


def arrays(case, dtype):
    n, oh, ow, bh, bw, c, o = case
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 1, oh + 2, ow + 2, c)).astype(dtype)
    x[:, :, :bh], x[:, :, :, :bw] = 0, 0
    w = rng.standard_normal((1, 3, 3, c, o)).astype(dtype)
    return x, w, rng.standard_normal((n, 1, oh, ow, o)).astype(dtype), rng.standard_normal(o).astype(dtype)


def windows(x, dy):
    """For each tap the pixels that it meets."""
    for i, j in np.ndindex(3, 3):
        yield (0, i, j), x[:, :, i : i + dy.shape[2], j : j + dy.shape[3]]


def memory(case, dtype, sums=False):
    """As much as asked for, between two fences."""
    *_, ow, _, _, c, o = case
    size = scratch_size(c, o, ow + 2, np.dtype(dtype).itemsize, sums)
    whole = np.full(size + 2 * FENCE, 7, dtype)
    return whole[FENCE:-FENCE], whole


def check(result, expected, dtype, terms, fenced=None):
    np.testing.assert_allclose(result, expected, rtol=0, atol=8 * terms * np.finfo(dtype).eps)
    if fenced is not None:
        assert np.all(fenced[:FENCE] == 7)
        assert np.all(fenced[-FENCE:] == 7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_forward_and_gradients(case, dtype):
    n, oh, ow, bh, bw, c, o = case
    x, w, dy, bias = arrays(case, dtype)
    wide, taps, given = (a.astype("float64") for a in (x, w, dy))
    inner = np.ascontiguousarray(x[:, :, bh:, bw:])
    planes = np.empty((16, c, o), dtype)
    winograd_kernel(planes, w)
    space, fenced = memory(case, dtype)

    expected = sum(window @ taps[tap] for tap, window in windows(wide, dy))
    for image, before, b, activation in (
        (x, (0, 0), None, NONE),
        (inner, (bh, bw), bias, NONE),
        (x, (0, 0), bias, RELU),
    ):
        y = np.full_like(dy, np.nan)
        winograd_forward(y, image, planes, b, space, *before, activation)
        wanted = expected if b is None else expected + bias
        check(y, np.maximum(wanted, 0) if activation == RELU else wanted, dtype, 9 * c, fenced)
    winograd_forward(y, x, planes, bias, space, 0, 0, RELU6)
    check(y, np.clip(expected + bias, 0, 6), dtype, 9 * c)

    turned, planes = np.empty((1, 3, 3, o, c), dtype), np.empty((16, o, c), dtype)
    conv_transpose_kernel(turned, w)
    winograd_kernel(planes, turned)
    whole = np.zeros(x.shape)
    for tap, window in windows(whole, dy):
        window += given @ taps[tap].T
    expected = whole[:, :, bh:, bw:]
    dx = np.full_like(inner, np.nan)
    winograd_write_input(dx, dy, planes, space, bh, bw)
    check(dx, expected, dtype, 9 * o, fenced)
    dx = inner.copy()
    winograd_backward_input(dx, dy, planes, space, bh, bw)
    check(dx, expected + inner, dtype, 9 * o, fenced)

    space, fenced = memory(case, dtype, sums=True)
    expected = np.zeros(w.shape)
    for tap, window in windows(wide, dy):
        expected[tap] = window.reshape(-1, c).T @ given.reshape(-1, o)
    dw = np.full_like(w, np.nan)
    winograd_write_kernel(dw, x, dy, space)
    check(dw, expected, dtype, 9 + n * oh * ow, fenced)
    dw = w.copy()
    winograd_backward_kernel(dw, x, dy, space)
    check(dw, expected + w, dtype, 9 + n * oh * ow, fenced)


@pytest.mark.skipif(not JIT, reason="NumPy's products of few and of many rows differ")
def test_a_sample_has_the_same_bits_alone():
    case = (5, 13, 11, 0, 0, 32, 32)
    x, w, dy, bias = arrays(case, "float32")
    planes, (space, _) = np.empty((16, 32, 32), "float32"), memory(case, "float32")
    winograd_kernel(planes, w)
    y, dx = np.empty_like(dy), np.empty_like(x)
    winograd_forward(y, x, planes, bias, space, 0, 0, NONE)
    winograd_write_input(dx, dy, planes, space, 0, 0)
    for i in range(5):
        one, gradient = np.empty_like(dy[:1]), np.empty_like(x[:1])
        winograd_forward(one, x[i : i + 1], planes, bias, space, 0, 0, NONE)
        winograd_write_input(gradient, dy[i : i + 1], planes, space, 0, 0)
        assert one.tobytes() == y[i : i + 1].tobytes()
        assert gradient.tobytes() == dx[i : i + 1].tobytes()


def test_one_pixel_that_is_no_number():
    case = (2, 5, 5, 0, 0, 16, 16)
    x, w, dy, bias = arrays(case, "float32")
    planes, (space, _) = np.empty((16, 16, 16), "float32"), memory(case, "float32")
    winograd_kernel(planes, w)
    x[0, 0, 6, 6, 3] = np.nan
    y = np.empty_like(dy)
    winograd_forward(y, x, planes, bias, space, 0, 0, RELU)
    assert np.isnan(y[0, 0, 4, 4]).all()  # activations keep it
    assert np.isfinite(y[0, 0, :4]).all()  # it stays in its tile
    assert np.isfinite(y[1]).all()


def test_no_samples():
    case = (0, 4, 4, 0, 0, 16, 16)
    x, w, dy, bias = arrays(case, "float32")
    (space, _), dw = memory(case, "float32", sums=True), w.copy()
    winograd_forward(dy, x, np.zeros((16, 16, 16), "float32"), bias, space, 0, 0, NONE)  # as a rank without rows does
    winograd_write_input(x, dy, np.zeros((16, 16, 16), "float32"), space, 0, 0)
    winograd_backward_kernel(dw, x, dy, space)
    assert np.array_equal(dw, w)
    winograd_write_kernel(dw, x, dy, space)
    assert not dw.any()

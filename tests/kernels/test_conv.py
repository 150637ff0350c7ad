"""Convolutions on the register tile against the sum over taps in float64; a row's bits for any number of rows."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dseq.kernels.base import JIT
from dseq.kernels.conv import (
    conv_backward_input,
    conv_backward_kernel,
    conv_forward,
    conv_transpose_kernel,
    conv_write_input,
    conv_write_kernel,
    pad_forward,
)
from dseq.kernels.conv_pool import conv_max, conv_max_kernel, conv_max_write_kernel
from dseq.kernels.epilogue import RELU6
from dseq.kernels.pool import max_forward, max_places, mean_backward, mean_forward, places_backward, places_write
from dseq.kernels.vector import FEATURES, ON_ARM

# image, kernel, strides, dilations, groups, channels, filters
CASES = [
    ((1, 9, 11), (1, 3, 3), (1, 1, 1), (1, 1, 1), 1, 5, 7),
    ((1, 9, 11), (1, 3, 3), (1, 2, 2), (1, 1, 1), 1, 4, 33),
    ((1, 9, 11), (1, 3, 2), (1, 1, 1), (1, 2, 3), 1, 4, 40),
    ((1, 8, 8), (1, 3, 3), (1, 2, 1), (1, 1, 1), 2, 4, 6),
    ((4, 6, 7), (2, 3, 3), (1, 1, 1), (1, 1, 1), 1, 3, 20),
    ((5, 6, 7), (2, 2, 3), (2, 2, 3), (1, 1, 1), 3, 6, 9),
    ((1, 1, 30), (1, 1, 5), (1, 1, 1), (1, 1, 4), 1, 8, 70),
    ((1, 12, 12), (1, 5, 5), (1, 3, 3), (1, 1, 1), 1, 1, 32),
    ((1, 3, 3), (1, 1, 1), (1, 1, 1), (1, 1, 1), 1, 300, 65),
    ((1, 7, 7), (1, 2, 2), (1, 3, 3), (1, 1, 1), 1, 3, 4),
    ((1, 6, 6), (1, 3, 3), (1, 1, 1), (1, 1, 1), 4, 4, 8),
    ((1, 5, 4), (1, 3, 2), (1, 1, 1), (1, 1, 2), 1, 350, 130),  # taps of more than 1 MiB
]


def pairs(x, w, y, strides, dilations, groups):
    """Views of x, w and y that one tap of the kernel connects."""
    c, o = w.shape[3], w.shape[4] // groups
    for tap in np.ndindex(*w.shape[:3]):
        window = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, s, n in zip(tap, dilations, strides, y.shape[1:4], strict=True)
        )
        for g in range(groups):
            outer = slice(g * o, (g + 1) * o)
            yield x[(slice(None), *window, slice(g * c, (g + 1) * c))], w[tap][:, outer], y[..., outer]


def arrays(case, dtype, samples=3):
    image, taps, strides, dilations, groups, c, o = case
    rng = np.random.default_rng(0)
    outputs = [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(image, taps, strides, dilations, strict=True)]
    x = rng.standard_normal((samples, *image, c)).astype(dtype)
    w = rng.standard_normal((*taps, c // groups, o)).astype(dtype)
    dy = rng.standard_normal((samples, *outputs, o)).astype(dtype)
    return x, w, dy, rng.standard_normal(o).astype(dtype), (*strides, *dilations, groups)


def close(result, expected, dtype, terms):
    np.testing.assert_allclose(result, expected, rtol=0, atol=terms * 8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_forward_and_gradients(case, dtype):
    x, w, dy, bias, how = arrays(case, dtype)
    wide = [a.astype("float64") for a in (x, w, dy)]
    strides, dilations, groups = how[:3], how[3:6], how[6]
    terms = max(150, w.size // w.shape[4])

    y, expected = np.full_like(dy, np.nan), np.zeros(dy.shape) + bias
    conv_forward(y, x, w, bias, *how, 0)
    for a, b, out in pairs(wide[0], wide[1], expected, strides, dilations, groups):
        out += a @ b
    close(y, expected, dtype, terms)
    conv_forward(y, x, w, None, *how, 0)
    close(y, expected - bias, dtype, terms)
    conv_forward(y, x, w, bias, *how, RELU6)
    close(y, np.clip(expected, 0, 6), dtype, terms)

    dw = w.copy()
    expected = wide[1].copy()
    conv_backward_kernel(dw, x, dy, *how)
    for a, b, out in pairs(wide[0], expected, wide[2], strides, dilations, groups):
        b += a.reshape(-1, a.shape[-1]).T @ out.reshape(-1, out.shape[-1])
    close(dw, expected, dtype, terms)
    conv_write_kernel(dw, x, dy, *how)
    close(dw, expected - wide[1], dtype, terms)

    turned = np.empty((*w.shape[:3], w.shape[4], w.shape[3]), dtype)
    conv_transpose_kernel(turned, w)
    np.testing.assert_array_equal(turned, np.swapaxes(w, 3, 4)[::-1, ::-1, ::-1])
    dx, expected = x.copy(), wide[0].copy()
    conv_backward_input(dx, dy, turned, *how, 0, 0, 0)
    for a, b, out in pairs(expected, wide[1], wide[2], strides, dilations, groups):
        a += out @ b.T
    close(dx, expected, dtype, terms)
    dx[...] = np.nan
    conv_write_input(dx, dy, turned, *how, 0, 0, 0)
    close(dx, expected - wide[0], dtype, terms)
    before = [min(1, n - 1) for n in x.shape[1:4]]  # the image without a margin all around
    inside = (slice(None), *(slice(b, max(b + 1, n - 1)) for b, n in zip(before, x.shape[1:4], strict=True)))
    image = np.full_like(np.ascontiguousarray(x[inside]), np.nan)
    conv_write_input(image, dy, turned, *how, *before)
    close(image, (expected - wide[0])[inside], dtype, terms)
    conv_backward_input(image, dy, turned, *how, *before)
    close(image, 2 * (expected - wide[0])[inside], dtype, 2 * terms)


@pytest.mark.skipif(not JIT, reason="BLAS's bits depend on the number of rows")
def test_a_samples_bits_do_not_depend_on_the_others():
    x, w, dy, bias, how = arrays(CASES[1], "float32", samples=7)
    whole, alone = np.empty_like(dy), np.empty_like(dy)
    conv_forward(whole, x, w, bias, *how, 0)
    for i in range(7):
        conv_forward(alone[i : i + 1], x[i : i + 1], w, bias, *how, 0)
    np.testing.assert_array_equal(whole, alone)


def test_no_samples():
    x, w, dy, bias, how = arrays(CASES[0], "float32", samples=0)
    dw = np.zeros_like(w)
    conv_forward(np.empty_like(dy), x, w, bias, *how, 0)
    conv_backward_kernel(dw, x, dy, *how)
    assert not dw.any()
    dw[...] = 1
    conv_write_kernel(dw, x, dy, *how)
    assert not dw.any()


TILES = [
    pytest.param("plain"),
    pytest.param("avx2", marks=pytest.mark.skipif(not FEATURES.get("avx2"), reason="needs AVX2")),
    pytest.param("neon", marks=pytest.mark.skipif(not ON_ARM, reason="needs ARM")),
]


@pytest.mark.skipif(not JIT, reason="compiled tiles")
@pytest.mark.parametrize("isa", TILES)
def test_other_tiles(isa):
    """The cases once more with the register tile of another CPU, whose last columns are packed, and those by tiles."""
    chosen, files = "forward_and_gradients and float32", (__file__, Path(__file__).with_name("test_winograd.py"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, "-k", chosen]
    subprocess.run(command, env={**os.environ, "DSEQ_ISA": isa}, check=True, timeout=200, capture_output=True)


def test_padding():
    x = np.arange(2 * 1 * 2 * 3 * 2, dtype="float32").reshape(2, 1, 2, 3, 2)
    y = np.full((2, 1, 5, 5, 2), np.nan, "float32")
    pad_forward(y, x, 0, 1, 2)
    np.testing.assert_array_equal(y, np.pad(x, ((0, 0), (0, 0), (1, 2), (2, 0), (0, 0))))


@pytest.mark.parametrize(
    "where", [(1, 2, 2, 1, 2, 2, 0, 0, 0), (1, 3, 2, 1, 2, 1, 0, 1, 0), (2, 3, 3, 2, 3, 3, 1, 1, 1)]
)
def test_pools_against_loops(where):
    rng = np.random.default_rng(1)
    x = np.round(rng.standard_normal((2, 4, 5, 6, 19)), 1)  # with ties
    x[..., 17:] = np.inf, -np.inf
    window, stride, before = np.reshape(where, (3, 3))
    sizes = [-(-(n + b - k) // s) + 1 if b else (n - k) // s + 1
             for n, k, s, b in zip(x.shape[1:4], window, stride, before, strict=True)]  # fmt: skip
    largest, mean = np.empty((2, *sizes, 19)), np.empty((2, *sizes, 19))
    max_forward(largest, x, *where)
    mean_forward(mean, x, *where)
    places, told = np.full(largest.shape, 99, "uint8"), np.full(largest.shape, np.nan)
    max_places(told, places, x, *where, 0)
    np.testing.assert_array_equal(told, largest)
    dy = rng.standard_normal(largest.shape)
    dx_max, dx_mean = np.zeros_like(x), np.zeros_like(x)
    places_backward(dx_max, dy, places, *where)
    mean_backward(dx_mean, dy, *where)
    expected_max, expected_mean = np.zeros_like(x), np.zeros_like(x)
    for place in np.ndindex(*sizes):
        first = np.array(place) * stride - before
        inside = tuple(slice(max(a, 0), a + k) for a, k in zip(first, window, strict=True))
        part = x[(slice(None), *inside)]
        rows = part.reshape(2, -1, 19)
        np.testing.assert_array_equal(largest[(slice(None), *place)], rows.max(axis=1))
        np.testing.assert_allclose(mean[(slice(None), *place)], rows.mean(axis=1), rtol=1e-12, atol=1e-13)
        given = dy[(slice(None), *place)]
        chosen = (np.arange(rows.shape[1])[None, :, None] == rows.argmax(axis=1)[:, None]) * given[:, None]
        expected_max[(slice(None), *inside)] += chosen.reshape(part.shape)
        expected_mean[(slice(None), *inside)] += (given / rows.shape[1])[:, None, None, None]
    np.testing.assert_allclose(dx_max, expected_max, atol=1e-13)
    dx_max[...] = np.nan
    places_write(dx_max, dy, places, *where)
    np.testing.assert_allclose(dx_max, expected_max, atol=1e-13)
    max_places(told, places, x, *where, RELU6)
    np.testing.assert_array_equal(told, np.clip(largest, 0, 6))
    places_write(dx_max, dy, places, *where)
    if window[0] * window[1] * window[2] == 4:
        inside = (x > 0) & (x < 6)
        np.testing.assert_allclose(dx_max, np.where(inside, expected_max, 0), atol=1e-13)
    np.testing.assert_allclose(dx_mean, expected_mean, atol=1e-13)


def test_the_largest_value_is_nan_if_there_is_one():
    x = np.array([1.0, np.nan, 3.0, 2.0]).reshape(1, 1, 2, 2, 1)
    for columns in (2, 1):  # the usual window, and one that is cut off
        where, y, places = (1, 2, 2, 1, 2, 2, 0, 0, 2 - columns), np.zeros((1, 1, 1, 1, 1)), np.zeros((1,) * 5, "uint8")
        inside = np.ascontiguousarray(x[:, :, :, 2 - columns :])
        max_forward(y, inside, *where)
        assert np.isnan(y).all()
        max_places(y[...], places, inside, *where, RELU6)
        assert np.isnan(y).all() and places == 1


@pytest.mark.parametrize(
    ("activation", "bias", "taps", "how", "window", "filters"),
    [
        (0, True, (3, 2), (2, 1, 1, 2), (2, 3), 19),
        (RELU6, False, (3, 2), (2, 1, 1, 2), (2, 2), 24),
        (0, True, (4, 2), (1, 2, 1, 1), (2, 2), 24),
    ],
)
def test_maxima_of_a_convolution(activation, bias, taps, how, window, filters):
    """The same to the bit as the convolution, then its maxima; rows in parts that do not come out even."""
    rng, (sh, sw, dh, dw) = np.random.default_rng(3), how
    x, w = rng.standard_normal((3, 1, 17, 12, 2)), rng.standard_normal((1, *taps, 2, filters))
    x[0, 0, 5, 3, 0] = np.nan
    b = rng.standard_normal(filters) if bias else None
    y = np.zeros((3, 1, (16 - (taps[0] - 1) * dh) // sh + 1, (11 - (taps[1] - 1) * dw) // sw + 1, filters))
    conv_forward(y, x, w, b, 1, sh, sw, 1, dh, dw, 1, activation)
    shape = (3, 1, y.shape[2] // window[0], y.shape[3] // window[1], filters)
    largest, told, places, found = np.zeros(shape), np.zeros(shape), np.zeros(shape, "uint8"), np.zeros(shape, "uint8")
    max_places(largest, places, y, 1, *window, 1, *window, 0, 0, 0, activation)
    scratch = np.full((1, 3 * window[0], *y.shape[3:]), np.nan)
    for known in (None, found):
        told[...] = -1
        conv_max(told, known, scratch, x, w, b, *how, *window, activation)
        np.testing.assert_array_equal(told, largest)
    assert np.isnan(largest).any()
    np.testing.assert_array_equal(found, places)
    x[0, 0, 5, 3, 0] = 0.5
    dy, gradient, expected = rng.standard_normal(shape), np.full_like(w, np.nan), np.zeros_like(w)
    places_write(y, dy, places, 1, *window, 1, *window, 0, 0, 0)
    conv_backward_kernel(expected, x, y, 1, sh, sw, 1, dh, dw, 1)
    db = np.ones(filters)
    conv_max_write_kernel(gradient, db, scratch, x, dy, places, *how, *window)
    np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(db, 1 + y.sum((0, 1, 2, 3)), rtol=1e-12, atol=1e-12)
    conv_max_kernel(gradient, None, scratch, x, dy, places, *how, *window)
    np.testing.assert_allclose(gradient, 2 * expected, rtol=1e-12, atol=1e-12)

"""Depthwise convolutions against the sum over taps of padded images in float64; a sample's bits for any number."""

import os
import subprocess
import sys

import numpy as np
import pytest

from dseq.kernels.base import JIT
from dseq.kernels.depthwise import (
    depthwise_backward_input,
    depthwise_backward_kernel,
    depthwise_forward,
    depthwise_write_input,
    repeat_backward,
    repeat_forward,
)
from dseq.kernels.epilogue import NONE, RELU, RELU6

# image, kernel, strides, dilations, zeros before, zeros behind, channels, activation
CASES = [
    ((9, 14), (3, 3), (1, 1), (1, 1), (1, 1), (1, 1), 51, NONE),
    ((8, 9), (3, 3), (2, 2), (1, 1), (0, 0), (1, 1), 24, RELU),
    ((7, 30), (5, 5), (1, 1), (1, 1), (2, 2), (2, 2), 7, RELU6),
    ((7, 7), (5, 5), (2, 2), (1, 1), (1, 2), (2, 2), 130, NONE),
    ((2, 3), (3, 5), (1, 1), (2, 1), (2, 2), (2, 2), 3, NONE),  # taps that never meet the image
    ((11, 10), (3, 2), (3, 1), (1, 3), (0, 1), (0, 2), 20, RELU),
    ((12, 13), (3, 4), (2, 2), (3, 2), (3, 3), (3, 3), 33, NONE),
    ((1, 20), (1, 3), (1, 3), (1, 1), (0, 0), (0, 0), 1, NONE),
    ((5, 6), (2, 2), (3, 4), (1, 1), (0, 0), (0, 0), 18, NONE),  # pixels that no tap meets
]


def arrays(case, dtype, samples=2):
    image, taps, strides, dilations, before, behind, channels, activation = case
    rng = np.random.default_rng(0)
    outputs = [
        (n + a + b - (k - 1) * d - 1) // s + 1
        for n, k, s, d, a, b in zip(image, taps, strides, dilations, before, behind, strict=True)
    ]
    x, w, dy, bias = (
        rng.standard_normal(shape).astype(dtype)
        for shape in ((samples, *image, channels), (*taps, channels), (samples, *outputs, channels), (channels,))
    )
    return x, w, dy, bias, (*strides, *dilations, *before)


def taps(x, case, shape):
    """For each tap its place in the kernel and the pixels of padded images it meets, as a view."""
    _, kernel, strides, dilations, *_ = case
    for place in np.ndindex(*kernel):
        window = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(place, dilations, shape[1:3], strides, strict=True)
        )
        yield place, x[(slice(None), *window)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_forward_and_gradients(case, dtype):
    x, w, dy, bias, how = arrays(case, dtype)
    *_, before, behind, _, activation = case
    close = {"rtol": 0, "atol": 300 * np.finfo(dtype).eps}
    sides = [(0, 0), *zip(before, behind, strict=True), (0, 0)]
    padded, wide = np.pad(x.astype("float64"), sides), w.astype("float64")

    expected = np.zeros(dy.shape) + bias
    for place, window in taps(padded, case, dy.shape):
        expected += window * wide[place]
    y = np.full_like(dy, np.nan)
    depthwise_forward(y, x, w, bias, *how, activation)
    low, high = {NONE: (-np.inf, np.inf), RELU: (0, np.inf), RELU6: (0, 6)}[activation]
    np.testing.assert_allclose(y, np.clip(expected, low, high), **close)
    depthwise_forward(y, x, w, None, *how, NONE)
    np.testing.assert_allclose(y, expected - bias, **close)

    gradient = np.zeros_like(padded)
    for place, window in taps(gradient, case, dy.shape):
        window += dy * wide[place]
    gradient = gradient[:, before[0] : before[0] + x.shape[1], before[1] : before[1] + x.shape[2]]
    dx = np.full_like(x, np.nan)
    depthwise_write_input(dx, dy, w, *how)
    np.testing.assert_allclose(dx, gradient, **close)
    dx[...] = x
    depthwise_backward_input(dx, dy, w, *how)
    np.testing.assert_allclose(dx, x + gradient, **close)

    gradient = wide.copy()
    for place, window in taps(padded, case, dy.shape):
        gradient[place] += (window * dy).sum(axis=(0, 1, 2))
    dw = w.copy()
    depthwise_backward_kernel(dw, x, dy, *how)
    np.testing.assert_allclose(dw, gradient, **close)


@pytest.mark.skipif(not JIT, reason="compiled tiles")
def test_a_samples_bits_do_not_depend_on_the_others():
    x, w, dy, bias, how = arrays(CASES[0], "float32", samples=5)
    whole, alone = np.empty_like(dy), np.empty_like(dy)
    depthwise_forward(whole, x, w, bias, *how, NONE)
    for i in range(5):
        depthwise_forward(alone[i : i + 1], x[i : i + 1], w, bias, *how, NONE)
    np.testing.assert_array_equal(whole, alone)


def test_no_samples():
    x, w, dy, bias, how = arrays(CASES[0], "float32", samples=0)
    dw = np.zeros_like(w)
    depthwise_forward(np.empty_like(dy), x, w, bias, *how, NONE)
    depthwise_write_input(x, dy, w, *how)
    depthwise_backward_kernel(dw, x, dy, *how)
    assert not dw.any()


@pytest.mark.parametrize("activation", [RELU, RELU6])
def test_nan_passes_activations(activation):
    x, w, dy, bias, how = arrays(CASES[0], "float32", samples=1)
    x[0, 4, 4, 3] = np.nan
    y = np.empty_like(dy)
    depthwise_forward(y, x, w, bias, *how, activation)
    assert np.isnan(y[0, 3:6, 3:6, 3]).all() and np.isnan(y).sum() == 9


def test_repeating_channels():
    x = np.arange(6, dtype="float32").reshape(2, 3)
    y = np.empty((2, 6), "float32")
    repeat_forward(y, x)
    np.testing.assert_array_equal(y, np.repeat(x, 2, axis=1))
    dx = x.copy()
    repeat_backward(dx, y)
    np.testing.assert_array_equal(dx, 3 * x)


@pytest.mark.skipif(not JIT, reason="compiled tiles")
def test_without_masked_loads():
    """The cases once more with a register tile that computes the last channels one by one."""
    names = "forward_and_gradients and float32"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", names]
    subprocess.run(command, env={**os.environ, "DSEQ_ISA": "plain"}, check=True, timeout=200, capture_output=True)

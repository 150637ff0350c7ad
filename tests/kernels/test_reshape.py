"""Kernels that move values, against NumPy."""

from itertools import permutations

import numpy as np
import pytest

from dseq.kernels.reshape import (
    gather_rows,
    repeat_backward,
    repeat_forward,
    transpose_backward,
    transpose_forward,
)


def sizes_and_strides(shape, axes):
    """The int arguments for y = x permuted by `axes`, padded in front to four axes."""
    strides = [int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))]
    padding = 4 - len(axes)
    return [1] * padding + [shape[a] for a in axes] + [0] * padding + [strides[a] for a in axes]


@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 5), (2, 3, 4, 5)])
def test_transpose(shape, rows):
    x = np.random.default_rng(0).standard_normal((rows, *shape))
    for axes in permutations(range(len(shape))):
        numbers = sizes_and_strides(shape, axes)
        expected = x.transpose(0, *(axis + 1 for axis in axes))
        y = np.full(x.size, np.nan)
        transpose_forward(y, x.ravel(), *numbers)
        np.testing.assert_array_equal(y, expected.ravel())
        dx = np.ones(x.size)
        transpose_backward(dx, y, *numbers)
        np.testing.assert_array_equal(dx, 1 + x.ravel())


@pytest.mark.parametrize("rows", [0, 3])
def test_repeat(rows):
    x = np.random.default_rng(0).standard_normal((rows, 5))
    y = np.full((rows, 4, 5), np.nan)
    repeat_forward(y, x)
    np.testing.assert_array_equal(y, np.repeat(x[:, None], 4, axis=1))
    dx = np.ones((rows, 5))
    repeat_backward(dx, y)
    np.testing.assert_allclose(dx, 1 + 4 * x, rtol=1e-14)


@pytest.mark.parametrize("block_type", ["float32", "float64"])
@pytest.mark.parametrize("source_type", ["float32", "float64", "uint8", "int64", "int32"])
def test_gather_rows(source_type, block_type):
    source = (np.random.default_rng(0).random((50, 33)) * 250).astype(source_type)
    index = np.array([49, 0, 7, 7, 3])
    block = np.full((5, 33), np.nan, block_type)
    gather_rows(block, source, index)
    np.testing.assert_array_equal(block, source[index].astype(block_type))
    gather_rows(block[:0], source, index[:0])

"""Kernels of merging layers, and those of dot products, against NumPy."""

from itertools import product as combinations

import numpy as np
import pytest

from dseq.kernels.dot import inner_backward, inner_forward, normalize_backward, normalize_forward, products
from dseq.kernels.epilogue import NONE, RELU, RELU6
from dseq.kernels.merge import (
    accumulate,
    add_forward,
    assign,
    choice_backward,
    columns_backward,
    columns_forward,
    divide,
    divide_backward,
    maximum_forward,
    minimum_forward,
    multiply_backward,
    multiply_forward,
    spread_backward,
    spread_forward,
    subtract_backward,
    subtract_forward,
)

TOLERANCE = {"float32": 1e-5, "float64": 1e-13}
both_types = pytest.mark.parametrize("dtype", TOLERANCE)


def draw(seed, dtype, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


@both_types
@pytest.mark.parametrize("size", [0, 1, 37])
def test_forward_writes(size, dtype):
    a, b = draw(size, dtype, size, size)
    for kernel, compute in (
        (lambda y, a, b: add_forward(y, a, b, NONE), np.add),
        (lambda y, a, b: add_forward(y, a, b, RELU), lambda a, b: np.maximum(a + b, 0)),
        (lambda y, a, b: add_forward(y, a, b, RELU6), lambda a, b: np.clip(a + b, 0, 6)),
        (lambda y, a, b: assign(y, a), lambda a, b: a),
        (subtract_forward, np.subtract),
        (multiply_forward, np.multiply),
        (maximum_forward, np.maximum),
        (minimum_forward, np.minimum),
    ):
        y = np.full(size, np.nan, dtype)
        kernel(y, a, b)
        np.testing.assert_array_equal(y, compute(a, b))
        kernel(y, a, a)
        np.testing.assert_array_equal(y, compute(a, a))
    y = a.copy()
    accumulate(y, b)
    np.testing.assert_array_equal(y, a + b)
    divide(y, np.array([3], dtype))
    np.testing.assert_array_equal(y, (a + b) / np.array(3, dtype))


@both_types
@pytest.mark.parametrize("size", [0, 1, 37])
def test_backward_adds(size, dtype):
    dx, dy, a, b = draw(size, dtype, size, size, size, size)
    b[:5] = a[:5]
    three = np.array([3], dtype)
    for kernel, rest, expected in (
        (subtract_backward, (), dx - dy),
        (multiply_backward, (b,), dx + dy * b),
        (divide_backward, (three,), dx + dy / three),
        (choice_backward, (a, b), dx + dy * np.select([a > b, a == b], [1, 0.5], 0)),
    ):
        result = dx.copy()
        kernel(result, dy, *rest)
        np.testing.assert_allclose(result, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@both_types
def test_the_greatest_and_least_with_nan_and_infinities(dtype):
    special = np.array([np.nan, np.inf, -np.inf, 0, 1], dtype)
    a, b = (x.ravel().copy() for x in np.meshgrid(special, special))
    for kernel, compute in ((maximum_forward, np.maximum), (minimum_forward, np.minimum)):
        y = np.zeros(a.size, dtype)
        kernel(y, a, b)
        np.testing.assert_array_equal(y, compute(a, b))


@both_types
@pytest.mark.parametrize("rows", [0, 1, 5])
def test_columns(rows, dtype):
    x, dy, dx = draw(rows, dtype, (rows, 3), (rows, 8), (rows, 3))
    y = np.zeros((rows, 8), dtype)
    columns_forward(y, x, 4)
    np.testing.assert_array_equal(y, np.concatenate([np.zeros((rows, 4)), x, np.zeros((rows, 1))], 1))
    result = dx.copy()
    columns_backward(result, dy, 4)
    np.testing.assert_array_equal(result, dx + dy[:, 4:7])


@both_types
@pytest.mark.parametrize("rows", [0, 1, 5])
@pytest.mark.parametrize("length, step", [(1, 1), (1, 0), (4, 1), (4, 0), (131, 1), (131, 0)])
def test_spread(length, step, rows, dtype):
    index = np.array([0, 6, 2, 6])
    places = (index[:, None] + step * np.arange(length)).ravel()
    x, dy, dx = draw(rows, dtype, (rows, 140), (rows, places.size), (rows, 140))
    y = np.full_like(dy, np.nan)
    spread_forward(y, x, index, length, step)
    np.testing.assert_array_equal(y, x[:, places])
    expected = dx.astype("float64")
    for r in range(rows):
        np.add.at(expected[r], places, dy[r])
    spread_backward(dx, dy, index, length, step)
    np.testing.assert_allclose(dx, expected, rtol=10 * TOLERANCE[dtype], atol=10 * TOLERANCE[dtype])


@both_types
@pytest.mark.parametrize("rows", [0, 3])
@pytest.mark.parametrize("n, m, k", [(1, 1, 1), (3, 4, 5), (1, 17, 9), (20, 1, 33), (33, 40, 20)])
def test_products(n, m, k, rows, dtype):
    a, b, c = draw(n, dtype, (rows, n, k), (rows, k, m), (rows, n, m))
    expected = np.matmul(a, b)
    for a_transposed, b_transposed, adds in combinations((0, 1), repeat=3):
        result = c.copy() if adds else np.full_like(c, np.nan)
        left = np.ascontiguousarray(a.transpose(0, 2, 1)) if a_transposed else a
        right = np.ascontiguousarray(b.transpose(0, 2, 1)) if b_transposed else b
        products(result, left, right, a_transposed, b_transposed, adds)
        tolerance = 10 * TOLERANCE[dtype]
        np.testing.assert_allclose(result, expected + adds * c, rtol=tolerance, atol=tolerance)


@both_types
@pytest.mark.parametrize("rows", [0, 3])
def test_inner_products(rows, dtype):
    x, y, dx, dz = draw(rows, dtype, (rows, 37), (rows, 37), (rows, 37), (rows, 1))
    z = np.full((rows, 1), np.nan, dtype)
    inner_forward(z, x, y)
    np.testing.assert_allclose(z, (x * y).sum(1, keepdims=True), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    result = dx.copy()
    inner_backward(result, dz, y)
    np.testing.assert_allclose(result, dx + dz * y, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@both_types
@pytest.mark.parametrize("rows", [0, 3])
def test_normalize(rows, dtype):
    x, dy, dx = draw(rows, dtype, *[(rows, 2, 5, 3)] * 3)
    x[:1, 0, :, 0] = 0  # too short to be scaled to length 1
    epsilon = np.array([1e-7], dtype)
    y, inverse = np.full_like(x, np.nan), np.full((rows, 2, 3), np.nan, dtype)
    normalize_forward(y, inverse, x, epsilon)
    norm = np.sqrt((x * x).sum(2, keepdims=True))
    factor = 1 / np.maximum(norm, epsilon)
    close = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    np.testing.assert_allclose(inverse, factor[:, :, 0], **close)
    np.testing.assert_allclose(y, x * factor, **close)
    result = dx.copy()
    normalize_backward(result, dy, y, inverse, epsilon)
    along = (dy * y).sum(2, keepdims=True)
    np.testing.assert_allclose(result, dx + factor * (dy - along * y), **close)


def test_normalize_keeps_nan():
    x = np.full((1, 1, 2, 1), np.nan)
    y, inverse = np.zeros_like(x), np.zeros((1, 1, 1))
    normalize_forward(y, inverse, x, np.array([1e-7]))
    assert np.isnan(y).all()

"""Dense kernels against NumPy and finite differences."""

import numpy as np
import pytest

from dseq.kernels.base import JIT
from dseq.kernels.dense import (
    dense_backward_bias,
    dense_backward_input,
    dense_backward_kernel,
    dense_forward,
    dense_write_bias,
)
from dseq.kernels.epilogue import NONE, RELU, RELU6

DTYPES = ("float32", "float64")


def random(shape, dtype="float64", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("n, k, m", [(0, 4, 3), (1, 1, 1), (5, 7, 3), (32, 784, 128), (64, 100, 10)])
def test_forward(n, k, m, use_bias, dtype):
    x, w, b = random((n, k), dtype), random((k, m), dtype, 1), random(m, dtype, 2) if use_bias else None
    y = np.full((n, m), np.nan, dtype)
    dense_forward(y, x, w, b, 0)
    expected = x.astype(np.float64) @ w.astype(np.float64) + (b if use_bias else 0)
    np.testing.assert_allclose(y, expected, rtol=0, atol=40 * np.sqrt(k) * np.finfo(dtype).eps)
    for code, most in ((RELU, np.inf), (RELU6, 6)):
        bent = np.full((n, m), np.nan, dtype)
        dense_forward(bent, x, w, b, code)
        np.testing.assert_array_equal(bent, np.clip(y, 0, most))


@pytest.mark.parametrize("code", [NONE, RELU, RELU6])
def test_activations_after_the_product_keep_nan(code):
    y = np.empty((1, 4))
    dense_forward(y, np.ones((1, 1)), np.array([[np.nan, -1, 5, 7.0]]), None, code)
    least, most = (-np.inf, 0, 0)[code], (np.inf, np.inf, 6)[code]
    np.testing.assert_array_equal(y, np.clip([[np.nan, -1, 5, 7]], least, most))


@pytest.mark.parametrize("n, k, m", [(1, 1, 1), (5, 7, 3), (14, 33, 10)])
def test_gradients(n, k, m):
    # The function is linear in each argument: a central difference of any length is exact but for rounding.
    operands = {"x": random((n, k)), "w": random((k, m), seed=1), "b": random(m, seed=2)}
    dy = random((n, m), seed=3)

    def value(**moved):
        y = np.empty((n, m))
        dense_forward(y, *{**operands, **moved}.values(), 0)
        return (y * dy).sum()

    gradients = {name: np.zeros_like(array) for name, array in operands.items()}
    dense_backward_input(gradients["x"], dy, operands["w"])
    dense_backward_kernel(gradients["w"], operands["x"], dy)
    dense_backward_bias(gradients["b"], dy)
    for name, gradient in gradients.items():
        direction = random(gradient.shape, seed=4)
        slope = (value(**{name: operands[name] + direction}) - value(**{name: operands[name] - direction})) / 2
        np.testing.assert_allclose((gradient * direction).sum(), slope, rtol=1e-11)


@pytest.mark.parametrize("dtype", DTYPES)
def test_backward_adds(dtype):
    x, w, dy = random((6, 5), dtype), random((5, 4), dtype), random((6, 4), dtype)
    calls = {
        (6, 5): (dense_backward_input, dy, w),
        (5, 4): (dense_backward_kernel, x, dy),
        (4,): (dense_backward_bias, dy),
    }
    for shape, (run, *arguments) in calls.items():
        once, added = np.zeros(shape, dtype), np.full(shape, 2, dtype)
        run(once, *arguments)
        run(added, *arguments)
        np.testing.assert_allclose(added, once + 2, rtol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_rows_leave_gradients_alone(dtype):
    x, w, dy = np.empty((0, 5), dtype), random((5, 4), dtype), np.empty((0, 4), dtype)
    dw, db = np.ones((5, 4), dtype), np.ones(4, dtype)
    dense_backward_input(x, dy, w)
    dense_backward_kernel(dw, x, dy)
    dense_backward_bias(db, dy)
    assert (dw == 1).all() and (db == 1).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("m", [1, 10, 100])
def test_bias_gradient_is_a_sum_in_the_order_of_rows(m, dtype):
    dy = random((33, m), dtype)
    db = np.zeros(m, dtype)
    dense_backward_bias(db, dy)
    expected = np.zeros(m, dtype)
    for row in dy:
        expected += row
    np.testing.assert_array_equal(db, expected)
    db[:] = np.nan
    dense_write_bias(db, dy)
    np.testing.assert_array_equal(db, expected)


@pytest.mark.skipif(not JIT, reason="there is only one way to run")
@pytest.mark.parametrize("use_bias", [True, False])
def test_the_python_text_gives_the_same_bits(use_bias):
    x, w, b, dy = random((5, 7)), random((7, 3)), random(3) if use_bias else None, random((5, 3))
    for run, shape, arguments in (
        (dense_forward, (5, 3), (x, w, b, 0)),
        (dense_backward_input, (5, 7), (dy, w)),
        (dense_backward_kernel, (7, 3), (x, dy)),
        (dense_backward_bias, (3,), (dy,)),
    ):
        compiled, text = np.zeros(shape), np.zeros(shape)
        run(compiled, *arguments)
        run.py_func(text, *arguments)
        np.testing.assert_array_equal(compiled, text)

"""Functions of elements: values by NumPy's formulas, gradients by finite differences, types by Keras' rules."""

import math

import numpy as np
import pytest

from dseq import ops
from tests.ops.harness import check, sample, weight

erf = np.vectorize(math.erf, otypes=[float])
sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731

ONE = {
    "negative": (np.negative, {}),
    "abs": (np.abs, {}),
    "square": (np.square, {}),
    "sqrt": (np.sqrt, {"low": 0.3}),
    "rsqrt": (lambda x: 1 / np.sqrt(x), {"low": 0.3}),
    "reciprocal": (lambda x: 1 / x, {"low": 0.3}),
    "exp": (np.exp, {}),
    "expm1": (np.expm1, {}),
    "log": (np.log, {"low": 0.3}),
    "log1p": (np.log1p, {"low": -0.7}),
    "log2": (np.log2, {"low": 0.3}),
    "log10": (np.log10, {"low": 0.3}),
    "sin": (np.sin, {"high": 9.0}),
    "cos": (np.cos, {"high": 9.0}),
    "tan": (np.tan, {}),
    "sinh": (np.sinh, {"low": -3.0}),
    "cosh": (np.cosh, {"low": -3.0}),
    "tanh": (np.tanh, {"low": -3.0}),
    "arctan": (np.arctan, {}),
    "arcsin": (np.arcsin, {"high": 0.9}),
    "arccos": (np.arccos, {"high": 0.9}),
    "erf": (erf, {"high": 2.0}),
    "sigmoid": (sigmoid, {"low": -4.0}),
    "relu": (lambda x: np.maximum(x, 0), {}),
    "relu6": (lambda x: np.clip(x, 0, 6), {"high": 9.0}),
    "leaky_relu": (lambda x: np.where(x > 0, x, 0.2 * x), {}),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(x)), {}),
    "selu": (lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)), {}),
    "celu": (lambda x: np.where(x > 0, x, np.expm1(x)), {}),
    "gelu": (lambda x: x * sigmoid(1.5957691216057308 * (x + 0.044715 * x**3)), {}),
    "silu": (lambda x: x * sigmoid(x), {}),
    "mish": (lambda x: x * np.tanh(np.log1p(np.exp(x))), {}),
    "softplus": (lambda x: np.log1p(np.exp(x)), {}),
    "softsign": (lambda x: x / (1 + np.abs(x)), {}),
    "log_sigmoid": (lambda x: -np.log1p(np.exp(-x)), {}),
    "hard_sigmoid": (lambda x: np.clip(x / 6 + 0.5, 0, 1), {"low": -5.0}),
    "hard_silu": (lambda x: x * np.clip(x / 6 + 0.5, 0, 1), {"low": -5.0}),
    "hard_tanh": (lambda x: np.clip(x, -1, 1), {"low": -3.0}),
}


@pytest.mark.parametrize("name", ONE)
def test_functions_of_one_argument(name):
    formula, bounds = ONE[name]
    check(getattr(ops, name), formula, sample(3, 5, **bounds), exact=1e-9)


def test_options_of_activations():
    x = sample(4)
    check(lambda x: ops.leaky_relu(x, 0.1), lambda x: np.where(x > 0, x, 0.1 * x), x)
    check(lambda x: ops.elu(x, alpha=0.5), lambda x: np.where(x > 0, x, 0.5 * np.expm1(x)), x)
    check(lambda x: ops.gelu(x, False), lambda x: x * 0.5 * (1 + erf(x / math.sqrt(2))), x, exact=1e-9)


def softmax(x, axis):
    e = np.exp(x)
    return e / e.sum(axis, keepdims=True)


@pytest.mark.parametrize("axis", [-1, 1, (1, 3)])
def test_softmax_along_any_axis_of_samples(axis):
    check(lambda x: ops.softmax(x, axis), lambda x: softmax(x, axis), sample(2, 3, 2))
    check(lambda x: ops.log_softmax(x, axis), lambda x: np.log(softmax(x, axis)), sample(2, 3, 2))


def test_rounding_and_tests_of_numbers():
    def formula(lib):
        return lambda x: [lib.floor(x), lib.ceil(x), lib.round(x), lib.round(x, 1), lib.sign(x), lib.isnan(1 / x)]

    run = check(formula(ops), formula(np), sample(6, low=-3.0), slopes=False)
    assert not any(np.any(s) for s in run.backward(*[np.ones((3, 6))] * 6))
    y = ops.isfinite(np.array([1.0, np.inf, np.nan]))
    np.testing.assert_array_equal(y, [True, False, False])
    np.testing.assert_array_equal(ops.isinf(np.array([1.0, -np.inf, np.nan])), [False, True, False])


TWO = {
    "add": (np.add, {}),
    "subtract": (np.subtract, {}),
    "multiply": (np.multiply, {}),
    "divide": (np.divide, {"low": 0.4}),
    "mod": (np.mod, {"low": 0.4}),
    "power": (np.power, {"low": 0.4}),
    "maximum": (np.maximum, {}),
    "minimum": (np.minimum, {}),
    "arctan2": (np.arctan2, {"low": 0.4}),
}


@pytest.mark.parametrize("name", TWO)
def test_functions_of_two_arguments(name):
    formula, bounds = TWO[name]
    function = getattr(ops, name)
    check(function, formula, sample(4, 9, seed=2, **bounds), sample(4, 9, seed=3, **bounds))
    check(function, formula, sample(4, 9, seed=2, **bounds), weight(9, **bounds))
    check(function, formula, weight(**bounds), sample(2, 9, seed=2, **bounds))


SHAPES = [
    ((4,), (4,)),
    ((4, 9), ()),
    ((4, 9), (1, 9)),
    ((4, 9), (4, 1)),
    ((1, 9), (4, 1)),
    ((2, 1, 3), (1, 4, 1)),
    ((2, 1, 3, 1), (1, 4, 1, 2)),
    ((1, 4, 1, 2), (3, 1, 5, 1)),
    ((), ()),
]


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("kinds", ["samples", "weight", "weights"])
def test_broadcasting(shapes, kinds):
    a, b = shapes
    if kinds == "samples":
        b = (1,) * (len(a) - len(b)) + b
        check(lambda a, b: a * b - b, lambda a, b: a * b - b, sample(*a), sample(*b, seed=2))
    elif kinds == "weight":
        check(lambda a, b: a * b - b, lambda a, b: a * b - b, sample(*a), weight(*b))
        b = (1, *(1,) * (len(a) - len(b)), *b)
        check(lambda a, b: b / a, lambda a, b: b / a, sample(*a, low=0.5), weight(*b))
    else:
        check(lambda a, b: a * b - b, lambda a, b: a * b - b, weight(*a), weight(*b, seed=2))


def test_operators():
    def formula(x, y):
        z = [1 - x, 2.5 / y, y**2, y**3, y**-1, y**0.5, 2.0**x, -x, abs(x), x // 0.3, x % 0.3, +1 * x, y**y]
        tests = [
            x < y,
            x <= 0,
            x > y,
            x <= 1,
            x != y,
            (x > 0) & (y > 0.5),
            (x > 0) | (y > 0.5),
            ~(x > 0),
            (x > 0) ^ (y > 0.5),
        ]
        return [*z, *tests]

    check(formula, formula, sample(5), sample(5, low=0.4, seed=4), exact=1e-10)


def test_operators_of_weights_and_arrays():
    array = np.arange(1.0, 4.0)

    def formula(x, w):
        return [w * x, x - w, w[1:] * w[0] + x[:, :2], array * x, array @ w + x[:, 0], -w + x, abs(w) * x, w**2 * x]

    check(formula, formula, sample(3), weight(3))


def test_where_and_clip():
    check(lambda x, y: ops.where(x > 0, x, y), lambda x, y: np.where(x > 0, x, y), sample(4, 2), weight(2))
    check(lambda x, y: ops.where(x > 0, 1.0, y), lambda x, y: np.where(x > 0, 1.0, y), sample(4, 1), weight(2))
    check(lambda w, x: ops.where(w > 0, x, w), lambda w, x: np.where(w > 0, x, w), weight(4, 2), sample(4, 2))
    check(lambda x: ops.clip(x, -0.5, 0.5), lambda x: np.clip(x, -0.5, 0.5), sample(9))
    check(lambda x, w: ops.clip(x, -0.5, w), lambda x, w: np.clip(x, -0.5, w), sample(9), weight(9))


def test_integers():
    def formula(lib):
        return lambda x: [x + 1, x // 2, x % 3, x * x, -x, abs(x), x > 1, lib.clip(x, 0, 2), lib.maximum(x, 1)]

    x = sample(7, dtype="int32", low=-5, high=5)
    check(formula(ops), formula(np), x)
    y = ops.multiply(x.values, 1.5)
    assert y.dtype == np.float32 and ops.divide(x.values, 2).dtype == np.float32
    assert ops.add(x.values, np.int64(1)).dtype == np.int32 and ops.sqrt(4).dtype == np.float32
    assert ops.add(np.ones(2, "float32"), np.ones(2, "float64")).dtype == np.float64
    assert ops.add(np.ones(2, "int32"), np.ones(2, "float32")).dtype == np.float32


def test_casts():
    check(lambda x: ops.cast(x > 0, "float64") * x, lambda x: (x > 0) * x, sample(5))
    check(lambda x: ops.cast(x, "int32"), lambda x: x.astype("int32"), sample(5, low=-5.0, high=5.0))
    check(lambda x: ops.cast(x, "bool"), lambda x: x != 0, sample(5, dtype="int32", low=0, high=2))
    run = check(lambda x: x * ops.stop_gradient(x), lambda x: x * x, sample(3), slopes=False)
    np.testing.assert_array_equal(run.backward(np.ones((3, 3)))[0], run.samples[0].values)
    like = check(
        lambda x: [ops.zeros_like(x), ops.ones_like(x, dtype="int32"), ops.full_like(x, 3)],
        lambda x: [np.zeros_like(x), np.ones(x.shape, "int32"), np.full_like(x, 3)],
        sample(3),
        slopes=False,
    )
    assert [t.dtype for t in like.tensors] == ["float64", "int32", "float64"]


@pytest.mark.parametrize("runner", ["calls", "python"])
def test_other_runners(runner):
    def formula(lib):
        return lambda x, w: lib.exp(x) * w / (1 + lib.square(x)) + lib.maximum(x, w) ** 2

    check(formula(ops), formula(np), sample(2, 3), weight(3), runner=runner, exact=1e-10)

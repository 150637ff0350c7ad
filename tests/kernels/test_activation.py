"""Every activation kernel against a NumPy formula, its gradient against central differences."""

import math

import numpy as np
import pytest

from dseq import activations

erf = np.vectorize(math.erf, otypes=[np.float64])


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def sparsemax(x):
    ranked = -np.sort(-x, axis=-1)
    sums, ranks = ranked.cumsum(-1) - 1, np.arange(1, x.shape[-1] + 1)
    count = (ranked > sums / ranks).sum(-1, keepdims=True)
    return np.maximum(x - np.take_along_axis(sums, count - 1, -1) / count, 0)


def elu(x, alpha=1.0, scale=1.0):
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


GELU = math.sqrt(2 / math.pi)
FORMULAS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "elu": elu,
    "selu": lambda x: elu(x, 1.6732632423543772, 1.0507009873554805),
    "celu": elu,
    "gelu": lambda x: x / 2 * (1 + erf(x / math.sqrt(2))),
    "silu": lambda x: x * sigmoid(x),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "sigmoid": sigmoid,
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "log_sigmoid": lambda x: -np.logaddexp(0, -x),
    "sparse_sigmoid": lambda x: np.clip((x + 1) / 2, 0, 1),
    "hard_silu": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "tanh": np.tanh,
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "tanh_shrink": lambda x: x - np.tanh(x),
    "soft_shrink": lambda x: np.sign(x) * np.maximum(abs(x) - 0.5, 0),
    "hard_shrink": lambda x: np.where(abs(x) > 0.5, x, 0),
    "threshold": lambda x: np.where(x > 0, x, 0),
    "exponential": np.exp,
    "softplus": lambda x: np.logaddexp(0, x),
    "softsign": lambda x: x / (1 + abs(x)),
    "squareplus": lambda x: (x + np.sqrt(x * x + 4)) / 2,
    "sparse_plus": lambda x: np.where(x <= -1, 0, np.where(x >= 1, x, (x + 1) ** 2 / 4)),
    "softmax": softmax,
    "log_softmax": lambda x: np.log(softmax(x)),
    "sparsemax": sparsemax,
    "glu": lambda x: x[..., : x.shape[-1] // 2] * sigmoid(x[..., x.shape[-1] // 2 :]),
}
CASES = {name: (activations.get(name), formula) for name, formula in FORMULAS.items() if name != "linear"}
CASES |= {
    "relu(0.1, 2, 0.3)": (
        activations.relu.with_parameters(0.1, 2.0, 0.3),
        lambda x: np.where(x <= 0.3, 0.1 * (x - 0.3), np.minimum(x, 2)),
    ),
    "elu(0.7)": (activations.elu.with_parameters(0.7), lambda x: elu(x, 0.7)),
    "celu(0.7)": (activations.celu.with_parameters(0.7), lambda x: 0.7 * elu(x / 0.7)),
    "gelu(approximate)": (
        activations.gelu.with_parameters(True),
        lambda x: x / 2 * (1 + np.tanh(GELU * (x + 0.044715 * x**3))),
    ),
    "squareplus(0.3)": (activations.squareplus.with_parameters(0.3), lambda x: (x + np.sqrt(x * x + 0.3)) / 2),
    "soft_shrink(1.1)": (
        activations.soft_shrink.with_parameters(1.1),
        lambda x: np.sign(x) * np.maximum(abs(x) - 1.1, 0),
    ),
    "threshold(0.4, -2)": (activations.threshold.with_parameters(0.4, -2.0), lambda x: np.where(x > 0.4, x, -2.0)),
}


def parameters(activation, dtype):
    return [np.full(1, value, dtype) for value in activation.parameters]


def forward(activation, x):
    y = np.full(activation.output_shape(x.shape), 7, x.dtype)  # forward writes: what was there must not matter
    flat = (lambda a: a) if activation.rowwise else np.ravel
    activation.forward(flat(y), flat(x), *parameters(activation, x.dtype))
    return y


def backward(activation, dy, x, y):
    dx = np.full(x.shape, 0.5, x.dtype)
    flat = (lambda a: a) if activation.rowwise else np.ravel
    activation.backward(flat(dx), flat(dy), flat(x), flat(y), *parameters(activation, x.dtype))
    return dx - x.dtype.type(0.5)


def inputs(dtype="float64", rows=23, features=18):
    return np.random.default_rng(3).normal(0, 2.5, (rows, features)).astype(dtype)


def test_every_activation_is_tested():
    assert set(FORMULAS) == {activation.name for activation in activations.NAMES.values()}


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-6), ("float64", 1e-14)])
@pytest.mark.parametrize("case", CASES)
def test_forward_matches_numpy(case, dtype, tolerance):
    activation, formula = CASES[case]
    x = inputs(dtype)
    np.testing.assert_allclose(forward(activation, x), formula(x.astype("float64")), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("case", CASES)
def test_gradient_matches_central_differences(case):
    activation, formula = CASES[case]
    x = inputs()
    y = forward(activation, x)
    dy = np.random.default_rng(4).normal(size=y.shape)
    step, dx = 1e-6, backward(activation, dy, x, y)
    for j in range(x.shape[1]):  # rows are independent: one feature of all rows at once
        shift = np.zeros_like(x)
        shift[:, j] = step
        difference = ((formula(x + shift) - formula(x - shift)) * dy).sum(-1) / (2 * step)
        np.testing.assert_allclose(dx[:, j], difference, rtol=1e-6, atol=1e-7)

    single = backward(activation, dy.astype("f4"), x.astype("f4"), y.astype("f4"))
    np.testing.assert_allclose(single, dx, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_bits_of_a_row_do_not_depend_on_other_rows(case, dtype):
    activation = CASES[case][0]
    x = inputs(dtype, rows=61)
    y = forward(activation, x)
    dy = (y * y.dtype.type(0.3)).astype(dtype)
    dx = backward(activation, dy, x, y)
    for rows in (slice(0, 1), slice(1, 2), slice(3, 20), slice(7, 61), slice(5, 5)):
        part = forward(activation, x[rows].copy())
        assert part.tobytes() == y[rows].tobytes()
        assert backward(activation, dy[rows].copy(), x[rows].copy(), part).tobytes() == dx[rows].tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_nan_comes_out_where_it_went_in(case, dtype):
    activation = CASES[case][0]
    x = inputs(dtype)
    x[3, 5] = np.nan
    missing = np.isnan(forward(activation, x))
    assert missing[3, 5]
    assert missing[3].all() or not activation.rowwise or activation.name == "glu"
    missing[3] = False
    assert not missing.any()


LIMITS = {
    "relu": (0, np.inf),
    "sigmoid": (0, 1),
    "tanh": (-1, 1),
    "hard_sigmoid": (0, 1),
    "relu6": (0, 6),
    "elu": (-1, np.inf),
    "softplus": (0, np.inf),
    "log_sigmoid": (-np.inf, 0),
    "exponential": (0, np.inf),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LIMITS)
def test_infinite_arguments(name, dtype):
    x = np.array([[-np.inf, np.inf]], dtype)
    np.testing.assert_array_equal(forward(activations.get(name), x), [LIMITS[name]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softmax_of_huge_numbers(dtype):
    big = np.finfo(dtype).max / 4
    x = np.array([[big, big, -big], [-big, -np.inf, -big], [0, -np.inf, -big]], dtype)
    np.testing.assert_array_equal(forward(activations.softmax, x), [[0.5, 0.5, 0], [0.5, 0, 0.5], [1, 0, 0]])
    for name in ("softmax", "log_softmax", "sparsemax"):
        assert np.isnan(forward(activations.get(name), np.array([[0, np.inf]], dtype))).all()


def test_sparsemax_of_huge_numbers():
    x = np.array([[1e20, -np.inf, 0], [-1e30, -1e30, -np.inf]], "float32")
    np.testing.assert_array_equal(forward(activations.sparsemax, x), [[1, 0, 0], [0.5, 0.5, 0]])


@pytest.mark.parametrize("case", ["mish", "silu", "gelu", "gelu(approximate)", "softplus", "tanh_shrink", "elu"])
def test_gradient_of_large_arguments_is_finite(case):
    activation = CASES[case][0]
    x = np.array([[-1e30, -200, -90, 90, 200, 1e30]], "float32")
    dx = backward(activation, np.ones_like(x), x, forward(activation, x))
    np.testing.assert_allclose(dx[0, 3:], 1, rtol=1e-6)
    np.testing.assert_allclose(dx[0, :3], 1 if case == "tanh_shrink" else 0, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_plain_python_runs_the_same_kernels(case):
    activation = CASES[case][0]
    x = inputs("float32", rows=2, features=4)
    y = forward(activation, x)
    plain = [getattr(kernel, "py_func", kernel) for kernel in (activation.forward, activation.backward)]
    z, dx, flat = np.empty_like(y), np.zeros_like(x), (lambda a: a) if activation.rowwise else np.ravel
    plain[0](flat(z), flat(x), *parameters(activation, x.dtype))
    plain[1](flat(dx), flat(y), flat(x), flat(y), *parameters(activation, x.dtype))
    np.testing.assert_allclose(z, y, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(dx, backward(activation, y, x, y), rtol=1e-5, atol=1e-6)

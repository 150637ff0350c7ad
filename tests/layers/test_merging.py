"""Merging layers: gradients, equal runners, NumPy's and Keras' values, broadcasting, and a residual model."""

from functools import reduce

import numpy as np
import pytest

import dseq as keras
from dseq.kernels.base import JIT
from dseq.layers.merging.add import Add, add
from dseq.layers.merging.average import Average, average
from dseq.layers.merging.concatenate import Concatenate, concatenate
from dseq.layers.merging.dot import Dot, dot
from dseq.layers.merging.maximum import Maximum, maximum
from dseq.layers.merging.minimum import Minimum, minimum
from dseq.layers.merging.multiply import Multiply, multiply
from dseq.layers.merging.subtract import Subtract, subtract
from dseq.testing import LayerHarness

ELEMENTWISE = {
    Add: lambda *xs: reduce(np.add, xs),
    Subtract: np.subtract,
    Multiply: lambda *xs: reduce(np.multiply, xs),
    Average: lambda *xs: reduce(np.add, xs) / len(xs),
    Maximum: lambda *xs: reduce(np.maximum, xs),
    Minimum: lambda *xs: reduce(np.minimum, xs),
}
SHAPES = {
    "equal": [(3, 4), (3, 4)],
    "scalars": [(), ()],
    "three": [(5,), (5,), (5,)],
    "four": [(2, 3), (2, 3), (2, 3), (2, 3)],
    "last_axis": [(2, 3, 4), (4,)],
    "first_axes": [(2, 3, 4), (2, 1, 1)],
    "middle": [(2, 1, 4), (2, 3, 1)],
    "ranks": [(4,), (3, 1), (2, 1, 1)],
    "ones": [(1, 3), (3,)],
    "scalar": [(3, 2), (), (3, 2)],
}


def aligned(x, rank):
    """An array with axes of 1 put behind the first until it has `rank` of them."""
    return x.reshape(x.shape[:1] + (1,) * (rank - x.ndim) + x.shape[1:])


def elementwise(kind, *xs):
    rank = max(x.ndim for x in xs)
    return ELEMENTWISE[kind](*(aligned(x, rank) for x in xs))


def numpy_concatenate(axis):
    return lambda *xs: np.concatenate(xs, axis)


def numpy_dot(axes, normalize=False):
    def compute(x, y):
        a, b = (axis % v.ndim for axis, v in zip(axes, (x, y), strict=True))
        if normalize:
            x = x / np.linalg.norm(x, axis=a, keepdims=True)
            y = y / np.linalg.norm(y, axis=b, keepdims=True)
        rows = [np.tensordot(p, q, (a - 1, b - 1)) for p, q in zip(x, y, strict=True)]
        return np.array(rows).reshape(len(x), *(np.shape(rows[0]) or (1,))) if rows else None

    return compute


CASES = {
    f"{kind.__name__}-{name}": (kind, lambda *xs, kind=kind: elementwise(kind, *xs), shapes)
    for kind in ELEMENTWISE
    for name, shapes in SHAPES.items()
    if kind is not Subtract or len(shapes) == 2
}
for axis, shapes in [
    (-1, [(3,), (2,)]),
    (1, [(3,), (2,), (1,)]),
    (-1, [(2, 3), (2, 1), (2, 4)]),
    (1, [(2, 3), (4, 3)]),
    (2, [(2, 3, 4), (2, 1, 4)]),
    (-3, [(2, 3, 4), (1, 3, 4)]),
]:
    make = lambda axis=axis, **k: Concatenate(axis, **k)  # noqa: E731
    CASES[f"Concatenate-{axis}-{shapes[0]}-{shapes[1]}"] = make, numpy_concatenate(axis), shapes
for axes, shapes in [
    ((1, 1), [(5,), (5,)]),
    ((-1, -1), [(5,), (4, 5)]),
    ((1, 1), [(5,), (5, 4)]),
    ((2, 1), [(3, 5), (5,)]),
    ((2, 1), [(3, 5), (5, 4)]),
    ((2, 2), [(3, 5), (4, 5)]),
    ((1, 1), [(5, 3), (5, 4)]),
    ((1, 2), [(5, 3), (4, 5)]),
    ((2, 3), [(2, 5, 3), (2, 2, 5)]),
    ((3, 2), [(2, 3, 5), (4, 5, 2)]),
]:
    for normalize in (False, True):
        make = lambda axes=axes, normalize=normalize, **k: Dot(axes, normalize, **k)  # noqa: E731
        case = f"Dot-{axes}-{shapes[0]}-{shapes[1]}{'-normalized' if normalize else ''}"
        CASES[case] = make, numpy_dot(axes, normalize), shapes
each_case = pytest.mark.parametrize("case", CASES)


def harness(case, dtype="float64", **options):
    make, _, shapes = CASES[case]
    return LayerHarness(make(dtype=dtype), *shapes, **options)


def gradients(run):
    return [run.array(operand.grad).copy() for operand in run.inputs]


@each_case
def test_forward_and_gradients(case):
    run = harness(case)
    inputs = [run.array(operand) for operand in run.inputs]
    expected = CASES[case][1](*inputs)
    np.testing.assert_allclose(run.forward(), expected, rtol=1e-13, atol=1e-14)
    shape = run.layer.compute_output_shape(*((None, *x.shape[1:]) for x in inputs))
    assert shape == (None, *expected.shape[1:]) == run.layer.output.shape
    run.check_gradients()

    y = run.forward()
    run.backward(np.cos(y))
    once = gradients(run)
    run.repeat_backward()
    for twice, gradient in zip(gradients(run), once, strict=True):
        np.testing.assert_allclose(twice, 2 * gradient, rtol=1e-12, atol=1e-14)


@each_case
def test_runners(case):
    results = {}
    for runner in ("table", "calls", "python"):
        run = harness(case, runner=runner, rows=5)
        y = run.forward()
        run.backward(np.cos(y))
        results[runner] = [y, *gradients(run)]
    for table, calls, python in zip(*results.values(), strict=True):
        np.testing.assert_array_equal(table, calls)
        np.testing.assert_allclose(table, python, rtol=1e-12, atol=1e-13)


@pytest.mark.skipif(not JIT, reason="the plain twin of the matrix kernel is BLAS, which does not keep a row's bits")
@pytest.mark.parametrize("case", [c for c in CASES if "equal" not in c])
def test_rows_do_not_depend_on_each_other(case):
    run = harness(case, "float32", rows=37)
    inputs, whole = [run.array(operand).copy() for operand in run.inputs], run.forward()
    run.backward(np.cos(whole))
    all_gradients = gradients(run)
    for first, last in ((3, 20), (36, 37), (5, 5)):
        run.resize(last - first)
        for operand, x in zip(run.inputs, inputs, strict=True):
            run.array(operand)[...] = x[first:last]
        y = run.forward()
        np.testing.assert_array_equal(y, whole[first:last])
        run.backward(np.cos(whole)[first:last])
        for part, gradient in zip(gradients(run), all_gradients, strict=True):
            np.testing.assert_array_equal(part, gradient[first:last])


# (2, 3) and so on of sin(1), sin(2), ..., the second input of sin(50), sin(51), ...; values of Keras 3.15 in float32.
KERAS_DOTS = [
    (1, (2, 3), (2, 3), False, [0.52788973, 0.51554632]),
    (1, (2, 3), (2, 3), True, [0.34665352, 0.33949193]),
    (
        -1,
        (2, 3),
        (2, 4, 3),
        False,
        [0.52788973, -0.31603137, 0.09784764, 0.12229447, 0.14186281, -0.36123994, 0.57338677, -0.77405739],
    ),
    (
        (2, 1),
        (2, 2, 3),
        (2, 3, 2),
        False,
        [0.5975008, 0.78290665, -0.59140092, -0.60754633, 0.51403666, 0.51836133, -0.54557508, -0.35562196],
    ),
    (
        (1, 2),
        (2, 3, 2),
        (2, 2, 3),
        False,
        [-1.07229924, 1.21299267, -1.02148688, 1.06225383, -1.15576339, 1.25881863, -1.28603232, 1.31417799],
    ),
    (
        2,
        (2, 2, 3),
        (2, 2, 3),
        True,
        [0.34665352, -0.20914756, -0.4703387, 0.33949193, 0.3292402, -0.18707411, -0.4524307, 0.31662861],
    ),
    (
        (1, 2),
        (2, 3, 2),
        (2, 2, 3),
        True,
        [-0.68405515, 0.77983636, -0.68807977, 0.72111481, -0.75896150, 0.83133417, -0.85491353, 0.87858987],
    ),
    ((2, 1), (1, 2, 3, 2), (1, 3), False, [-1.07229924, -1.02148688, -0.88278085, -1.15359926]),
    (
        (-2, -1),
        (1, 2, 3, 2),
        (1, 2, 3),
        True,
        [-0.68405515, 0.77983636, -0.68807977, 0.72111481, -0.57119811, 0.67137051, -0.75562847, 0.81336564],
    ),
]


@pytest.mark.parametrize("axes, first, second, normalize, values", KERAS_DOTS)
def test_dot_has_keras_values(axes, first, second, normalize, values):
    x = np.sin(np.arange(np.prod(first)) + 1.0).reshape(first)
    y = np.sin(np.arange(np.prod(second)) + 50.0).reshape(second)
    z = dot([x, y], axes, normalize=normalize)
    assert z.dtype == np.float32
    np.testing.assert_allclose(z.ravel(), values, rtol=2e-5, atol=1e-6)


def test_dot_of_short_vectors_does_not_divide_by_zero():
    """Below epsilon a vector is divided by epsilon, and so is its gradient."""
    run = LayerHarness(Dot(1, normalize=True, dtype="float64"), (3,), (3,), rows=2)
    for operand, values in zip(run.inputs, ([[0, 0, 0], [3e-9, 0, 4e-9]], [[1, 1, 1], [1, 0, 0]]), strict=True):
        run.array(operand)[...] = values
    np.testing.assert_allclose(run.forward(), [[0], [0.03]], rtol=1e-12)
    run.backward(1)
    np.testing.assert_allclose(gradients(run)[0], [[1e7 / np.sqrt(3)] * 3, [1e7, 0, 0]], rtol=1e-12)
    np.testing.assert_allclose(gradients(run)[1], [[0, 0, 0], [0, 0, 0.04]], rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize(
    "layer, y, grads",
    [
        (Maximum, [1, 3, 3], [[0.25, 0, 50], [0.25, 5, 0], [0.5, 5, 50]]),
        (Minimum, [1, 2, 2], [[0.25, 10, 0], [0.25, 0, 100], [0.5, 0, 0]]),
    ],
)
def test_equal_values_share_the_gradient_as_in_keras(layer, y, grads):
    run = LayerHarness(layer(dtype="float64"), (4,), (4,), (4,), rows=1)
    for operand, values in zip(run.inputs, ([1, 2, 3, np.nan], [1, 3, 2, 1], [1, 3, 3, 1]), strict=True):
        run.array(operand)[...] = values
    np.testing.assert_array_equal(run.forward(), [[*y, np.nan]])
    run.backward([[1, 10, 100, 1000]])
    np.testing.assert_array_equal(gradients(run), [[[*g, 0]] for g in grads])


def test_extremes_of_nan_are_nan_on_either_side():
    nan, one = np.full((1, 1), np.nan), np.ones((1, 1))
    for merge in (maximum, minimum):
        assert np.isnan(merge([nan, one])) and np.isnan(merge([one, nan]))


def test_functions():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 5, 3)).astype("float32")
    pairs = {add: x + y, subtract: x - y, multiply: x * y, average: (x + y) / 2}
    pairs |= {maximum: np.maximum(x, y), minimum: np.minimum(x, y), concatenate: np.concatenate([x, y], -1)}
    for function, expected in pairs.items():
        np.testing.assert_array_equal(function([x, y], name="given"), expected)
        symbolic = function([keras.Input((3,)), keras.Input((3,))], name="given")
        assert symbolic.shape == (None, *expected.shape[1:]) and symbolic.node.layer.name == "given"
    np.testing.assert_allclose(dot([x, y]), (x * y).sum(-1, keepdims=True), rtol=1e-6)
    np.testing.assert_array_equal(add([x.tolist(), y.tolist()]), x + y)


def test_one_input_passes():
    x = np.arange(6, dtype="float32").reshape(2, 3)
    for layer in (Add(), Multiply(), Average(), Maximum(), Minimum(), Concatenate()):
        np.testing.assert_array_equal(layer([x]), x)


@pytest.mark.parametrize(
    "merge, slope",
    [
        (add, lambda x: 2 + 0 * x),
        (subtract, lambda x: 0 * x),
        (multiply, lambda x: 2 * x),
        (average, lambda x: 1 + 0 * x),
        (maximum, lambda x: 1 + 0 * x),
        (lambda xs, **k: concatenate(xs, 1, **k), lambda x: 2 + 0 * x),
        (lambda xs, **k: dot(xs, 1, **k), lambda x: 2 * x),
        (lambda xs, **k: add([*xs, xs[0]], **k), lambda x: 3 + 0 * x),
    ],
)
def test_a_tensor_given_twice_gets_both_gradients(merge, slope):
    x = keras.Input((4,), dtype="float64")
    model = keras.Model(x, merge([x, x], dtype="float64"))
    run = LayerHarness(model, (4,))
    y = run.forward()
    run.backward(np.ones_like(y))
    np.testing.assert_allclose(gradients(run)[0], slope(run.array(run.inputs[0])), rtol=1e-14)


def test_shapes_with_unknown_sizes():
    assert Add().compute_output_shape((None, None, 4), (None, 3, 1)) == (None, None, 4)
    assert Add().compute_output_shape([(2, 3, 4), (None, 4)]) == (2, 3, 4)
    assert Concatenate(1).compute_output_shape((None, None, 4), (None, 3, 4)) == (None, None, 4)
    assert Dot((-1, -1)).compute_output_shape([(2, 3, 4), (2, 5, 4)]) == (2, 3, 5)
    x = keras.Input((None, 4))
    model = keras.Model(x, concatenate([x, x], axis=1))
    assert model.output_shape == (None, None, 4)
    assert model(np.ones((2, 3, 4))).shape == (2, 6, 4) and model(np.ones((2, 5, 4))).shape == (2, 10, 4)


@pytest.mark.parametrize("make", [Add, lambda **k: Concatenate(2, **k), lambda **k: Dot((1, 2), True, **k)])
def test_config_round_trip(make):
    layer = make(name="some_name")
    config = layer.get_config()
    again = type(layer).from_config(config)
    assert again.get_config() == config and again.name == "some_name"
    xs = np.random.default_rng(0).standard_normal((2, 3, 4, 4))
    np.testing.assert_array_equal(again(list(xs)), layer(list(xs)))


def test_a_residual_model_trains_as_numpy_does():
    """x + gate * (dense(x)), joined with x: three steps of gradient descent in float64 against the formulas."""
    keras.backend.clear_session(free_memory=False)
    keras.backend.set_floatx("float64")
    try:
        rng = np.random.default_rng(0)
        x = keras.Input((5,))
        gate = keras.layers.Dense(1, "sigmoid", name="gate")(x)
        branch = multiply([keras.layers.Dense(5, "tanh", name="branch")(x), gate])
        joined = concatenate([add([x, branch]), x])
        model = keras.Model(x, keras.layers.Dense(1, name="head")(joined))
        model.compile(keras.optimizers.SGD(0.1), "mse")
        weights = {
            layer.name: [rng.standard_normal(w.shape) for w in layer.get_weights()]
            for layer in model.layers
            if layer.weights
        }
        for name, values in weights.items():
            model.get_layer(name).set_weights(values)
        data, target = rng.standard_normal((8, 5)), rng.standard_normal((8, 1))
        for _ in range(3):
            loss = model.train_on_batch(data, target)
            (wg, bg), (wb, bb), (wh, bh) = (weights[name] for name in ("gate", "branch", "head"))
            g, b = 1 / (1 + np.exp(-(data @ wg + bg))), np.tanh(data @ wb + bb)
            h = np.concatenate([data + b * g, data], 1)
            y = h @ wh + bh
            np.testing.assert_allclose(loss, ((y - target) ** 2).mean(), rtol=1e-12)
            dy = 2 * (y - target) / len(data)
            dm = (dy @ wh.T)[:, :5]
            db, dg = dm * g * (1 - b**2), (dm * b).sum(1, keepdims=True) * g * (1 - g)
            for name, v, d in (("gate", data, dg), ("branch", data, db), ("head", h, dy)):
                w, bias = weights[name]
                weights[name] = [w - 0.1 * v.T @ d, bias - 0.1 * d.sum(0)]
                for own, expected in zip(model.get_layer(name).get_weights(), weights[name], strict=True):
                    np.testing.assert_allclose(own, expected, rtol=1e-11, atol=1e-13)
    finally:
        keras.backend.set_floatx("float32")

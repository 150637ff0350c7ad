"""Activations by name, applied to arrays, kept in configs and written into plans."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import dseq
from dseq import activations
from dseq.kernels import rectifier
from dseq.program.plan import Plan

X = np.array([-4, -3, -1, -0.5, 0, 0.5, 1, 3, 4])
# Computed by Keras 3.15.1.
KERAS = {
    "gelu": "-.000127 -.00405 -.158655 -.154269 0 .345731 .841345 2.995950 3.999874",
    "hard_sigmoid": "0 0 .333333 .416667 .5 .583333 .666667 1 1",
    "mish": "-.072592 -.145647 -.303401 -.220744 0 .375245 .865098 2.986536 3.997413",
    "silu": "-.071945 -.142278 -.268941 -.18877 0 .31123 .731059 2.857722 3.928055",
    "selu": "-1.725899 -1.670569 -1.111331 -.691758 0 .52535 1.050701 3.152103 4.202804",
}
KERAS_GELU_APPROXIMATE = "-.00007 -.003637 -.158808 -.154286 0 .345714 .841192 2.996363 3.99993"


def numbers(text):
    return [float(word) for word in text.split()]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", KERAS)
def test_values_of_keras(name, dtype):
    y = activations.get(name)(X.astype(dtype))
    assert y.dtype == dtype
    np.testing.assert_allclose(y, numbers(KERAS[name]), atol=1.1e-6)


def test_arguments_of_keras():
    np.testing.assert_allclose(activations.gelu(X, approximate=True), numbers(KERAS_GELU_APPROXIMATE), atol=1.1e-6)
    x = np.array([-10, -5, 0.0, 5, 10])
    np.testing.assert_allclose(activations.relu(x, negative_slope=0.5), [-5, -2.5, 0, 5, 10])
    np.testing.assert_allclose(activations.relu(x, max_value=5), [0, 0, 0, 5, 5])
    np.testing.assert_allclose(activations.relu(x, threshold=5), [0, 0, 0, 0, 10])
    np.testing.assert_allclose(activations.leaky_relu(x, 0.3), [-3, -1.5, 0, 5, 10])
    np.testing.assert_allclose(activations.elu(x[:1], 2.0), [2 * np.expm1(-10)])
    np.testing.assert_allclose(activations.threshold(x, 0.0, -1.0), [-1, -1, -1, 5, 10])
    with pytest.raises(TypeError, match="slope"):
        activations.relu(x, slope=1)


def test_arrays_in_and_out():
    assert activations.relu([[-1, 2]]).tolist() == [[0, 2]]
    assert activations.relu([[-1, 2]]).dtype == np.float32
    assert activations.sigmoid(0.0).shape == ()
    assert activations.linear(np.ones(3)).tolist() == [1, 1, 1]
    x = np.random.default_rng(0).normal(size=(4, 3, 5))
    np.testing.assert_array_equal(activations.tanh(x[:, ::2].T), activations.tanh(x)[:, ::2].T)
    frozen = np.broadcast_to(np.float32(-1), (2, 2))
    assert not activations.relu(frozen).any()
    assert activations.softmax(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
def test_softmax_along_any_axis(axis):
    x = np.random.default_rng(0).normal(size=(4, 3, 5))
    e = np.exp(x)
    np.testing.assert_allclose(activations.softmax(x, axis=axis), e / e.sum(axis, keepdims=True), rtol=1e-13)


def test_glu_halves_an_axis():
    x = np.arange(8.0).reshape(2, 4)
    np.testing.assert_allclose(activations.glu(x), x[:, :2] / (1 + np.exp(-x[:, 2:])))
    np.testing.assert_allclose(activations.glu(x, axis=0), x[:1] / (1 + np.exp(-x[1:])))
    with pytest.raises(ValueError, match="even size"):
        activations.glu(np.zeros((2, 3)))


def test_names():
    assert activations.get(None) is activations.linear
    assert activations.get("relu") is activations.get(activations.relu) is activations.relu
    assert activations.get("swish") is activations.swish is activations.silu
    assert activations.get("hard_swish") is activations.hard_silu
    assert activations.relu.__name__ == "relu"
    assert activations.relu.forward is rectifier.relu_forward


@pytest.mark.parametrize("identifier", ["nope", 3, {"class_name": "nope", "config": {}}])
def test_unknown_names(identifier):
    with pytest.raises(ValueError, match="Could not interpret activation function identifier: .*sigmoid"):
        activations.get(identifier)


def test_a_python_function_cannot_be_an_activation():
    with pytest.raises(ValueError, match="can't be part of a compiled step"):
        activations.get(lambda x: x)


@pytest.mark.parametrize("name", sorted(activations.NAMES))
def test_config_round_trip(name):
    activation = activations.get(name)
    assert activations.serialize(activation) == activation.name
    assert activations.deserialize(activations.serialize(activation)) is activation


def test_config_of_changed_options():
    activation = activations.leaky_relu.with_parameters(negative_slope=0.3)
    for copy in (activations.get(activations.serialize(activation)), pickle.loads(pickle.dumps(activation))):
        assert copy.name == "leaky_relu"
        assert copy.parameters == (0.3, np.inf, 0.0)


def test_config_found_in_keras_files():
    config = {"module": "builtins", "class_name": "function", "config": "relu", "registered_name": "function"}
    assert activations.get(config) is activations.relu


def plan_of(activation, shape):
    plan = Plan(training=True)
    x = plan.input("x", shape)
    return plan, x, activations.lower(plan, activation, x)


def test_plan_of_an_elementwise_activation():
    plan, x, y = plan_of(activations.leaky_relu, (4, 3))
    assert y.shape == (4, 3)
    kernel, (out, source, slope, *_) = plan.forward_calls[0]
    assert kernel is rectifier.relu_general_forward
    assert (out.block, source.block) == (y, x)
    assert (out.shape, out.size) == ((), 12)
    assert slope.array.tolist() == [np.float32(0.2)]


def test_plan_of_a_rowwise_activation():
    plan, _, y = plan_of(activations.softmax, (4, 3))
    out = plan.forward_calls[0][1][0]
    assert (out.shape, out.rows_per_sample) == ((3,), 4)
    assert y.shape == (4, 3)
    assert plan_of(activations.glu, (4, 6))[2].shape == (4, 3)


@pytest.mark.parametrize("activation", [None, activations.linear])
def test_plan_of_no_activation(activation):
    plan, x, y = plan_of(activation, (4,))
    assert y is x
    assert not plan.forward_calls


def test_plan_goes_along_the_last_axis_only():
    plan_of(activations.softmax.with_parameters(axis=2), (4, 3))
    with pytest.raises(ValueError, match="last axis"):
        plan_of(activations.softmax.with_parameters(axis=1), (4, 3))


SCRIPT = """
import sys, numpy as np
from dseq import activations
x = np.random.default_rng(0).normal(0, 3, (5, 6)).astype(sys.argv[1])
out = {}
for name, activation in activations.NAMES.items():
    y = out[name] = activation(x)
    if activation.backward is not None:
        dx = out["d " + name] = np.zeros_like(x)
        view = (lambda a: a) if activation.rowwise else np.ravel
        parameters = [np.full(1, p, x.dtype) for p in activation.parameters]
        activation.backward(view(dx), view(np.ones_like(y)), view(x), view(y), *parameters)
np.savez(sys.argv[2], **out)
"""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_without_the_compiler(tmp_path, dtype):
    results = []
    for disabled in "01":
        path = tmp_path / f"{disabled}.npz"
        environment = {**os.environ, "NUMBA_DISABLE_JIT": disabled, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-W", "error", "-c", SCRIPT, dtype, str(path)]
        subprocess.run(command, check=True, env=environment)
        results.append(np.load(path))
    compiled, plain = results
    tolerance = 64 * np.finfo(dtype).eps
    for name in compiled:
        assert compiled[name].dtype == plain[name].dtype == dtype
        np.testing.assert_allclose(plain[name], compiled[name], rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("name", ["relu", "exponential", "softmax", "glu", "linear", "leaky_relu"])
def test_functions_take_symbolic_tensors(name):
    function = getattr(activations, name)
    x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    inputs = dseq.Input((4,))
    model = dseq.Model(inputs, function(dseq.layers.Rescaling(2.0)(inputs)))
    np.testing.assert_allclose(model.predict(x, verbose=0), function(2 * x), rtol=1e-6)


def test_options_of_functions_of_symbolic_tensors():
    inputs = dseq.Input((3,))
    model = dseq.Model(inputs, activations.relu(inputs, negative_slope=0.5, max_value=1.0))
    np.testing.assert_allclose(model.predict(np.float32([[-2, 0.5, 3]]), verbose=0), [[-1, 0.5, 1]])

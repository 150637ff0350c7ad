"""What every layer owes: gradients, equal runners, any number of rows, backward that adds, a config round trip."""

import numpy as np
import pytest

from dseq import layers
from dseq.kernels.base import JIT
from dseq.testing import LayerHarness

CASES = {
    "dense": (lambda **k: layers.Dense(4, **k), (5,)),
    "dense_no_bias": (lambda **k: layers.Dense(4, "tanh", use_bias=False, **k), (5,)),
    "dense_3d": (lambda **k: layers.Dense(4, "sigmoid", **k), (3, 5)),
    "dense_softmax": (lambda **k: layers.Dense(4, "softmax", **k), (5,)),
    "activation": (lambda **k: layers.Activation("gelu", **k), (5,)),
    "depthwise_conv": (lambda **k: layers.DepthwiseConv1D(3, depth_multiplier=2, activation="relu", **k), (7, 3)),
    "separable_conv": (lambda **k: layers.SeparableConv2D(4, 3, padding="same", activation="relu6", **k), (4, 5, 3)),
    "conv_transpose": (lambda **k: layers.Conv2DTranspose(4, 3, strides=2, padding="same", **k), (3, 2, 3)),
    "conv_transpose_valid": (lambda **k: layers.Conv1DTranspose(4, 3, strides=2, **k), (5, 3)),
    "flatten": (lambda **k: layers.Flatten(**k), (2, 3)),
    "reshape": (lambda **k: layers.Reshape((3, -1), **k), (2, 6)),
    "permute": (lambda **k: layers.Permute((3, 1, 2), **k), (2, 3, 4)),
    "repeat_vector": (lambda **k: layers.RepeatVector(3, **k), (5,)),
    "dropout": (lambda **k: layers.Dropout(0.4, **k), (7,)),
    "dropout_noise_shape": (lambda **k: layers.Dropout(0.4, noise_shape=(None, 1, 4), **k), (3, 4)),
    "relu": (lambda **k: layers.ReLU(**k), (5,)),
    "relu_general": (lambda **k: layers.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.2, **k), (5,)),
    "leaky_relu": (lambda **k: layers.LeakyReLU(**k), (5,)),
    "elu": (lambda **k: layers.ELU(0.7, **k), (5,)),
    "softmax": (lambda **k: layers.Softmax(**k), (5,)),
    "softmax_axis": (lambda **k: layers.Softmax(axis=1, **k), (3, 4)),
    "prelu": (lambda **k: layers.PReLU(**k), (3, 4)),
    "prelu_shared": (lambda **k: layers.PReLU(shared_axes=[1], **k), (3, 4)),
    "identity": (lambda **k: layers.Identity(**k), (5,)),
    "rescaling": (lambda **k: layers.Rescaling(0.5, 1.0, **k), (5,)),
}
each_layer = pytest.mark.parametrize("case", CASES)


def harness(case, dtype="float64", **options):
    make, shape = CASES[case]
    return LayerHarness(make(dtype=dtype), shape, **options)


@each_layer
@pytest.mark.parametrize("overwrites", [False, True])
def test_gradients(case, overwrites):
    harness(case, overwrites=overwrites).check_gradients()


@each_layer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_runners_give_the_same_bits(case, dtype):
    results = []
    for runner in ("table", "calls"):
        run = harness(case, dtype, runner=runner, rows=5)
        y = run.forward()
        run.backward(np.ones_like(y))
        results.append((y, run.array(run.inputs[0].grad).copy(), run.parameters.grads.copy()))
    for table, calls in zip(*results, strict=True):
        np.testing.assert_array_equal(table, calls)


@each_layer
def test_plain_python_agrees(case):
    results = []
    for runner in ("table", "python"):
        run = harness(case, runner=runner)
        y = run.forward()
        run.backward(np.ones_like(y))
        results.append((y, run.array(run.inputs[0].grad).copy(), run.parameters.grads.copy()))
    for table, python in zip(*results, strict=True):
        np.testing.assert_allclose(table, python, rtol=1e-12, atol=1e-13)


@pytest.mark.skipif(not JIT, reason="the plain twin of the matrix kernel is BLAS, which does not keep a row's bits")
@each_layer
def test_rows_do_not_depend_on_each_other(case):
    run = harness(case, "float32", rows=37)
    x, whole = run.array(run.inputs[0]).copy(), run.forward()
    for first, last in ((0, 1), (3, 20), (30, 37), (5, 5)):
        run.resize(last - first)
        run.array(run.inputs[0])[...] = x[first:last]
        run.step.clock[2] = first
        np.testing.assert_array_equal(run.forward(), whole[first:last])


@each_layer
def test_backward_adds(case):
    run = harness(case)
    y = run.forward()
    run.backward(np.ones_like(y))
    if run.outputs[0].block is run.inputs[0]:
        return  # a reshaped input: its gradient is the output's, there is nothing to add
    once = run.array(run.inputs[0].grad).copy(), run.parameters.grads.copy()
    run.repeat_backward()
    np.testing.assert_allclose(run.array(run.inputs[0].grad), 2 * once[0], rtol=1e-12)
    np.testing.assert_allclose(run.parameters.grads, 2 * once[1], rtol=1e-12)


@each_layer
def test_zero_rows(case):
    run = harness(case, rows=0)
    y = run.forward()
    assert len(y) == 0 and y.shape[1:] == run.outputs[0].shape
    run.backward(y)
    assert not run.parameters.grads.any()


@each_layer
def test_config_round_trip(case):
    make, shape = CASES[case]
    layer = make(name="some_name")
    config = layer.get_config()
    again = type(layer).from_config(config)
    assert again.get_config() == config and again.name == "some_name"
    x = np.random.default_rng(0).standard_normal((2, *shape)).astype("float32")
    y = layer(x)
    assert again(x).shape == y.shape == (2, *layer.compute_output_shape((2, *shape))[1:])
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x), y)


@each_layer
def test_building_twice_makes_the_weights_once(case):
    make, shape = CASES[case]
    layer = make()
    layer.build((None, *shape))
    weights = layer.weights
    layer.build((None, *shape))
    layer(np.zeros((2, *shape), "float32"))
    assert layer.built and list(map(id, layer.weights)) == list(map(id, weights))

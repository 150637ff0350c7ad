"""TimeDistributed runs all steps at once: values, gradients, shapes, names, Dropout per step."""

import numpy as np
import pytest

import dseq as keras
from dseq import layers
from dseq.testing import LayerHarness


def test_keras_own_value():
    dense = layers.Dense(1, kernel_initializer=keras.initializers.Constant(0.01), use_bias=False)
    y = layers.TimeDistributed(dense)(np.arange(24).reshape(3, 2, 4).astype("float32"))
    np.testing.assert_allclose(y, [[[0.06], [0.22]], [[0.38], [0.54]], [[0.7], [0.86]]], rtol=1e-6)


@pytest.mark.parametrize(
    "inner",
    [
        lambda: layers.Dense(3, activation="softmax", dtype="float64"),
        lambda: keras.Sequential(
            [
                layers.Dense(6, activation="tanh", dtype="float64"),
                layers.Reshape((2, 3), dtype="float64"),
                layers.Permute((2, 1), dtype="float64"),
                layers.Flatten(dtype="float64"),
            ]
        ),
        lambda: layers.PReLU(alpha_initializer="ones", dtype="float64"),
        lambda: layers.TimeDistributed(layers.Dense(2, dtype="float64"), dtype="float64"),
    ],
    ids=["dense", "model", "prelu", "nested"],
)
def test_gradients(inner):
    layer = inner()
    if isinstance(layer, keras.Sequential):
        layer.dtype = "float64"
    shape = (3, 2, 4) if isinstance(layer, layers.TimeDistributed) else (3, 4)
    LayerHarness(layers.TimeDistributed(layer, dtype="float64"), shape).check_gradients()


def test_every_step_is_what_the_layer_makes_of_it_alone():
    inner = keras.Sequential([keras.Input((4, 2)), layers.Flatten(), layers.Dense(3, activation="relu")])
    x = np.random.default_rng(0).normal(size=(5, 6, 4, 2)).astype("float32")
    expected = np.stack([inner(x[:, t]) for t in range(6)], axis=1)
    np.testing.assert_allclose(layers.TimeDistributed(inner)(x), expected, rtol=1e-6)


def test_dropout_drops_anew_in_each_step_and_backward_drops_the_same():
    harness = LayerHarness(layers.TimeDistributed(layers.Dropout(0.5)), (40, 30), rows=2)
    harness.array(harness.inputs[0])[...] = 1
    y = harness.forward()
    assert 0.45 < (y == 0).mean() < 0.55
    assert all((y[0, 0] == 0).tolist() != (y[0, t] == 0).tolist() for t in range(1, 40))
    harness.backward(np.ones_like(y))
    np.testing.assert_array_equal(harness.array(harness.inputs[0].grad), y)


def test_noise_shape_is_per_step():
    harness = LayerHarness(layers.TimeDistributed(layers.Dropout(0.5, noise_shape=(None, 1, 5))), (50, 3, 5), rows=2)
    harness.array(harness.inputs[0])[...] = 1
    y = harness.forward()
    assert (y == y[:, :, :1]).all()
    assert 0.3 < (y == 0).mean() < 0.7
    assert len({row.tobytes() for row in y.reshape(100, -1)}) > 10


def test_weights_have_the_names_and_the_model_its_parameters():
    model = keras.Sequential(
        [keras.Input((7, 4)), layers.TimeDistributed(layers.Dense(3, name="d"), name="td")], name="m"
    )
    assert [v.path for v in model.weights] == ["m/td/d/kernel", "m/td/d/bias"]
    assert model.count_params() == 15 and model.output_shape == (None, 7, 3)


@pytest.mark.parametrize(
    "use, message",
    [
        (lambda: layers.TimeDistributed(layers.Dense(2))(keras.Input((4,))), "at least 3 dimensions"),
        (lambda: layers.TimeDistributed("dense"), "wraps a layer"),
        (
            lambda: layers.TimeDistributed(keras.Sequential([keras.Input((64,)), layers.Dense(2)]))(
                keras.Input((20, 784))
            ),
            "expected axis -1 of input shape to have value 64",
        ),
    ],
)
def test_errors(use, message):
    with pytest.raises(ValueError, match=message):
        use()

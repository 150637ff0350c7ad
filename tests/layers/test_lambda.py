"""Lambda: functions of tensors are compiled with their gradient, functions of arrays are called as they are."""

import numpy as np
import pytest

import dseq as keras
from dseq import layers
from dseq.testing import LayerHarness


def test_layers_inside_a_function_of_tensors():
    double = layers.Lambda(lambda x: layers.add([x, x]))
    np.testing.assert_array_equal(double(np.ones((2, 3), "float32")), 2)
    LayerHarness(layers.Lambda(lambda x: layers.multiply([x, x]), dtype="float64"), (4,)).check_gradients()


def test_a_function_of_arrays_with_its_gradient():
    square = layers.Lambda(np.square, gradient=lambda dy, x: 2 * x * dy, dtype="float64")
    LayerHarness(square, (3, 4)).check_gradients()


def test_a_function_of_several_arrays():
    layer = layers.Lambda(
        lambda xs: xs[0] * xs[1] ** 2, gradient=lambda dy, a, b: [dy * b**2, 2 * dy * a * b], dtype="float64"
    )
    a, b = keras.Input((3,), dtype="float64"), keras.Input((3,), dtype="float64")
    model = keras.Model([a, b], layer([a, b]))
    assert model.output_shape == (None, 3)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    np.testing.assert_allclose(layer([x, y]), x * y**2)


def test_the_output_shape_is_tried_out_or_given():
    assert layers.Lambda(lambda x: np.mean(x, axis=1))(keras.Input((3, 4))).shape == (None, 4)
    given = layers.Lambda(lambda x: np.mean(x, axis=1), output_shape=(4,))
    assert given(keras.Input((None, 4))).shape == (None, 4)
    with pytest.raises(ValueError, match="Specify `output_shape`"):
        layers.Lambda(lambda x: np.mean(x, axis=1))(keras.Input((None, 4)))


def test_arguments():
    power = layers.Lambda(lambda x, exponent: np.power(x, exponent), arguments={"exponent": 3})
    np.testing.assert_allclose(power(np.full((1, 2), 2.0, "float32")), 8)


@pytest.mark.parametrize("runner", [True, False], ids=["table", "calls"])
def test_training_through_it_is_training_without_it(runner):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(20, 4)).astype("float32"), rng.normal(size=(20, 1)).astype("float32")
    found = []
    for middle in (
        layers.Lambda(lambda x: np.maximum(x, 0), gradient=lambda dy, x: dy * (x > 0)),
        layers.ReLU(),
    ):
        model = keras.Sequential([keras.Input((4,)), layers.Dense(5), middle, layers.Dense(1)])
        for i, weight in enumerate(model.weights):
            weight.assign(np.sin(i + np.arange(weight.array.size)).reshape(weight.shape))
        model.compile("sgd", "mse", jit_compile=runner)
        model.fit(x, y, epochs=2, batch_size=8, shuffle=False, verbose=0)
        found.append(model.get_weights())
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_a_gradient_it_predicts_and_says_why_it_cannot_train():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Lambda(np.square), layers.Dense(1)])
    assert model.predict(np.ones((4, 4)), verbose=0).shape == (4, 1)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="Give `gradient=`, or write the function with operators"):
        model.fit(np.ones((4, 4)), np.ones((4, 1)), verbose=0)


@pytest.mark.parametrize(
    "use, message",
    [
        (lambda: layers.Lambda(3), "must be a function"),
        (lambda: layers.Lambda(np.square, gradient=1), "must be a function"),
        (lambda: layers.Lambda(np.sum)(keras.Input((3,))), "must keep the batch axis"),
        (lambda: layers.Lambda(np.mean, output_shape=(3,))(np.ones((2, 3))), "must give an array of shape"),
    ],
)
def test_errors(use, message):
    with pytest.raises(ValueError, match=message):
        use()

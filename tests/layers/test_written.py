"""Layers of one's own: state, composition, losses, and whether they train."""

import numpy as np
import pytest

import dseq as keras
from dseq import layers, ops
from tests.models.zoo import fill, wave

X = wave((8, 5), 1)


@pytest.fixture(autouse=True)
def fresh_names():
    keras.backend.clear_session(free_memory=False)


# "Making new layers and models via subclassing".


class Linear(layers.Layer):
    def __init__(self, units=32, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="random_normal", trainable=True)
        self.b = self.add_weight(shape=(self.units,), initializer="random_normal", trainable=True)

    def call(self, inputs):
        return ops.matmul(inputs, self.w) + self.b


class MLPBlock(layers.Layer):
    def __init__(self):
        super().__init__()
        self.linear_1 = Linear(8)
        self.linear_2 = Linear(8)
        self.linear_3 = Linear(1)

    def call(self, inputs):
        x = ops.relu(self.linear_1(inputs))
        x = ops.relu(self.linear_2(x))
        return self.linear_3(x)


class ActivityRegularizationLayer(layers.Layer):
    def __init__(self, rate=1e-2):
        super().__init__()
        self.rate = rate

    def call(self, inputs):
        self.add_loss(self.rate * ops.mean(inputs))
        return inputs


class OuterLayer(layers.Layer):
    def __init__(self):
        super().__init__()
        self.activity_reg = ActivityRegularizationLayer(1e-2)

    def call(self, inputs):
        return self.activity_reg(inputs)


class CustomDropout(layers.Layer):
    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        self.drop = layers.Dropout(rate)

    def call(self, inputs, training=None):
        return self.drop(inputs, training=training)


def test_the_state_of_a_layer():
    layer = Linear(4)
    assert layer.weights == []
    y = layer(X)
    assert layer.weights == [layer.w, layer.b] and y.shape == (8, 4)
    np.testing.assert_allclose(y, X @ layer.w.numpy() + layer.b.numpy(), rtol=1e-5, atol=1e-6)


def test_layers_are_composed():
    block = MLPBlock()
    y = block(np.ones((3, 64)))
    assert y.shape == (3, 1) and len(block.weights) == len(block.trainable_weights) == 6
    assert [w.path.split("/")[:2] for w in block.weights[::2]] == [
        ["mlp_block", n] for n in ("linear", "linear_1", "linear_2")
    ]


def test_losses_of_a_layer():
    layer = OuterLayer()
    assert len(layer.losses) == 0
    layer(np.zeros((1, 1)))
    assert len(layer.losses) == 1
    layer(X)
    assert len(layer.losses) == 1, "those of the last call"
    assert layer.losses[0] == pytest.approx(1e-2 * X.mean(), rel=1e-4)


def test_losses_of_weights_and_of_activities():
    """0.717232 from Keras 3.15.1."""
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3, activity_regularizer="l2", kernel_regularizer="l1")])
    model.add(layers.Dense(2))
    fill(model).compile("sgd", "mse")
    logs = model.fit(X, wave((8, 2), 1), shuffle=False, batch_size=3, verbose=0).history
    assert logs["loss"][0] == pytest.approx(0.717232, abs=2e-6)


def test_an_added_loss_is_trained():
    """0.480141 from Keras 3.15.1."""
    x = keras.Input((5,))
    model = fill(keras.Model(x, layers.Dense(2)(ActivityRegularizationLayer(0.1)(x))))
    model.compile("sgd", "mse")
    logs = model.fit(X, wave((8, 2), 1), shuffle=False, batch_size=4, verbose=0).history
    assert logs["loss"][0] == pytest.approx(0.480141, abs=2e-6)


@pytest.mark.parametrize("targets", [(), (wave((8, 2), 1),)], ids=["without targets", "with targets"])
def test_an_added_loss_alone_is_trained(targets):
    """Losses of two steps from Keras 3.15.1."""
    x = keras.Input((5,))
    model = fill(keras.Model(x, ActivityRegularizationLayer(0.1)(layers.Dense(2)(x))))
    model.compile("sgd")
    logs = model.fit(X, *targets, verbose=0, shuffle=False, epochs=2).history
    np.testing.assert_allclose(logs["loss"], [0.01184890, 0.01179537], rtol=1e-5)


def test_training_is_handed_down():
    layer = CustomDropout(0.5)
    np.testing.assert_array_equal(layer(X), X)
    np.testing.assert_array_equal(layer(X, training=False), X)
    assert (layer(X, training=True) == 0).any()
    model = keras.Sequential([keras.Input((5,)), layer])
    np.testing.assert_array_equal(model.predict(X, verbose=0), X)
    assert (model(X, training=True) == 0).any()


def test_call_may_ask_whether_it_trains():
    class Doubled(layers.Layer):
        def call(self, x, training=False):
            return x * 2.0 if training else x

    model = keras.Sequential([keras.Input((5,)), Doubled()])
    model.compile("sgd", "mse")
    np.testing.assert_array_equal(model(X), X)
    np.testing.assert_array_equal(model(X, training=True), 2 * X)
    assert model.evaluate(X, X, verbose=0) == 0
    assert model.train_on_batch(X, X) == pytest.approx(np.mean(X**2), rel=1e-5)


# Gradients, and trained results.

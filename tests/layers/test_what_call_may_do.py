"""What a layer's `call` may do besides returning something: losses, metrics, changes of its weights."""

import numpy as np
import pytest

import dseq as keras
from dseq import layers, ops

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3)).astype("float32")
Y = (RNG.random((30, 10)) > 0.5).astype("float32")


class LogisticEndpoint(layers.Layer):
    """The layer of Keras' guide that computes its own loss and accuracy."""

    def __init__(self, name=None):
        super().__init__(name=name)
        self.loss_fn = keras.losses.BinaryCrossentropy(from_logits=True)
        self.accuracy = keras.metrics.BinaryAccuracy(name="accuracy")

    def call(self, logits, targets=None, sample_weight=None):
        if targets is not None:
            self.add_loss(self.loss_fn(targets, logits, sample_weight))
            self.accuracy.update_state(targets, logits, sample_weight)
        return ops.softmax(logits)


def weighted(model):
    for j, weight in enumerate(model.weights):
        weight.assign(np.sin(j + np.arange(weight.array.size)).reshape(weight.shape))
    return model


def test_an_endpoint_trains_like_the_same_loss_in_compile():
    inputs, targets = keras.Input((3,), name="inputs"), keras.Input((10,), name="targets")
    logits = layers.Dense(10)(inputs)
    model = weighted(keras.Model([inputs, targets], LogisticEndpoint(name="predictions")(logits, targets)))
    model.compile(keras.optimizers.SGD(0.5))
    history = model.fit({"inputs": X, "targets": Y}, epochs=2, batch_size=8, shuffle=False, verbose=0).history

    twin = weighted(keras.Sequential([keras.Input((3,)), layers.Dense(10)]))
    loss, accuracy = keras.losses.BinaryCrossentropy(from_logits=True), keras.metrics.BinaryAccuracy(name="accuracy")
    twin.compile(keras.optimizers.SGD(0.5), loss, metrics=[accuracy])
    expected = twin.fit(X, Y, epochs=2, batch_size=8, shuffle=False, verbose=0).history
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(history[name], expected[name], rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], twin.get_weights()[0], rtol=1e-4, atol=1e-6)


def test_sample_weights_as_an_input():
    inputs, targets, weights = keras.Input((3,)), keras.Input((10,)), keras.Input((1,))
    logits = layers.Dense(10)(inputs)
    model = weighted(keras.Model([inputs, targets, weights], LogisticEndpoint()(logits, targets, weights)))
    model.compile("sgd")
    share = RNG.random((30, 1)).astype("float32")
    loss = model.evaluate([X, Y, share], verbose=0)
    twin = weighted(keras.Sequential([keras.Input((3,)), layers.Dense(10)]))
    twin.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
    expected = twin.evaluate(X, Y, sample_weight=share[:, 0], verbose=0)
    np.testing.assert_allclose(loss[0] if isinstance(loss, list) else loss, expected, rtol=1e-5)


def test_a_loss_of_a_model_about_itself():
    class Autoencoder(keras.Model):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = layers.Dense(2), layers.Dense(3)

        def call(self, x):
            decoded = self.decoder(self.encoder(x))
            self.add_loss(ops.mean(keras.losses.mean_squared_error(x, decoded)))
            return decoded

    model = Autoencoder()
    model(X)
    weighted(model)
    twin = keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.Dense(3)])
    weighted(twin)
    model.compile("sgd")
    twin.compile("sgd", "mse")
    history = model.fit(X, epochs=3, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(history, twin.fit(X, X, epochs=3, shuffle=False, verbose=0).history["loss"], rtol=1e-5)


def test_weights_that_change_in_each_call():
    class ComputeSum(layers.Layer):
        def __init__(self):
            super().__init__()
            self.total = self.add_weight((2,), "zeros", trainable=False)

        def call(self, x):
            self.total.assign_add(ops.sum(x, axis=0))
            return self.total

    layer = ComputeSum()
    np.testing.assert_array_equal(layer(np.ones((2, 2), "float32")), [2, 2])
    np.testing.assert_array_equal(layer(np.ones((3, 2), "float32")), [5, 5])
    np.testing.assert_array_equal(layer.total.numpy(), [5, 5])


def test_weights_that_change_while_a_model_trains():
    class Counting(layers.Layer):
        def __init__(self):
            super().__init__()
            self.steps = self.add_weight((), "zeros", trainable=False, name="steps")

        def call(self, x, training=None):
            if training:
                self.steps.assign_add(1.0)
            return x * 2.0

    model = keras.Sequential([keras.Input((3,)), Counting(), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y[:, :1], epochs=2, batch_size=10, verbose=0)
    assert float(model.layers[0].steps) == 6
    model.evaluate(X, Y[:, :1], verbose=0)
    assert float(model.layers[0].steps) == 6


def test_what_it_may_not_do():
    class PerSample(layers.Layer):
        def __init__(self):
            super().__init__()
            self.kept = self.add_weight((3,), "zeros", trainable=False)

        def call(self, x):
            self.kept.assign(x)
            return x

    with pytest.raises(ValueError, match="no batch axis; reduce over the batch first"):
        PerSample()(X)
    x = keras.Input((3,))
    with pytest.raises(ValueError, match="only in the `call` of a layer or model"):
        keras.metrics.BinaryAccuracy().update_state(x, x)
    with pytest.raises(ValueError, match="only in the `call` of a layer or model"):
        keras.Variable(np.zeros(3)).assign(x)

"""Losses of users' own: with `dseq.ops`, as classes, of NumPy arrays with a gradient, compiled by Numba."""

import numba
import numpy as np
import pytest

import dseq
from dseq import layers, losses, ops
from dseq.saving import custom_object_scope

RNG = np.random.default_rng(0)
X = RNG.standard_normal((37, 5)).astype("float32")
Y = X @ RNG.standard_normal((5, 3)).astype("float32")
WEIGHTS = RNG.uniform(0.5, 2, 37)


def value(y_true, y_pred):
    return ((y_pred - y_true) ** 2).mean(-1)


def gradient(y_true, y_pred):
    return 2 * (y_pred - y_true) / y_pred.shape[-1]


@numba.njit
def looped(y_true, y_pred):
    values = np.empty(len(y_pred))
    for i in range(len(y_pred)):
        values[i] = ((y_pred[i] - y_true[i]) ** 2).mean()
    return values


class Squared(losses.Loss):
    """As in Keras, with a value for each element."""

    def __init__(self, power=2, name="squared", reduction="sum_over_batch_size", dtype=None):
        super().__init__(name, reduction, dtype)
        self.power = power

    def call(self, y_true, y_pred):
        return ops.power(y_pred - y_true, self.power)

    def get_config(self):
        return {**super().get_config(), "power": self.power}


class Halved(losses.MeanSquaredError):
    """A loss of dseq's own with another `call`."""

    def call(self, y_true, y_pred):
        return 0.5 * ops.mean(ops.square(y_pred - y_true), axis=-1)


def fitted(loss, x=X, y=Y, weight=None, **options):
    model = dseq.Sequential([layers.Input(x.shape[1:]), layers.Dense(4, "tanh"), layers.Dense(y.shape[-1])])
    model.set_weights([0.3 * np.sin(1 + np.arange(w.size)).reshape(w.shape) for w in model.get_weights()])
    model.compile(dseq.optimizers.SGD(0.1), loss, **options)
    history = model.fit(x, y, sample_weight=weight, batch_size=16, epochs=2, verbose=0, shuffle=False).history
    return history["loss"], model


SAME = {
    "a function": lambda t, p: ops.mean(ops.square(p - t), axis=-1),
    "operators": lambda t, p: ops.mean((p - t) * (p - t), axis=-1),
    "a value for each element": lambda t, p: (p - t) ** 2,
    "a class": Squared(),
    "arrays": losses.CustomLoss(value, gradient),
    "compiled by Numba": losses.CustomLoss(looped, gradient),
}


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", SAME)
def test_the_mean_squared_error_in_many_ways(name, weight):
    found, model = fitted(SAME[name], weight=weight)
    expected, other = fitted("mse", weight=weight)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("jit_compile", [True, False])
def test_one_value_for_the_whole_batch(jit_compile):
    found, _ = fitted(lambda t, p: ops.mean(ops.square(p - t)), jit_compile=jit_compile)
    np.testing.assert_allclose(found, fitted("mse")[0], rtol=1e-5)
    with pytest.raises(ValueError, match="Samples can't be weighted by loss 'mine'.* Received: sample weights"):
        fitted(losses.CustomLoss(lambda t, p: ops.sum(p), name="mine"), weight=WEIGHTS)


@pytest.mark.parametrize("reduction", ["sum", "mean_with_sample_weight", None])
def test_reductions(reduction):
    x, y = X[:8] * 0.1, Y[:8] * 0.1
    expected, _ = fitted(losses.MeanSquaredError(reduction=reduction), x, y, WEIGHTS[:8])
    for loss in (
        losses.CustomLoss(value, gradient, reduction=reduction),
        losses.CustomLoss(SAME["a function"], reduction=reduction),
    ):
        np.testing.assert_allclose(fitted(loss, x, y, WEIGHTS[:8])[0], expected, rtol=1e-5)


def test_a_class_on_arrays():
    expected = np.square(Y[:4] - Y[4:8])
    np.testing.assert_allclose(Squared()(Y[:4], Y[4:8]), expected.mean(), rtol=1e-6)
    np.testing.assert_allclose(Squared(reduction=None)(Y[:4], Y[4:8]), expected, rtol=1e-6)
    weighted = (expected * WEIGHTS[:4, None]).mean()
    np.testing.assert_allclose(Squared()(Y[:4], Y[4:8], sample_weight=WEIGHTS[:4]), weighted, rtol=1e-6)
    np.testing.assert_allclose(losses.CustomLoss(value, gradient)(Y[:4], Y[4:8]), expected.mean(), rtol=1e-6)


def test_a_subclass_of_a_known_loss_is_what_its_call_says():
    np.testing.assert_allclose(Halved()(Y[:4], Y[4:8]), 0.5 * np.square(Y[:4] - Y[4:8]).mean(), rtol=1e-6)
    first = fitted(Halved())[0][0]
    assert first < fitted("mse")[0][0]


def test_labels_come_as_they_are_given():
    seen = []

    def nearest(y_true, y_pred):
        seen.append(y_true.dtype)
        return np.square(y_pred - y_true)[:, 0]

    def slope(y_true, y_pred):
        return 2 * (y_pred - y_true)

    fitted(losses.CustomLoss(nearest, slope), y=np.arange(37)[:, None] % 3)
    assert set(seen) == {np.dtype("int64")}


def test_labels_without_the_last_axis_of_one():
    flat = fitted(lambda t, p: ops.square(p - t), y=Y[:, :1])[0]
    model = dseq.Sequential([layers.Input((5,)), layers.Dense(1)])
    model.compile("sgd", lambda t, p: ops.square(p - t))
    model.evaluate(X, Y[:, 0], verbose=0)
    np.testing.assert_allclose(
        model.evaluate(X, Y[:, 0], verbose=0), np.square(model.predict(X, verbose=0) - Y[:, :1]).mean(), rtol=1e-5
    )
    assert flat[1] < flat[0]


@pytest.mark.parametrize(
    "function",
    [lambda t, p: np.square(p - t), lambda t, p: np.mean(p), lambda t, p: (p - t).mean(-1), looped, lambda t, p: 1.0],
    ids=["ufunc", "function", "method", "numba", "number"],
)
def test_functions_of_arrays_without_a_gradient(function):
    with pytest.raises(ValueError, match=r"(?s)Received: .*give the gradient of a function of NumPy arrays"):
        fitted(function)


def test_results_of_the_wrong_shape():
    with pytest.raises(ValueError, match=r"must give one value for each sample. Received: shape \(16, 3\)"):
        fitted(losses.CustomLoss(lambda t, p: np.square(p - t), gradient, name="mine"))
    with pytest.raises(ValueError, match=r"The gradient of loss 'value' must have the shape of `y_pred`. Received"):
        fitted(losses.CustomLoss(value, lambda t, p: np.ones(len(p))))
    with pytest.raises(ValueError, match=r"must give values for samples, or one for the batch"):
        fitted(lambda t, p: ops.mean(p - t, axis=0))


def test_weights_of_the_wrong_shape():
    with pytest.raises(ValueError, match=r"one weight for each sample, or for each of the 1 values.*\(37, 3\)"):
        fitted("mse", weight=np.ones((37, 3)))


def test_configurations():
    with custom_object_scope({"value": value, "gradient": gradient, "Squared": Squared}):
        for loss in (losses.CustomLoss(value, gradient, reduction="sum"), Squared(4, reduction="sum")):
            copy = losses.deserialize(losses.serialize(loss))
            assert type(copy) is type(loss) and copy.get_config() == loss.get_config()
            assert copy(Y, Y + 1) == loss(Y, Y + 1)
        traced = losses.get(value)
        assert losses.deserialize(losses.serialize(traced)).function is value
        assert losses.get("value").name == "value"
    with pytest.raises(ValueError, match="must be registered. Received: 'value'"):
        losses.deserialize(losses.serialize(losses.CustomLoss(value, gradient)))

"""LearningRateScheduler and ReduceLROnPlateau: when the learning rate changes, and to what."""

from types import SimpleNamespace

import numpy as np
import pytest

import dseq
from dseq.callbacks import LearningRateScheduler, ReduceLROnPlateau
from tests.callbacks.fake_model import FakeModel

X = np.linspace(-1, 1, 30, dtype="float32").reshape(10, 3)
Y = X[:, :1] ** 2


def fitted(callback, optimizer=None, **options):
    model = dseq.Sequential([dseq.Input((3,)), dseq.layers.Dense(1)])
    model.compile(optimizer or dseq.optimizers.Adam(0.1), "mse")
    options = {"epochs": 2, "verbose": 0, "validation_data": (X, Y)} | options
    history = model.fit(X, Y, callbacks=[callback], **options)
    return float(model.optimizer.learning_rate), history


def test_the_schedule_decides(capsys):
    rate, history = fitted(LearningRateScheduler(lambda epoch: 1.0 / (1.0 + epoch), verbose=1), epochs=3)
    assert rate == pytest.approx(1 / 3, rel=1e-6)
    np.testing.assert_allclose(history.history["learning_rate"], [1, 1 / 2, 1 / 3], rtol=1e-6)
    assert all(type(value) is float for value in history.history["learning_rate"])
    assert "Epoch 1: LearningRateScheduler setting learning rate to 1.0." in capsys.readouterr().out


def test_the_schedule_may_take_the_rate():
    assert fitted(LearningRateScheduler(lambda epoch, rate: rate / 2), dseq.optimizers.Adam(0.03))[0] == pytest.approx(
        0.0075, rel=1e-6
    )
    assert fitted(LearningRateScheduler(lambda *both: np.float32(0.5)))[0] == 0.5
    assert fitted(LearningRateScheduler(lambda epoch, rate=9.0: rate * 0.5), dseq.optimizers.SGD(0.5))[0] == 0.125


def test_errors_of_a_schedule_are_its_own():
    def schedule(epoch, rate):
        raise TypeError("my own")

    with pytest.raises(TypeError, match="my own"):
        fitted(LearningRateScheduler(schedule))
    for wrong in ("1", "'0.1'", "None"):
        with pytest.raises(ValueError, match=f"should be a float. Received: {wrong}"):
            fitted(LearningRateScheduler({"1": lambda _: 1, "'0.1'": lambda _: "0.1", "None": lambda _: None}[wrong]))
    with pytest.raises(ValueError, match="must be a function. Received: schedule=0.1"):
        LearningRateScheduler(0.1)


@pytest.mark.parametrize(
    "callback", [LearningRateScheduler(lambda epoch, rate: rate / 2), ReduceLROnPlateau(patience=1, min_delta=100)]
)
def test_an_optimizer_with_a_schedule_refuses(callback):
    decay = dseq.optimizers.SGD(lambda step: 0.1)
    with pytest.raises(TypeError, match="This optimizer was created with a `LearningRateSchedule`"):
        fitted(callback, decay)


@pytest.mark.parametrize(
    "options, epochs, rate",
    [
        ({}, 2, 0.01),
        ({"min_lr": 0.005}, 4, 0.005),
        ({"cooldown": 2}, 4, 0.001),
        ({"factor": 0.5, "patience": 2}, 5, 0.025),
        ({"mode": "max"}, 2, 0.01),
    ],
)
def test_keras_reductions(options, epochs, rate):
    """Keras' own cases: no epoch improves by 100."""
    options = {"patience": 1, "factor": 0.1, "min_delta": 100} | options
    assert fitted(ReduceLROnPlateau(**options), epochs=epochs)[0] == pytest.approx(rate, rel=1e-6)


def reductions(values, monitor="val_loss", **options):
    """The learning rate that each epoch was trained with, from 1."""
    callback, model = ReduceLROnPlateau(monitor, factor=0.5, **options), FakeModel()
    model.optimizer = SimpleNamespace(learning_rate=1.0)
    callback.set_model(model)
    callback.on_train_begin()
    seen = []
    for epoch, value in enumerate(values):
        logs = {monitor: value}
        callback.on_epoch_end(epoch, logs)
        seen.append(logs["learning_rate"])
    return [*seen, model.optimizer.learning_rate]


@pytest.mark.parametrize(
    "options, values, rates",
    [
        ({"patience": 2}, [5, 4, 4, 4, 4, 4], [1, 1, 1, 1, 0.5, 0.5, 0.25]),
        ({"patience": 2}, [5, 4, 4, 3, 3, 3], [1, 1, 1, 1, 1, 1, 0.5]),
        ({"patience": 0}, [5, 5, 5], [1, 1, 0.5, 0.25]),
        ({"patience": 1, "cooldown": 2}, [5, 5, 5, 5, 5], [1, 1, 0.5, 0.5, 0.25, 0.25]),
        ({"patience": 1, "min_delta": 0.5}, [5, 4.6, 4.4], [1, 1, 0.5, 0.5]),
        ({"patience": 1, "monitor": "val_accuracy"}, [0.1, 0.2, 0.2], [1, 1, 1, 0.5]),
        ({"patience": 1}, [5, float("nan"), 4], [1, 1, 0.5, 0.5]),
    ],
)
def test_when_it_reduces(options, values, rates):
    assert reductions(values, **options) == rates


def test_it_says_so_and_warns(capsys):
    reductions([5, 5], patience=1, verbose=1)
    assert capsys.readouterr().out == "Epoch 2: ReduceLROnPlateau reducing learning rate to 0.5.\n"
    callback, model = ReduceLROnPlateau(), FakeModel()
    model.optimizer = SimpleNamespace(learning_rate=1.0)
    callback.set_model(model)
    with pytest.warns(UserWarning, match="metric `val_loss` which is not available. .*are: loss,learning_rate"):
        callback.on_epoch_end(0, {"loss": 1.0})
    with pytest.warns(UserWarning, match=r"ignores the arguments \['epsilon'\]"):
        ReduceLROnPlateau(epsilon=3)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"factor": 1.0}, "does not support a factor >= 1.0. Received: factor=1.0"),
        ({"factor": "half"}, "`factor` of ReduceLROnPlateau must be a number. Received: factor='half'"),
        ({"patience": None}, "Received: patience=None"),
    ],
)
def test_arguments_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        ReduceLROnPlateau(**options)


def test_a_model_without_optimizer():
    callback = LearningRateScheduler(lambda epoch: 0.1)
    callback.set_model(FakeModel())
    with pytest.raises(ValueError, match='has a "learning_rate" attribute. Received: optimizer=None'):
        callback.on_epoch_begin(0)

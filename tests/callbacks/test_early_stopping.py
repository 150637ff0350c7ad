"""EarlyStopping: when it stops, what it goes back to, and how it finds the direction."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from dseq.callbacks import EarlyStopping
from tests.callbacks.fake_model import FakeModel, train


@pytest.mark.parametrize(
    "options, values, epochs",
    [
        ({}, [1.0, 0.5, 0.6, 0.1], 3),
        ({}, [1.0, 2.0], 2),
        ({"patience": 2}, [1.0, 1.1, 0.9, 1.0, 1.0, 0.1], 5),
        ({"patience": 2}, [3.0, 2.0, 1.0], 3),
        ({"min_delta": 0.2}, [1.0, 0.9, 0.5], 2),
        ({"min_delta": -0.2}, [1.0, 0.7, 0.6], 3),
        ({"mode": "max"}, [1.0, 2.0, 1.5, 3.0], 3),
        ({"mode": "max", "min_delta": 0.5}, [1.0, 1.4, 3.0], 2),
        # Improving, but never better than the baseline.
        ({"patience": 2, "baseline": 0.5}, [3, 2, 1, 1, 0.1], 4),
        ({"patience": 2, "baseline": 2.5}, [3, 2, 1, 1, 1, 0.1], 5),
        ({"start_from_epoch": 3}, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 5),
        # What is not a number is no improvement, and anything improves on it.
        ({"patience": 2}, [math.nan, 1.0, 0.5, math.nan, math.nan, 0.1], 5),
        ({"patience": 3}, [math.nan] * 9, 3),
    ],
)
def test_number_of_epochs(options, values, epochs):
    model, seen = train(EarlyStopping(**options), values)
    assert len(seen) == epochs
    assert model.weight == epochs - 1


@pytest.mark.parametrize("patience, stopped", [(0, 3), (1, 3), (2, 4), (3, 5)])
def test_keras_patience(patience, stopped):
    callback = EarlyStopping("loss", patience=patience)
    train(callback, [10.0, 9.0, 8.0, 9.0, 8.9, 8.8, 8.7, 8.6, 8.5], "loss")
    assert callback.stopped_epoch == stopped


def test_an_unknown_mode_warns_and_is_auto():
    with pytest.warns(UserWarning, match="EarlyStopping mode 'least' is unknown, fallback to auto mode"):
        callback = EarlyStopping(mode="least")
    assert len(train(callback, [1.0, 2.0, 3.0])[1]) == 2
    assert callback.monitor_op is np.less


def test_what_is_remembered_goes_to_another_process():
    callback = EarlyStopping(patience=3, restore_best_weights=True)
    train(callback, [3.0, 1.0, 2.0])
    again = EarlyStopping(patience=3, restore_best_weights=True)
    again.on_train_begin()
    again.load_state(callback.save_state())
    assert (again.wait, again.best, again.best_epoch, again.best_weights) == (1, 1.0, 1, [1])


def test_a_first_epoch_never_stops():
    assert not train(EarlyStopping(baseline=0.5), [1.0])[0].stop_training


@pytest.mark.parametrize(
    "options, values, best",
    [
        ({"patience": 1}, [3.0, 1.0, 2.0], 1),
        ({"patience": 5}, [3.0, 1.0, 2.0], 1),  # training ended by itself
        ({"patience": 1, "mode": "max"}, [3.0, 1.0, 2.0], 0),
        ({"patience": 2, "baseline": 0.5}, [3.0, 2.0, 2.5, 2.5], 1),  # the baseline has no say in what is best
        ({"patience": 2}, [math.nan, math.nan], 0),
        ({"patience": 5, "start_from_epoch": 2}, [0.1, 0.2, 5.0, 4.0, 6.0], 3),
    ],
)
def test_best_weights_are_restored(options, values, best, capsys):
    model, _ = train(EarlyStopping(restore_best_weights=True, verbose=1, **options), values)
    assert model.weight == best
    assert f"Restoring model weights from the end of the best epoch: {best + 1}." in capsys.readouterr().out


def test_says_when_it_stops(capsys):
    train(EarlyStopping(verbose=1), [1.0, 2.0])
    assert capsys.readouterr().out == "Epoch 2: early stopping\n"
    train(EarlyStopping(), [1.0, 2.0])
    assert capsys.readouterr().out == ""


def test_a_second_training_starts_anew():
    callback = EarlyStopping(patience=1)
    assert len(train(callback, [1.0, 2.0])[1]) == 2
    assert len(train(callback, [9.0, 8.0, 7.0])[1]) == 3


@pytest.mark.parametrize(
    "monitor, metrics, rising",
    [
        ("val_loss", {}, False),
        ("loss", {}, False),
        ("head_loss", {}, False),
        ("val_mae", {"mae": "down"}, False),
        ("val_score", {"score": "up"}, True),
        ("val_head_score", {"score": "up"}, True),
        ("val_accuracy", {}, True),
        ("accuracy", {"accuracy": "down"}, False),  # the metric itself knows best
    ],
)
def test_direction_by_metric(monitor, metrics, rising):
    _, epochs = train(EarlyStopping(monitor), [1.0, 2.0, 3.0], monitor, FakeModel(**metrics))
    assert len(epochs) == (3 if rising else 2)


@pytest.mark.parametrize("metrics", [[], [SimpleNamespace(name="score")]])
def test_unknown_direction(metrics):
    model = FakeModel()
    model.metrics = metrics
    with pytest.raises(ValueError, match="can't tell whether 'val_score'.*Received: mode='auto'.*mode='max'"):
        train(EarlyStopping("val_score"), [1.0, 2.0], "val_score", model)


def test_arrays_of_one_number_count():
    assert len(train(EarlyStopping(), [np.array([1.0]), np.float32(2.0)])[1]) == 2
    with pytest.raises(ValueError, match=r"must be the name of a single number. Received: val_loss=array\("):
        train(EarlyStopping(), [np.ones(2)])


def test_missing_monitor_warns():
    with pytest.warns(UserWarning, match="metric `val_loss` which is not available. Available metrics are: mae"):
        model, _ = train(EarlyStopping(), [1.0], monitor="mae")
    assert not model.stop_training


@pytest.mark.parametrize(
    "options, message",
    [
        ({"patience": -1}, "`patience` of EarlyStopping must be an integer >= 0. Received: patience=-1"),
        ({"patience": 1.5}, "Received: patience=1.5"),
        ({"start_from_epoch": None}, "Received: start_from_epoch=None"),
        ({"baseline": "low"}, "Received: baseline='low'"),
        ({"min_delta": "0"}, "Received: min_delta='0'"),
        ({"monitor": 3}, "Received: monitor=3"),
    ],
)
def test_arguments_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        EarlyStopping(**options)

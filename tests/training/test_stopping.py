"""A signal ends training after a step, saved; the job started again ends with the same bits."""

import os
import signal

import numpy as np
import pytest

import dseq as keras
from dseq import config, layers

rng = np.random.default_rng(0)
X, Y = rng.random((35, 5), "float32"), rng.integers(0, 3, 35)


class Signal(keras.callbacks.Callback):
    def __init__(self, number, at):
        super().__init__()
        self.number, self.at = number, at

    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.step_count == self.at:
            os.kill(os.getpid(), self.number)


class LateSignal(Signal):
    """Without hooks for batches: the loop itself has to look."""

    on_train_batch_end = keras.callbacks.Callback.on_train_batch_end

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            os.kill(os.getpid(), self.number)


class Batches:
    """Can be gone through again, and has no length."""

    def __iter__(self):
        return iter([(X[i : i + 7], Y[i : i + 7]) for i in range(0, 35, 7)])


def train(callbacks, generator=False):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((5,)), layers.Dense(16, "relu"), layers.Dropout(0.3), layers.Dense(3, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    data = {"x": Batches()} if generator else {"x": X, "y": Y, "batch_size": 7}
    history = model.fit(**data, epochs=3, verbose=0, validation_data=(X, Y), callbacks=callbacks)
    return [*model.get_weights(), np.array([history.history[name][-1] for name in sorted(history.history)])]


@pytest.fixture(scope="module")
def whole():
    return {generator: train([], generator) for generator in (False, True)}


def backup(folder):
    return keras.callbacks.BackupAndRestore(folder, save_freq=10**6)


# 5 steps in an epoch: in its middle, at its end.
@pytest.mark.parametrize(("number", "at"), [(signal.SIGTERM, 7), (signal.SIGUSR1, 4), (signal.SIGTERM, 5)])
@pytest.mark.parametrize("generator", [False, True])
def test_training_goes_on_where_a_signal_stopped_it(number, at, generator, whole, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        train([backup(tmp_path / "backup"), Signal(number, at)], generator)
    assert caught.value.code == 85
    said = capsys.readouterr().err
    assert f"{number.name} came to this process: training stops after batch {at % 5 + 1} of" in said
    assert str(tmp_path / "backup") in said and "exit code 85" in said
    for one, other in zip(train([backup(tmp_path / "backup")], generator), whole[generator], strict=True):
        np.testing.assert_array_equal(one, other)


def test_without_hooks_for_batches(whole, tmp_path):
    with pytest.raises(SystemExit) as caught:
        train([keras.callbacks.BackupAndRestore(tmp_path / "backup"), LateSignal(signal.SIGTERM, 0)])
    assert caught.value.code == 85
    for one, other in zip(train([backup(tmp_path / "backup")]), whole[False], strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_interruption_saves_too(whole, tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        train([backup(tmp_path / "backup"), Signal(signal.SIGINT, 8)])
    for one, other in zip(train([backup(tmp_path / "backup")]), whole[False], strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_place_for_those_that_have_none(whole, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as caught:
        train([Signal(signal.SIGTERM, 8)])
    assert caught.value.code == 128 + signal.SIGTERM and "nothing was saved" in capsys.readouterr().err
    monkeypatch.setattr(config, "emergency", str(tmp_path / "emergency"))
    with pytest.raises(SystemExit) as caught:
        train([Signal(signal.SIGTERM, 8)])
    assert caught.value.code == 85
    for one, other in zip(train([backup(tmp_path / "emergency")]), whole[False], strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_signal_in_the_last_step_finds_training_done(tmp_path):
    """There is nothing to go on with: it is left to who handled it before."""
    with pytest.raises(KeyboardInterrupt):
        train([Signal(signal.SIGINT, 15)])

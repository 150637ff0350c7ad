"""BackupAndRestore: a job that is interrupted and started again ends as if nothing had been."""

import json

import numpy as np
import pytest

import dseq
from dseq.callbacks import BackupAndRestore, Callback, EarlyStopping, ReduceLROnPlateau, TerminateOnNaN
from dseq.saving import backup

RNG = np.random.default_rng(3)
X = RNG.random((10, 3), "float32")
Y = RNG.random((10, 1), "float32")


class Interrupt(Callback):
    """Fails at the end of some batch or epoch, counted from 1 over all."""

    def __init__(self, batch=None, epoch=None):
        super().__init__()
        self.left = {"batch": batch, "epoch": epoch}

    def _count(self, what):
        if self.left[what] is not None:
            self.left[what] -= 1
            if self.left[what] == 0:
                raise RuntimeError("interrupted")

    def on_train_batch_end(self, batch, logs=None):
        self._count("batch")

    def on_epoch_end(self, epoch, logs=None):
        self._count("epoch")


def make(seed=7):
    dseq.utils.set_random_seed(seed)
    layers = [dseq.Input((3,)), dseq.layers.Dense(4, "tanh"), dseq.layers.Dropout(0.5), dseq.layers.Dense(1)]
    model = dseq.Sequential(layers)
    model.compile("adam", "mse", metrics=["mae"])
    return model


def fit(model, *callbacks, epochs=4, **options):
    options = {"batch_size": 4, "verbose": 0} | options
    return model.fit(X, Y, epochs=epochs, callbacks=list(callbacks), **options)


def interrupted(model, *callbacks, **options):
    with pytest.raises(RuntimeError, match="interrupted"):
        fit(model, *callbacks, **options)


def same_weights(a, b):
    for one, other in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def uninterrupted():
    model = make()
    return model, fit(model).history


@pytest.mark.parametrize(
    "save_freq, where, first",
    [
        ("epoch", {"epoch": 2}, 1),  # what was saved is the end of the first epoch: the second one is not over
        ("epoch", {"batch": 8}, 2),
        (1, {"batch": 5}, 1),
        (2, {"batch": 5}, 1),
        (3, {"batch": 8}, 2),
        (2, {"epoch": 3}, 2),
    ],
)
def test_a_new_process_goes_on_to_the_bit(tmp_path, uninterrupted, save_freq, where, first):
    folder = tmp_path / "deep" / "backup"
    interrupted(make(), BackupAndRestore(folder, save_freq), Interrupt(**where))
    assert sorted(file.name for file in folder.iterdir()) == ["latest.weights.h5", "training_metadata.json"]
    model = make(seed=99)  # another process draws other seeds
    callback = BackupAndRestore(folder, save_freq)
    history = fit(model, callback)
    expected, losses = uninterrupted
    same_weights(model, expected)
    assert history.epoch == list(range(first, 4))
    assert history.history == {name: values[first:] for name, values in losses.items()}
    assert model.optimizer.step_count == expected.optimizer.step_count == 12
    for one, other in zip(model.optimizer.variables, expected.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one.array, other.array)
    assert callback._current_epoch == 4
    assert not folder.exists()


def test_the_same_model_goes_on(tmp_path, uninterrupted):
    """Keras' case: `fit` again in the same process. A third one begins anew, with all its epochs."""
    model, callback = make(), BackupAndRestore(tmp_path / "b", save_freq=1)
    interrupted(model, callback, Interrupt(batch=2), epochs=2)
    assert (callback._current_epoch, callback._last_batch_seen) == (0, 1)
    assert model.optimizer.step_count == 2
    # The second step was not backed up: the interruption came first.
    assert json.loads((tmp_path / "b" / "training_metadata.json").read_text()) == {"epoch": 0, "batch": 0}
    assert fit(model, callback).epoch == [0, 1, 2, 3]
    same_weights(model, uninterrupted[0])
    assert fit(model, callback, epochs=2).epoch == [0, 1]
    assert model.optimizer.step_count == 18


def test_shuffling_goes_on_over_calls_of_fit(tmp_path):
    """The interrupted call was the second one of its model."""
    expected = make()
    fit(expected, epochs=1)
    fit(expected, epochs=2)
    model = make()
    fit(model, epochs=1)
    interrupted(model, BackupAndRestore(tmp_path), Interrupt(batch=4), epochs=2)
    model = make(seed=5)
    fit(model, BackupAndRestore(tmp_path), epochs=2)
    same_weights(model, expected)


class TimeIsUp(Callback):
    """Ends training in the ordinary way after some batch, as before the end of a job's time."""

    def __init__(self, batch):
        super().__init__()
        self.left = batch

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        self.model.stop_training = self.left == 0


@pytest.mark.parametrize("batch, epochs", [(5, [1, 2, 3]), (6, [2, 3])])
def test_stopped_in_an_epoch_and_gone_on(tmp_path, uninterrupted, batch, epochs):
    stopped = fit(make(), BackupAndRestore(tmp_path, 1, delete_checkpoint=False), TimeIsUp(batch))
    assert stopped.epoch == [0, 1]
    model = make(seed=8)
    history = fit(model, BackupAndRestore(tmp_path))
    assert history.epoch == epochs
    assert history.history["loss"] == uninterrupted[1]["loss"][epochs[0] :]
    same_weights(model, uninterrupted[0])


def test_a_generator_is_drawn_up_to_where_it_was(tmp_path):
    def batches():
        for i in range(100):
            yield X[i % 5 : i % 5 + 4] * i, Y[:4]

    def fit_generator(model, *callbacks):
        return model.fit(batches(), steps_per_epoch=4, epochs=2, verbose=0, callbacks=list(callbacks))

    expected = make()
    losses = fit_generator(expected).history["loss"]
    with pytest.raises(RuntimeError, match="interrupted"):
        fit_generator(make(), BackupAndRestore(tmp_path, save_freq=1), Interrupt(batch=3))
    model = make(seed=3)
    assert fit_generator(model, BackupAndRestore(tmp_path)).history["loss"] == losses
    same_weights(model, expected)


def test_several_steps_in_an_execution(tmp_path):
    expected = make()
    fit(expected, batch_size=1)
    model = make()
    model.compile("adam", "mse", metrics=["mae"], steps_per_execution=4)
    interrupted(model, BackupAndRestore(tmp_path, save_freq=4), Interrupt(batch=5), batch_size=1)
    assert backup.read(tmp_path / "latest.weights.h5")[1]["position"]["batch"] == 4
    model = make(seed=3)
    fit(model, BackupAndRestore(tmp_path), batch_size=1)
    same_weights(model, expected)


def test_what_other_callbacks_remember(tmp_path):
    def others():
        stop = EarlyStopping("loss", patience=2, min_delta=10, restore_best_weights=True)
        return stop, ReduceLROnPlateau("loss", patience=2, min_delta=10)

    expected = make()
    assert len(fit(expected, *others(), epochs=9).epoch) == 3
    interrupted(make(), BackupAndRestore(tmp_path), *others(), Interrupt(batch=8), epochs=9)
    model, (stop, reduce) = make(seed=1), others()
    assert fit(model, reduce, stop, BackupAndRestore(tmp_path), epochs=9).epoch == [2]
    assert (stop.best_epoch, stop.stopped_epoch, reduce.wait) == (0, 2, 0)
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-4)
    same_weights(model, expected)


def test_nothing_is_kept_of_what_went_wrong(tmp_path):
    """A batch whose loss is not a number ends training before it is backed up."""
    model, bad = make(), X.copy()
    bad[9] = np.nan
    with pytest.raises(RuntimeError, match="Invalid loss"):
        callbacks = [BackupAndRestore(tmp_path, save_freq=1), TerminateOnNaN(raise_error=True)]
        model.fit(bad, Y, batch_size=4, shuffle=False, verbose=0, callbacks=callbacks)
    tree, state = backup.read(tmp_path / "latest.weights.h5")
    assert state["position"]["batch"] == 2
    assert all(np.isfinite(array).all() for group in tree["groups"].values() for array in group["vars"].values())


def test_damage(tmp_path, uninterrupted):
    interrupted(make(), BackupAndRestore(tmp_path, double_checkpoint=True), Interrupt(batch=8))
    latest = tmp_path / "latest.weights.h5"
    assert (tmp_path / "latest.weights.h5.bkp").exists() and (tmp_path / "training_metadata.json.bkp").exists()
    latest.write_bytes(latest.read_bytes()[:3000])
    model = make(seed=4)
    with pytest.warns(UserWarning, match="goes on from the backup before the last: .*damaged or incomplete"):
        assert fit(model, BackupAndRestore(tmp_path)).epoch == [1, 2, 3]
    same_weights(model, uninterrupted[0])
    assert not list(tmp_path.glob("*"))

    interrupted(make(), BackupAndRestore(tmp_path), Interrupt(batch=8))
    latest.write_bytes(b"0")
    with pytest.raises(OSError, match="can't go on from its backup: .* To begin anew, delete .*double_checkpoint=True"):
        fit(make(), BackupAndRestore(tmp_path))


def test_other_batches_repeat_the_epoch(tmp_path):
    interrupted(make(), BackupAndRestore(tmp_path, save_freq=1), Interrupt(batch=6))
    model = make()
    with pytest.warns(UserWarning, match="repeats epoch 2 from its beginning.*Received: 5 steps in an epoch, 3 before"):
        history = fit(model, BackupAndRestore(tmp_path), epochs=2, batch_size=2)
    assert history.epoch == [1]
    assert model.optimizer.step_count == 5 + 5


def test_other_metrics_begin_anew(tmp_path, uninterrupted):
    interrupted(make(), BackupAndRestore(tmp_path, save_freq=1), Interrupt(batch=6))
    model = make()
    model.compile("adam", "mse")
    with pytest.warns(UserWarning, match="logs of epoch 2 are those of its batches from 3 on, because the model was"):
        history = fit(model, BackupAndRestore(tmp_path))
    same_weights(model, uninterrupted[0])
    assert history.history["loss"][1:] == uninterrupted[1]["loss"][2:]


def test_a_backup_of_another_version(tmp_path):
    model = make()
    backup.write(tmp_path / "latest.weights.h5", model, {"version": 99})
    before = model.get_weights()
    model.set_weights([w + 1 for w in before])
    with pytest.raises(ValueError, match="written by another version of dseq. Received: version=99"):
        fit(model, BackupAndRestore(tmp_path))
    np.testing.assert_array_equal(model.get_weights()[0], before[0] + 1)


def test_a_backup_that_keras_wrote(tmp_path):
    """Weights in Keras' layout, and an epoch beside them."""
    expected = make()
    fit(expected, epochs=2)
    expected.save_weights(tmp_path / "latest.weights.h5")
    (tmp_path / "training_metadata.json").write_text('{"epoch": 2, "batch": 0}')
    model = make(seed=2)
    assert fit(model, BackupAndRestore(tmp_path), epochs=3).epoch == [2]
    assert model.optimizer.step_count == 9


def test_the_files_stay_if_wanted(tmp_path):
    (tmp_path / "mine.txt").touch()
    fit(make(), BackupAndRestore(tmp_path, delete_checkpoint=False), epochs=2)
    assert json.loads((tmp_path / "training_metadata.json").read_text()) == {"epoch": 2, "batch": 0}
    model = make()
    model.load_weights(tmp_path / "latest.weights.h5")
    assert model.optimizer.step_count == 6
    assert fit(model, BackupAndRestore(tmp_path), epochs=2).epoch == []
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_only_restoring(tmp_path):
    fit(make(), BackupAndRestore(tmp_path / "b", save_freq=False), epochs=1)
    assert not (tmp_path / "b").exists()


def test_another_model_is_refused(tmp_path):
    interrupted(make(), BackupAndRestore(tmp_path), Interrupt(batch=5))
    other = dseq.Sequential([dseq.Input((3,)), dseq.layers.Dense(1)])
    other.compile("adam", "mse")
    with pytest.raises(ValueError, match="could not be loaded"):
        fit(other, BackupAndRestore(tmp_path))


@pytest.mark.parametrize("save_freq", ["batch", 0.15, 0, -1, True, None])
def test_frequencies_are_checked(save_freq):
    with pytest.raises(ValueError, match=f"Invalid value for argument `save_freq`.*Received: save_freq={save_freq!r}"):
        BackupAndRestore("folder", save_freq)


@pytest.mark.parametrize("backup_dir", ["", None])
def test_a_folder_is_needed(backup_dir):
    with pytest.raises(ValueError, match="Empty `backup_dir` argument passed"):
        BackupAndRestore(backup_dir)

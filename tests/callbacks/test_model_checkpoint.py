"""ModelCheckpoint: when it saves, under which name, and what it refuses."""

import numpy as np
import pytest

from dseq.callbacks import CallbackList, ModelCheckpoint
from tests.callbacks.fake_model import FakeModel, train


def checkpoint(folder, name="w.weights.h5", **options):
    return ModelCheckpoint(folder / name, save_weights_only=True, **options)


def test_every_epoch_by_name(tmp_path):
    callback = checkpoint(tmp_path / "a" / "b", "{epoch:02d}-{val_loss:.1f}.weights.h5")
    assert not (tmp_path / "a").exists()
    model, _ = train(callback, [2.0, 1.25])
    folder = tmp_path / "a" / "b"
    assert model.saved == [f"{folder}/01-2.0.weights.h5", f"{folder}/02-1.2.weights.h5"]
    assert folder.is_dir()


@pytest.mark.parametrize(
    "options, monitor, values, epochs",
    [
        ({}, "val_loss", [2.0, 3.0, 1.0, 1.0], [1, 3]),
        ({"mode": "max"}, "val_loss", [2.0, 3.0, 1.0], [1, 2]),
        ({"monitor": "val_accuracy"}, "val_accuracy", [0.5, 0.25, 0.75], [1, 3]),
        ({"initial_value_threshold": 1.5}, "val_loss", [2.0, 1.75, 1.0], [3]),
        ({}, "val_loss", [float("nan"), 3.0, float("nan"), 2.0], [2, 4]),
    ],
)
def test_best_only(tmp_path, options, monitor, values, epochs):
    model, _ = train(checkpoint(tmp_path, "{epoch}.weights.h5", save_best_only=True, **options), values, monitor)
    assert model.saved == [f"{tmp_path}/{epoch}.weights.h5" for epoch in epochs]


def test_best_goes_on_in_a_second_training(tmp_path):
    callback = checkpoint(tmp_path, save_best_only=True)
    assert len(train(callback, [1.0])[0].saved) == 1
    assert len(train(callback, [2.0, 0.5])[0].saved) == 1


def test_several_steps_in_one_execution(tmp_path):
    """Hooks then come with the number of the last batch only."""
    callback, model = checkpoint(tmp_path, "{epoch}-{batch}.weights.h5", save_freq=6), FakeModel()
    callback.set_model(model)
    for epoch in range(3):
        callback.on_epoch_begin(epoch)
        for batch in (2, 4):
            callback.on_train_batch_end(batch, {})
    assert model.saved == [f"{tmp_path}/2-3.weights.h5", f"{tmp_path}/3-5.weights.h5"]


def test_values_that_are_no_numbers_are_saved_with_a_warning(tmp_path):
    with pytest.warns(UserWarning, match="a single number: saving this one"):
        model, _ = train(checkpoint(tmp_path, save_best_only=True), [np.ones(3)])
    assert len(model.saved) == 1


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "w.weights.h5").mkdir()
    with pytest.raises(IsADirectoryError, match="non-directory filepath for ModelCheckpoint"):
        train(checkpoint(tmp_path), [1.0])


def test_whole_models_are_saved_by_models_that_can(tmp_path):
    class Whole(FakeModel):
        def save(self, filepath, overwrite=True):
            self.saved.append(("whole", filepath))

    model, _ = train(ModelCheckpoint(tmp_path / "{epoch}.keras"), [1.0], model=Whole())
    assert model.saved == [("whole", f"{tmp_path}/1.keras")]
    with pytest.raises(ValueError, match="must have `save_weights_only=True`.*Received: save_weights_only=False"):
        ModelCheckpoint("a.keras").set_model(FakeModel())


def test_an_unknown_mode_warns():
    with pytest.warns(UserWarning, match="ModelCheckpoint mode 'low' is unknown"):
        ModelCheckpoint("a.keras", mode="low")


def test_without_batches_no_batch_hook():
    assert not CallbackList(ModelCheckpoint("a.keras")).has_batch_hooks
    assert CallbackList(ModelCheckpoint("a.keras", save_freq=2)).has_hook("on_train_batch_end")

    class Mine(ModelCheckpoint):
        def on_train_batch_end(self, batch, logs=None):
            pass

    assert CallbackList(Mine("a.keras")).has_hook("on_train_batch_end")


def test_every_few_batches_over_the_ends_of_epochs(tmp_path):
    callback, model = checkpoint(tmp_path, "{epoch}-{batch}.weights.h5", save_freq=3), FakeModel()
    callback.set_model(model)
    for epoch in range(2):
        callback.on_epoch_begin(epoch)
        for batch in range(4):
            callback.on_train_batch_end(batch, {"loss": 1.0})
        callback.on_epoch_end(epoch, {"loss": 1.0})
    assert model.saved == [f"{tmp_path}/1-3.weights.h5", f"{tmp_path}/2-2.weights.h5"]


def test_messages(tmp_path, capsys):
    train(checkpoint(tmp_path, save_best_only=True, verbose=1), [2.0, 3.0, 1.0])
    path = tmp_path / "w.weights.h5"
    assert capsys.readouterr().out.splitlines() == [
        f"Epoch 1: val_loss improved from None to 2.00000, saving model to {path}",
        f"Epoch 1: finished saving model to {path}",
        "Epoch 2: val_loss did not improve from 2.00000",
        f"Epoch 3: val_loss improved from 2.00000 to 1.00000, saving model to {path}",
        f"Epoch 3: finished saving model to {path}",
    ]
    train(checkpoint(tmp_path, verbose=1), [2.0])
    assert capsys.readouterr().out == f"Epoch 1: saving model to {path}\nEpoch 1: finished saving model to {path}\n"
    train(checkpoint(tmp_path, save_best_only=True), [2.0])
    assert capsys.readouterr().out == ""


def test_missing_monitor_warns_and_saves(tmp_path):
    with pytest.warns(
        UserWarning, match="Can save best model only with val_loss available.*Available metrics are: loss"
    ):
        model, _ = train(checkpoint(tmp_path, save_best_only=True), [1.0], monitor="loss")
    assert len(model.saved) == 1


def test_unknown_name_in_the_path(tmp_path):
    with pytest.raises(KeyError, match="known when it saves: epoch, val_loss. Received: filepath=.*{accuracy}"):
        train(checkpoint(tmp_path, "{accuracy}.weights.h5"), [1.0])


@pytest.mark.parametrize(
    "filepath, options, message",
    [
        ("model.txt", {}, "must end in `.keras`.*Received: filepath=model.txt"),
        ("model.h5", {"save_weights_only": True}, "must end in `.weights.h5`.*Received: filepath=model.h5"),
        ("a.weights.h5", {"save_weights_only": True, "save_freq": 0}, "Received: save_freq=0"),
        ("a.weights.h5", {"save_weights_only": True, "save_freq": "batch"}, "Received: save_freq='batch'"),
    ],
)
def test_arguments_are_checked(filepath, options, message):
    with pytest.raises(ValueError, match=message):
        ModelCheckpoint(filepath, **options)

"""TensorBoard: what its own reader finds in the files."""

import importlib.util
import zlib

import numpy as np
import pytest

import dseq
from dseq.callbacks import CallbackList, TensorBoard
from dseq.callbacks.event_file import _png

X = np.linspace(-1, 1, 60, dtype="float32").reshape(20, 3)
Y = X[:, :1]


def test_without_the_package(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"needs the package `tensorboard`: `pip install dseq\[tensorboard\]`"):
        TensorBoard()


def test_pictures():
    data = _png(np.arange(6, dtype="uint8").reshape(2, 3, 1))
    assert data.startswith(b"\x89PNG\r\n\x1a\n") and data[16:26] == b"\0\0\0\3\0\0\0\2\x08\0"
    start = data.index(b"IDAT") + 4
    size = int.from_bytes(data[start - 8 : start - 4], "big")
    assert zlib.decompress(data[start : start + size]) == bytes([0, 0, 1, 2, 0, 3, 4, 5])


@pytest.fixture
def package():
    return pytest.importorskip("tensorboard")


def read(folder):
    """`{tag: [(step, value), ...]}` of all events in a folder."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util.tensor_util import make_ndarray

    found = {}
    for file in sorted(folder.glob("events.*")):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, make_ndarray(value.tensor)))
    return found


def fit(folder, epochs=3, **options):
    model = dseq.Sequential([dseq.Input((3,)), dseq.layers.Dense(4, name="hidden"), dseq.layers.Dense(1)], name="net")
    model.compile(dseq.optimizers.SGD(0.125), "mse")
    callbacks = [TensorBoard(folder, **options)]
    return model, model.fit(
        X, Y, batch_size=4, epochs=epochs, verbose=0, validation_split=0.2, callbacks=callbacks
    ).history


def numbers(points):
    return [(step, float(value)) for step, value in points]


def test_curves(package, tmp_path):
    _, history = fit(tmp_path)
    train, held_out = read(tmp_path / "train"), read(tmp_path / "validation")
    assert set(train) == {"model", "epoch_loss", "epoch_learning_rate"}
    assert numbers(train["epoch_loss"]) == [(i, np.float32(v)) for i, v in enumerate(history["loss"])]
    assert numbers(train["epoch_learning_rate"]) == [(i, 0.125) for i in range(3)]
    assert numbers(held_out["epoch_loss"]) == [(i, np.float32(v)) for i, v in enumerate(history["val_loss"])]
    over_steps = [(4 * i + 4, np.float32(v)) for i, v in enumerate(history["val_loss"])]
    assert numbers(held_out["evaluation_loss_vs_iterations"]) == over_steps
    text = train["model"][0][1].item().decode()
    assert (
        'Model: "net"' in text and "hidden" in text and all(not line or line[:4] == "    " for line in text.split("\n"))
    )


def test_curves_over_batches(package, tmp_path):
    fit(tmp_path, epochs=2, update_freq=3, write_graph=False, write_steps_per_second=True)
    train = read(tmp_path / "train")
    assert "model" not in train
    assert [step for step, _ in train["batch_loss"]] == [3, 6]
    assert [step for step, _ in train["batch_steps_per_second"]] == [3, 6]
    assert all(value > 0 for _, value in train["epoch_steps_per_second"])


def test_weights(package, tmp_path):
    model, _ = fit(tmp_path, epochs=3, histogram_freq=2, write_images=True)
    train = read(tmp_path / "train")
    points = train["net/hidden/kernel/histogram"]
    assert [step for step, _ in points] == [0, 2]
    kernel = model.layers[0].kernel.numpy()
    buckets = points[-1][1]
    assert buckets.shape == (30, 3) and buckets[:, 2].sum() == 12
    assert buckets[0, 0] == kernel.min() and buckets[-1, 1] == kernel.max()
    width, height, picture = train["net/hidden/kernel/image"][0][1]
    assert (width, height) == (b"4", b"3") and picture.startswith(b"\x89PNG")


def test_batch_hooks_only_if_asked_for(package, tmp_path):
    assert not CallbackList(TensorBoard(tmp_path)).has_batch_hooks
    assert CallbackList(TensorBoard(tmp_path, update_freq="batch")).has_hook("on_train_batch_end")


def test_what_has_no_effect_is_said(package):
    with pytest.warns(UserWarning, match=r"no profile and no embeddings from dseq: profile_batch=\(2, 5\) and embedd"):
        TensorBoard(profile_batch=(2, 5), embeddings_freq=1)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"update_freq": "never"}, "Received: update_freq='never'"),
        ({"update_freq": 0}, "Received: update_freq=0"),
        ({"histogram_freq": -1}, "Received: histogram_freq=-1"),
        ({"profile_batch": "a"}, "profile_batch must be a non-negative integer.*Received: profile_batch='a'"),
        ({"profile_batch": (5, 2)}, r"Received: profile_batch=\(5, 2\)"),
    ],
)
def test_arguments_are_checked(package, options, message):
    with pytest.raises(ValueError, match=message):
        TensorBoard(**options)

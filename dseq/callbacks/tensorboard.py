"""Writes curves, distributions of weights and the model's table for TensorBoard."""

import importlib.util
import os
import time
import warnings

import numpy as np

from dseq.callbacks.callback import Callback
from dseq.callbacks.event_file import EventFile
from dseq.callbacks.rates import learning_rate, optimizer_of
from dseq.parallel import communicator


class TensorBoard(Callback):
    """Writes what `tensorboard --logdir logs` shows: on rank 0, in the folders `train` and `validation`.

    Curves are `epoch_<name>` over epochs, with the learning rate, `batch_<name>` over batches with `update_freq`, and
    `evaluation_<name>_vs_iterations` over the optimizer's steps.

    Args:
        log_dir: Folder of the files.
        histogram_freq: Number of epochs between two histograms of the weights, 0 for none.
        write_graph: Whether to write the model's summary, as a text.
        write_images: Whether to write weights as pictures, with the histograms.
        write_steps_per_second: Whether to write how many steps are made in a second, of epochs and batches.
        update_freq: `"epoch"`; `"batch"`, or a number of batches: curves over batches too.
        profile_batch: Accepted as in Keras; dseq has nothing to show here, and says so.
        embeddings_freq: Accepted as in Keras; dseq does not write embeddings for the projector, and says so.
        embeddings_metadata: For `embeddings_freq`.

    Raises:
        ImportError: If the package `tensorboard` is not installed.
        ValueError: If an argument is not of that kind.

    Example:
        >>> model.fit(x, y, epochs=5, callbacks=[TensorBoard("logs", histogram_freq=1)])
    """

    def __init__(
        self,
        log_dir="logs",
        histogram_freq=0,
        write_graph=True,
        write_images=False,
        write_steps_per_second=False,
        update_freq="epoch",
        profile_batch=0,
        embeddings_freq=0,
        embeddings_metadata=None,
    ):
        super().__init__()
        if importlib.util.find_spec("tensorboard") is None:
            raise ImportError(
                "dseq.callbacks.TensorBoard needs the package `tensorboard`: `pip install dseq[tensorboard]`, or "
                "`pip install tensorboard`. TensorFlow is not needed. CSVLogger writes the same numbers without it."
            )
        update_freq = 1 if update_freq == "batch" else update_freq
        if update_freq != "epoch" and not _is_count(update_freq, 1):
            raise ValueError(
                "`update_freq` of TensorBoard must be 'epoch', 'batch' or a positive number of batches. "
                f"Received: update_freq={update_freq!r}"
            )
        for name, value in (("histogram_freq", histogram_freq), ("embeddings_freq", embeddings_freq)):
            if not _is_count(value, 0):
                raise ValueError(f"`{name}` of TensorBoard must be a number of epochs. Received: {name}={value!r}")
        _check_profile(profile_batch)
        ignored = {"profile_batch": profile_batch, "embeddings_freq": embeddings_freq}
        ignored = [f"{name}={value!r}" for name, value in ignored.items() if value]
        if ignored and communicator.get().rank == 0:
            warnings.warn(
                f"TensorBoard gets no profile and no embeddings from dseq: {' and '.join(ignored)} has no effect.",
                stacklevel=2,
            )
        self.log_dir = os.fsdecode(log_dir)
        self.histogram_freq = histogram_freq
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = update_freq
        self.embeddings_freq = embeddings_freq
        self.embeddings_metadata = embeddings_metadata
        self._files = {}
        self._global_train_batch = 0
        self._before_epoch = 0
        self._epoch_began = self._batch_began = 0.0
        self._iterations = 0
        if update_freq == "epoch" and not write_steps_per_second:
            self._idle_hooks = {"on_train_batch_begin", "on_train_batch_end"}

    def _file(self, folder):
        if folder not in self._files:
            self._files[folder] = EventFile(os.path.join(self.log_dir, folder))
        return self._files[folder]

    @property
    def _writes(self):
        return communicator.get().rank == 0

    # Training.

    def on_train_begin(self, logs=None):
        self._global_train_batch = self._before_epoch = 0
        if self.write_graph and self._writes:
            lines = []
            self.model.summary(print_fn=lambda text, line_break=True: lines.append(text))
            table = "\n".join(f"    {line}" for text in lines for line in text.splitlines())
            self._file("train").text("model", table)

    def on_epoch_begin(self, epoch, logs=None):
        self._before_epoch = self._global_train_batch
        self._epoch_began, self._iterations = time.perf_counter(), self._steps_made()

    def on_train_batch_begin(self, batch, logs=None):
        self._batch_began = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        before, self._global_train_batch = self._global_train_batch, self._before_epoch + batch + 1
        if not self._writes or self.update_freq == "epoch":
            return
        if before // self.update_freq == self._global_train_batch // self.update_freq:
            return
        values = {f"batch_{name}": value for name, value in (logs or {}).items()}
        if self.write_steps_per_second:
            seconds = time.perf_counter() - self._batch_began
            values["batch_steps_per_second"] = (self._global_train_batch - before) / max(seconds, 1e-9)
        self._scalars("train", values, self._global_train_batch)

    def on_epoch_end(self, epoch, logs=None):
        if not self._writes or not logs:
            return
        values = {name: value for name, value in logs.items() if not name.startswith("val_")}
        values["learning_rate"] = learning_rate(optimizer_of(self.model, "TensorBoard"))
        if self.write_steps_per_second:
            seconds = time.perf_counter() - self._epoch_began
            values["steps_per_second"] = (self._steps_made() - self._iterations) / max(seconds, 1e-9)
        self._scalars("train", {f"epoch_{name}": value for name, value in values.items()}, epoch)
        held_out = {name.removeprefix("val_"): value for name, value in logs.items() if name.startswith("val_")}
        if held_out:
            self._scalars("validation", {f"epoch_{name}": value for name, value in held_out.items()}, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._weights(epoch)
        for file in self._files.values():
            file.flush()

    def on_train_end(self, logs=None):
        for file in self._files.values():
            file.close()
        self._files = {}

    # Evaluating.

    def on_test_end(self, logs=None):
        if self._writes and getattr(self.model, "optimizer", None) is not None:
            values = {f"evaluation_{name}_vs_iterations": value for name, value in (logs or {}).items()}
            self._scalars("validation", values, self._steps_made())
            self._file("validation").flush()

    # What is kept, and what is written.

    def save_state(self):
        return {"batches": self._global_train_batch}

    def load_state(self, state):
        self._global_train_batch = state["batches"]

    def _steps_made(self):
        return int(getattr(getattr(self.model, "optimizer", None), "iterations", 0))

    def _scalars(self, folder, values, step):
        file = self._file(folder)
        for name, value in values.items():
            if np.ndim(value) == 0:
                file.scalar(name, float(value), step)

    def _weights(self, epoch):
        file = self._file("train")
        for weight in self.model.weights:
            file.histogram(f"{weight.path}/histogram", weight.array, epoch)
            pictures = _as_pictures(weight.array) if self.write_images else None
            if pictures is not None:
                file.images(f"{weight.path}/image", pictures, epoch)


def _as_pictures(weight):
    """A weight as pictures `(pictures, height, width, channels)`, wide rather than high; None if it can't be shown."""
    weight = np.squeeze(weight)
    if weight.ndim == 1:
        return weight.reshape(1, -1, 1, 1)
    if weight.ndim == 2:
        weight = weight.T if weight.shape[0] > weight.shape[1] else weight
        return weight[None, :, :, None]
    if weight.ndim == 3:  # a picture for each filter
        return np.moveaxis(weight, -1, 0)[..., None]
    return weight if weight.ndim == 4 and weight.shape[-1] in (1, 3, 4) else None


def _is_count(value, least):
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _check_profile(profile_batch):
    try:
        parts = profile_batch.split(",") if isinstance(profile_batch, str) else profile_batch
        parts = [int(part) for part in parts] if isinstance(parts, list | tuple) else [int(parts)] * 2
        fits = len(parts) == 2 and 0 <= parts[0] <= parts[1] or (isinstance(profile_batch, str) and len(parts) == 1)
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ValueError(
            "profile_batch must be a non-negative integer or 2-tuple of positive integers. A pair of positive integers "
            f"signifies a range of batches to profile. Received: profile_batch={profile_batch!r}"
        )

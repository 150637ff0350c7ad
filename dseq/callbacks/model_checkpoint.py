"""Saves the model or its weights as training goes on."""

import os
import warnings
from pathlib import Path

import numpy as np

from dseq.callbacks.announce import announce
from dseq.callbacks.counting import BatchCounter, check_frequency
from dseq.callbacks.monitor import MonitorCallback
from dseq.parallel import communicator


class ModelCheckpoint(MonitorCallback):
    """Saves the model, or only its weights, after every epoch or every few batches, or whenever it is the best so far.

    All ranks take part in saving, and rank 0 writes. A file is replaced as a whole or not at all.

    Args:
        filepath: Path that ends in `.weights.h5` with `save_weights_only`, or else in `.keras` or `.h5`. It may hold
            `{epoch}`, which counts from 1, `{batch}` with a number as `save_freq`, and names in the logs, with formats
            as in `"{epoch:02d}-{val_loss:.2f}.weights.h5"`. Folders are made. A file of that name is replaced.
        monitor: Name in the logs that tells which model is best.
        verbose: 0 or 1; 1 says when the model is saved and why.
        save_best_only: Whether to save only when `monitor` has improved.
        save_weights_only: Whether to save the weights, and the optimizer's state, but not the model.
        mode: `"min"`, `"max"`, or `"auto"`: by the metric of that name.
        save_freq: `"epoch"`, or a number of batches.
        initial_value_threshold: Value that the first one has to improve on, when training goes on from a file.

    Raises:
        ValueError: If an argument is not of that kind; when training begins, if the model can't be saved whole.
        KeyError: After the first epoch, if `filepath` holds a name that is not in the logs.
        OSError: If the file can't be written, on all ranks.

    Example:
        >>> ModelCheckpoint("best.weights.h5", save_weights_only=True, save_best_only=True)
    """

    def __init__(
        self,
        filepath,
        monitor="val_loss",
        verbose=0,
        save_best_only=False,
        save_weights_only=False,
        mode="auto",
        save_freq="epoch",
        initial_value_threshold=None,
    ):
        super().__init__(monitor, mode, initial_value_threshold)
        self.filepath = os.fsdecode(filepath)
        if save_weights_only and not self.filepath.endswith(".weights.h5"):
            raise ValueError(
                "When using `save_weights_only=True` in `ModelCheckpoint`, the filepath provided must end in "
                f"`.weights.h5`. Received: filepath={self.filepath}"
            )
        if not save_weights_only and not self.filepath.endswith((".keras", ".h5")):
            raise ValueError(
                f"The filepath provided must end in `.keras` (whole models). Received: filepath={self.filepath}. "
                "For weights alone pass `save_weights_only=True` and a path that ends in `.weights.h5`."
            )
        check_frequency(save_freq, "ModelCheckpoint")
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self._current_epoch = 0
        self._counter = BatchCounter(save_freq)
        if save_freq == "epoch":
            self._idle_hooks = {"on_train_batch_end"}

    def set_model(self, model):
        super().set_model(model)
        if not self.save_weights_only and not hasattr(model, "save"):
            raise ValueError(
                "ModelCheckpoint must have `save_weights_only=True`, because dseq does not yet save whole models. "
                f"Received: save_weights_only={self.save_weights_only!r}, filepath={self.filepath}. "
                "Pass `save_weights_only=True` and a `filepath` that ends in `.weights.h5`."
            )

    def on_epoch_begin(self, epoch, logs=None):
        self._current_epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.save_freq != "epoch" and self._counter.due(batch):
            self._save(self._current_epoch, batch, logs)

    def on_epoch_end(self, epoch, logs=None):
        if self.save_freq == "epoch":
            self._save(epoch, None, logs)

    def save_state(self):
        return {"best": self.best, "batches": self._counter.seen, "last_batch": self._counter.last}

    def load_state(self, state):
        self.best = state["best"]
        self._counter.seen, self._counter.last = state["batches"], state["last_batch"]

    def _save(self, epoch, batch, logs):
        logs = dict(logs or {})
        path = self._path(epoch, batch, logs)
        if self.save_best_only and not self._is_best(epoch, path, logs):
            return
        if self.verbose and not self.save_best_only:
            announce(f"Epoch {epoch + 1}: saving model to {path}", after_bar=True)
        communicator.get().share_outcome(lambda: _prepare(path))
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)
        if self.verbose:
            announce(f"Epoch {epoch + 1}: finished saving model to {path}")

    def _is_best(self, epoch, path, logs) -> bool:
        value = logs.get(self.monitor)
        if value is None or np.ndim(value) > 0:
            warnings.warn(
                f"Can save best model only with {self.monitor} available, and a single number: saving this one. "
                f"Received: {self.monitor}={value!r}. Available metrics are: {','.join(logs)}",
                stacklevel=4,
            )
            return True
        value, best = float(value), self.best
        shown = "None" if best is None else f"{best:.5f}"
        if not self._is_improvement(value, best):
            if self.verbose:
                announce(f"Epoch {epoch + 1}: {self.monitor} did not improve from {shown}", after_bar=True)
            return False
        self.best = value
        if self.verbose:
            message = f"Epoch {epoch + 1}: {self.monitor} improved from {shown} to {value:.5f}, saving model to {path}"
            announce(message, after_bar=True)
        return True

    def _path(self, epoch, batch, logs) -> str:
        known = {"epoch": epoch + 1, **({} if batch is None else {"batch": batch + 1}), **logs}
        try:
            return self.filepath.format(**known)
        except KeyError as error:
            raise KeyError(
                f"`filepath` of ModelCheckpoint may only hold names that are known when it saves: {', '.join(known)}. "
                f"Received: filepath={self.filepath}"
            ) from error


def _prepare(path):
    """Makes the folder: only on the rank that writes; all learn if it can't."""
    if os.path.isdir(path):
        raise IsADirectoryError(
            "Please specify a non-directory filepath for ModelCheckpoint. Received: an existing directory, "
            f"filepath={path}"
        )
    Path(path).parent.mkdir(parents=True, exist_ok=True)

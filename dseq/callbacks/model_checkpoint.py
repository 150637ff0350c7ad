"""Saves the weights as training goes on."""

import warnings
from pathlib import Path

from dseq.callbacks.announce import announce
from dseq.callbacks.monitor import MonitorCallback
from dseq.parallel import communicator


class ModelCheckpoint(MonitorCallback):
    """Saves the model's weights after every epoch or every few batches, or whenever they are the best so far.

    All ranks take part in saving, and rank 0 writes.

    Args:
        filepath: Path that ends in `.weights.h5`. It may hold `{epoch}`, which counts from 1, `{batch}`, and names in
            the logs, with formats as in `"{epoch:02d}-{val_loss:.2f}.weights.h5"`. Folders are made.
        monitor: Name in the logs that tells which weights are best.
        verbose: 0 or 1; 1 says when weights are saved and why.
        save_best_only: Whether to save only when `monitor` has improved.
        save_weights_only: Must be True: dseq does not yet save whole models.
        mode: `"min"`, `"max"`, or `"auto"`: by the metric of that name.
        save_freq: `"epoch"`, or a number of batches.
        initial_value_threshold: Value that the first one has to improve on, when training goes on from a file.

    Raises:
        ValueError: If an argument is not of that kind.
        KeyError: After the first epoch, if `filepath` holds a name that is not in the logs.

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
        self.filepath = str(filepath)
        if not save_weights_only:
            raise ValueError(
                f"ModelCheckpoint must have `save_weights_only=True`, because dseq does not yet save whole models. "
                f"Received: save_weights_only={save_weights_only!r}, filepath={self.filepath}. "
                f"Pass `save_weights_only=True` and a `filepath` that ends in `.weights.h5`."
            )
        if not self.filepath.endswith(".weights.h5"):
            raise ValueError(
                f"`filepath` of ModelCheckpoint must end in `.weights.h5` when `save_weights_only=True`. "
                f"Received: filepath={self.filepath}"
            )
        if save_freq != "epoch" and (not isinstance(save_freq, int) or isinstance(save_freq, bool) or save_freq < 1):
            raise ValueError(
                f"`save_freq` of ModelCheckpoint must be 'epoch' or a number of batches. "
                f"Received: save_freq={save_freq!r}"
            )
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self._epoch = 0
        self._batches = 0  # since the last saving; runs on over the ends of epochs

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.save_freq == "epoch":
            return
        self._batches += 1
        if self._batches >= self.save_freq:
            self._batches = 0
            self._save(self._epoch, batch, logs)

    def on_epoch_end(self, epoch, logs=None):
        if self.save_freq == "epoch":
            self._save(epoch, None, logs)

    def _save(self, epoch, batch, logs):
        logs = dict(logs or {})
        path = self._path(epoch, batch, logs)
        if self.save_best_only and not self._is_best(epoch, path, logs):
            return
        # Only the rank that writes makes folders, and all learn if it can't.
        communicator.get().share_outcome(lambda: Path(path).parent.mkdir(parents=True, exist_ok=True))
        self.model.save_weights(path, overwrite=True)
        if self.verbose and not self.save_best_only:
            announce(f"Epoch {epoch + 1}: saved model to {path}", after_bar=True)

    def _is_best(self, epoch, path, logs) -> bool:
        if self.monitor not in logs:
            warnings.warn(
                f"ModelCheckpoint can save the best model only if `{self.monitor}` is available, so it saves this one. "
                f"Available metrics are: {','.join(logs)}",
                stacklevel=4,
            )
            return True
        value, best = float(logs[self.monitor]), self.best
        shown = "None" if best is None else f"{best:.5f}"
        if not self.improves(value, best):
            if self.verbose:
                announce(f"Epoch {epoch + 1}: {self.monitor} did not improve from {shown}", after_bar=True)
            return False
        self.best = value
        if self.verbose:
            message = f"Epoch {epoch + 1}: {self.monitor} improved from {shown} to {value:.5f}, saving model to {path}"
            announce(message, after_bar=True)
        return True

    def _path(self, epoch, batch, logs) -> str:
        known = {"epoch": epoch + 1, **logs}
        if batch is not None:
            known["batch"] = batch + 1
        try:
            return self.filepath.format(**known)
        except KeyError as error:
            raise KeyError(
                f"`filepath` of ModelCheckpoint may only hold names that are known when it saves: {', '.join(known)}. "
                f"Received: filepath={self.filepath}"
            ) from error

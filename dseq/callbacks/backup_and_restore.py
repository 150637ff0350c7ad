"""Keeps training on disk, so that a job that was interrupted goes on where it was."""

import json
import os
import shutil
import warnings
from contextlib import suppress
from pathlib import Path

from dseq.callbacks.callback import Callback
from dseq.callbacks.counting import BatchCounter
from dseq.callbacks.history import History
from dseq.callbacks.progress import ProgbarLogger
from dseq.parallel import communicator
from dseq.saving.assign import assign
from dseq.saving.atomic import replacing

VERSION = 1  # of what is kept beside the weights


class BackupAndRestore(Callback):
    """Saves the state of training again and again, and goes on from it when `fit` is called anew after an interruption.

    The job started again ends with the same weights, to the bit, as one that was never interrupted, also on another
    number of ranks. Kept are the weights, the optimizer, the epoch and the batch in it, the sums of its losses and
    metrics, the seed of shuffling and dropout, and what other callbacks remember (`Callback.save_state`).
    `History` has only what the new call of `fit` ran, as in Keras.

    A backup is made when all other callbacks have heard of the epoch or batch. Rank 0 writes; files are replaced as a
    whole or not at all: `latest.weights.h5`, which `load_weights` reads too, and for people `training_metadata.json`.

    Args:
        backup_dir: Folder of the files, made if need be, of this one `fit`.
        save_freq: `"epoch"`, a number of batches, or False: only restore.
        double_checkpoint: Whether to keep the backup before the last too, should the last one be damaged.
        delete_checkpoint: Whether to delete the files when `fit` has ended well.

    Raises:
        ValueError: If an argument is not of that kind; when training begins, if the files do not fit the model.
        OSError: If files are damaged, or can't be written.

    Example:
        >>> model.fit(x, y, epochs=100, callbacks=[BackupAndRestore("backup", save_freq=1000)])
    """

    def __init__(self, backup_dir, save_freq="epoch", double_checkpoint=False, delete_checkpoint=True):
        super().__init__()
        if not backup_dir:
            raise ValueError(f"Empty `backup_dir` argument passed to BackupAndRestore. Received: {backup_dir!r}")
        batches = isinstance(save_freq, int) and (save_freq is False or (save_freq is not True and save_freq > 0))
        if save_freq != "epoch" and not batches:
            raise ValueError(
                "Invalid value for argument `save_freq` of BackupAndRestore. Expected either 'epoch', a positive "
                f"number of batches, or False. Received: save_freq={save_freq!r}"
            )
        self.backup_dir = os.fsdecode(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._weights_path = os.path.join(self.backup_dir, "latest.weights.h5")
        self._training_metadata_path = os.path.join(self.backup_dir, "training_metadata.json")
        self._prev_weights_path = f"{self._weights_path}.bkp"
        self._prev_training_metadata_path = f"{self._training_metadata_path}.bkp"
        self._counter = BatchCounter(save_freq)
        self._current_epoch = 0
        self._last_batch_seen = 0
        self._others = None  # the callbacks whose state is kept; None outside of a CallbackList
        self._others_states = []
        self._due = False
        if not save_freq or save_freq == "epoch":
            self._idle_hooks = {"on_train_batch_end"}

    # Saving.

    def on_train_batch_end(self, batch, logs=None):
        self._last_batch_seen = batch
        if self.save_freq and self.save_freq != "epoch" and self._counter.due(batch):
            self._save_soon()

    def on_epoch_end(self, epoch, logs=None):
        self._current_epoch = epoch + 1
        self._last_batch_seen = 0
        if self.save_freq == "epoch":
            self._save_soon()

    def _save_soon(self):
        self._due = True
        if self._others is None:
            self.save_if_due()

    def save_if_due(self) -> None:
        """Makes the backup that a hook has found due; a `CallbackList` calls it after the hooks of all callbacks."""
        position = getattr(self.model, "_position", None)
        last = position is not None and position.steps is not None and position.batch >= position.steps
        if self._due and not last:  # what is due with an epoch's last batch waits for the epoch's end
            self._due = False
            world = communicator.get()
            with world.section("BackupAndRestore"):
                if position is not None:
                    position.session.unite()
                world.share_outcome(self._write)

    def save_now(self) -> str:
        """Makes a backup between two batches, whatever is due; called by all ranks.

        Returns:
            The folder.
        """
        world = communicator.get()
        with world.section("BackupAndRestore"):
            world.share_outcome(self.save_here)
        return self.backup_dir

    def save_here(self) -> str:
        """As `save_now`, but done by this rank alone, which need not be rank 0: the others may be stuck.

        Returns:
            The folder.
        """
        position = getattr(self.model, "_position", None)
        if position is not None:
            self._current_epoch, self._last_batch_seen = position.epoch, max(0, position.batch - 1)
        self._write()
        return self.backup_dir

    def _write(self):
        from dseq.saving import backup  # here, so that only the process that writes or reads loads HDF5

        Path(self.backup_dir).mkdir(parents=True, exist_ok=True)
        position = getattr(self.model, "_position", None)
        state = {
            "version": VERSION,
            "position": position.save_state() if position else None,
            "counter": [self._counter.seen, self._counter.last],
            "callbacks": [[type(other).__name__, other.save_state()] for other in self._others or ()],
        }
        if self.double_checkpoint:
            _keep(self._weights_path, self._prev_weights_path)
            _keep(self._training_metadata_path, self._prev_training_metadata_path)
        backup.write(self._weights_path, self.model, state)
        with replacing(self._training_metadata_path) as file:
            file.write(json.dumps({"epoch": self._current_epoch, "batch": self._last_batch_seen}).encode())

    # Restoring.

    def attend(self, callbacks) -> None:
        """Takes the callbacks whose state is to be kept; a `CallbackList` calls it before training begins.

        Args:
            callbacks: All callbacks of the run.
        """
        ours = BackupAndRestore | History | ProgbarLogger
        self._others = [callback for callback in callbacks if not isinstance(callback, ours)]

    def on_train_begin(self, logs=None):
        self._due = False
        if not self.model.built:
            raise ValueError(
                "To use the BackupAndRestore callback, your model must be built before you call `fit()`. "
                f"Received: model {self.model.name!r}, which is not. Build it by calling it on a batch of data, or by "
                "`build(input_shape)`."
            )
        world = communicator.get()
        with world.section("BackupAndRestore"):
            found = world.share_outcome(self._read)
        if found is None:
            return
        tree, state, epoch = found
        if state is not None and state.get("version") != VERSION:
            raise ValueError(
                f"The backup in {self.backup_dir} was written by another version of dseq. "
                f"Received: version={state.get('version')}. To begin anew, delete it."
            )
        assign(tree, self.model, warn=None if world.rank == 0 else lambda message: None)
        for variable in self.model.variables:
            variable.synchronised = True
        position = getattr(self.model, "_position", None)
        if state is None:  # written by Keras, which knows no batches
            state = {"position": None, "counter": [0, None], "callbacks": []}
            if position is not None:
                position.epoch = epoch
        self._counter.seen, self._counter.last = state["counter"]
        self._others_states = state["callbacks"]
        if position is not None and state["position"] is not None:
            self._go_to(position, state["position"], world)
        if position is not None:
            self._current_epoch, self._last_batch_seen = position.epoch, max(0, position.batch - 1)

    def _go_to(self, position, kept, world):
        if kept["batch"] and kept["steps"] != position.steps:
            if world.rank == 0:
                warnings.warn(
                    f"BackupAndRestore repeats epoch {kept['epoch'] + 1} from its beginning, because its batches are "
                    f"others than when it was interrupted in batch {kept['batch']}. Received: {position.steps} steps "
                    f"in an epoch, {kept['steps']} before. Use the same data and `batch_size` to go on in an epoch.",
                    stacklevel=2,
                )
            kept = kept | {"batch": 0, "sums": None}
        if not position.load_state(kept) and world.rank == 0:
            warnings.warn(
                f"The logs of epoch {kept['epoch'] + 1} are those of its batches from {kept['batch'] + 1} on, because "
                "the model was compiled with other losses or metrics before BackupAndRestore went on from its backup.",
                stacklevel=2,
            )

    def restore_callbacks(self) -> None:
        """Gives the other callbacks what they remembered; a `CallbackList` calls it after `on_train_begin` of all."""
        states, self._others_states = list(self._others_states), []
        for other in self._others or ():
            index = next((i for i, (kind, _) in enumerate(states) if kind == type(other).__name__), None)
            if index is not None:
                other.load_state(states.pop(index)[1])

    def _read(self):
        """The last backup that can be read: what weights files hold, the state, the epoch; None if there is none."""
        from dseq.saving import backup

        last = self._weights_path, self._training_metadata_path
        before = self._prev_weights_path, self._prev_training_metadata_path
        if not any(os.path.exists(path) for path, _ in (last, before)):
            return None
        try:
            return *backup.read(last[0]), _epoch(last[1])
        except OSError as error:
            if not os.path.exists(before[0]):
                raise OSError(
                    f"BackupAndRestore can't go on from its backup: {error} To begin anew, delete {self.backup_dir}; "
                    "to be safe from damage of the last backup, pass `double_checkpoint=True`."
                ) from error
            warnings.warn(f"BackupAndRestore goes on from the backup before the last: {error}", stacklevel=2)
            return *backup.read(before[0]), _epoch(before[1])

    # The end.

    def on_train_end(self, logs=None):
        if self.delete_checkpoint:
            communicator.get().share_outcome(self._delete)

    def _delete(self):
        # Only what is ours: the folder may hold more.
        for path in (self._weights_path, self._training_metadata_path):
            for name in (path, f"{path}.bkp"):
                with suppress(FileNotFoundError):
                    os.unlink(name)
        with suppress(OSError):
            os.rmdir(self.backup_dir)


def _keep(path, kept):
    """Makes a second name for a file, which stays with these bytes when the first one gets others."""
    if not os.path.exists(path):
        return
    scratch = f"{kept}.tmp"
    with suppress(FileNotFoundError):
        os.unlink(scratch)
    try:
        os.link(path, scratch)
    except OSError:  # some file systems have no links
        shutil.copyfile(path, scratch)
    os.replace(scratch, kept)


def _epoch(path):
    try:
        with open(path, encoding="utf-8") as file:
            return int(json.load(file)["epoch"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0

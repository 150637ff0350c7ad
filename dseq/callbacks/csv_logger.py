"""Writes a line of values for each epoch."""

import csv
import os
from collections.abc import Iterable

import numpy as np

from dseq.callbacks.callback import Callback
from dseq.parallel import communicator


class CSVLogger(Callback):
    """Streams the logs of epochs to a CSV file; rank 0 writes it.

    The columns are `epoch`, counted from 0, and the names in the first epoch's logs, sorted. If there is no validation
    in that epoch, there is a column `val_...` for each all the same. Where a value is missing stands `NA`.

    Args:
        filename: Path of the file.
        separator: String between two values.
        append: Whether to go on at the end of a file that exists, instead of making it anew.

    Raises:
        OSError: When training begins, on every rank, if the file can't be opened.

    Example:
        >>> model.fit(x, y, epochs=5, callbacks=[CSVLogger("training.log", append=True)])
    """

    def __init__(self, filename, separator=",", append=False):
        super().__init__()
        self.sep = separator
        self.filename = os.fsdecode(filename)
        self.append = append
        self.keys = None
        self.append_header = True
        self.csv_file = None
        self.writer = None

    def on_train_begin(self, logs=None):
        self._close()
        self.keys, self.writer = None, None
        world = communicator.get()
        world.share_outcome(self._open)

    def _open(self):
        self.append_header = True
        if self.append and os.path.exists(self.filename):
            with open(self.filename, encoding="utf-8") as file:
                self.append_header = not file.readline()
        mode = "a" if self.append else "w"
        # Without `with`: the file stays open until the end of training. The `csv` module ends lines itself.
        self.csv_file = open(self.filename, mode, newline="", encoding="utf-8")  # noqa: SIM115

    def on_epoch_end(self, epoch, logs=None):
        if self.csv_file is None:  # not rank 0
            return
        logs = logs or {}
        if self.keys is None:
            self.keys = sorted(logs)
            if not any(key.startswith("val_") for key in self.keys):
                self.keys += [f"val_{key}" for key in self.keys]
        if self.writer is None:
            self.writer = csv.DictWriter(self.csv_file, ["epoch", *self.keys], delimiter=self.sep)
            if self.append_header:
                self.writer.writeheader()
        self.writer.writerow({"epoch": epoch} | {key: _text(logs.get(key, "NA")) for key in self.keys})
        self.csv_file.flush()

    def on_train_end(self, logs=None):
        self._close()
        self.writer = None

    def _close(self):
        if self.csv_file is not None:
            self.csv_file.close()
            self.csv_file = None


def _text(value):
    if isinstance(value, str) or not isinstance(value, Iterable) or np.ndim(value) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'

"""Keeps what each epoch reported: what `fit` returns."""

from dseq.callbacks.callback import Callback
from dseq.callbacks.logs import in_order


class History(Callback):
    """Records loss and metrics of every epoch. `fit` adds one, returns it, and keeps it as `model.history`.

    Attributes:
        history: Dictionary from name to the list of values, one for each epoch; by name, validation last.
        epoch: Numbers of the epochs, from 0.
        params: `verbose`, `epochs` and `steps` of the run.
    """

    def __init__(self):
        self.history = {}
        self.epoch = []

    def on_train_begin(self, logs=None):
        self.epoch = []

    def on_epoch_end(self, epoch, logs=None):
        self.epoch.append(epoch)
        for name, value in in_order(logs):
            self.history.setdefault(name, []).append(value)
        if self.model is not None:
            self.model.history = self

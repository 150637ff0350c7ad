"""Ends training when a value has stopped improving."""

import warnings
from numbers import Integral, Real

from dseq.callbacks.announce import announce
from dseq.callbacks.monitor import MonitorCallback

STATE = ("wait", "stopped_epoch", "best", "best_epoch", "best_weights")


class EarlyStopping(MonitorCallback):
    """Stops `fit` after `patience` epochs without improvement.

    Args:
        monitor: Name in the logs to go by.
        min_delta: Smallest change that counts as improvement.
        patience: Number of epochs without improvement before training stops.
        verbose: 0 or 1; 1 says when and why training stops.
        mode: `"min"`, `"max"`, or `"auto"`: by the metric of that name.
        baseline: Waiting starts anew only on values better than this.
        restore_best_weights: Whether the model ends with the weights of its best epoch, also when it wasn't stopped.
        start_from_epoch: Number of epochs at the start that are not looked at.

    Raises:
        ValueError: If an argument is not of that kind, or the direction of `monitor` can't be told.

    Example:
        >>> model.fit(x, y, validation_split=0.1, epochs=100, callbacks=[EarlyStopping(patience=3)])
    """

    def __init__(
        self,
        monitor="val_loss",
        min_delta=0,
        patience=0,
        verbose=0,
        mode="auto",
        baseline=None,
        restore_best_weights=False,
        start_from_epoch=0,
    ):
        super().__init__(monitor, mode, min_delta=min_delta)
        for name, value in (("patience", patience), ("start_from_epoch", start_from_epoch)):
            if not isinstance(value, Integral) or value < 0:
                raise ValueError(f"`{name}` of EarlyStopping must be an integer >= 0. Received: {name}={value!r}")
        if baseline is not None and not isinstance(baseline, Real):
            raise ValueError(f"`baseline` of EarlyStopping must be a number or None. Received: baseline={baseline!r}")
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._start()

    def _start(self):
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_epoch = 0
        self.best_weights = None

    def on_train_begin(self, logs=None):
        self._start()

    def on_epoch_end(self, epoch, logs=None):
        value = self.get_monitor_value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        value = self._number(value)
        if self.restore_best_weights and self.best_weights is None:
            self._keep(epoch)  # so that there is something to go back to if nothing ever improves
        self.wait += 1
        if self._is_improvement(value, self.best):
            self.best = value
            self._keep(epoch)
            if self.baseline is None or self._is_improvement(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        if self.stopped_epoch > 0 and self.verbose:
            announce(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                announce(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)

    def _keep(self, epoch):
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()

    def get_monitor_value(self, logs):
        """The value to go by, or None, with a warning, if it is not in the logs.

        Args:
            logs: The logs of an epoch.
        """
        logs = logs or {}
        value = logs.get(self.monitor)
        if value is None:
            warnings.warn(
                f"Early stopping conditioned on metric `{self.monitor}` which is not available. "
                f"Available metrics are: {','.join(logs)}",
                stacklevel=3,
            )
        return value

    def save_state(self):
        return {name: getattr(self, name) for name in STATE}

    def load_state(self, state):
        for name in STATE:
            setattr(self, name, state[name])

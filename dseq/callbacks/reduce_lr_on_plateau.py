"""Lowers the learning rate when a value has stopped improving."""

import warnings
from numbers import Real

import numpy as np

from dseq.callbacks.announce import announce
from dseq.callbacks.monitor import MonitorCallback
from dseq.callbacks.rates import learning_rate, optimizer_of


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the learning rate by `factor` after `patience` epochs without improvement.

    Epochs' logs gain `learning_rate`, the one that the epoch was trained with.

    Args:
        monitor: Name in the logs to go by.
        factor: By how much the learning rate is multiplied, less than 1.
        patience: Number of epochs without improvement before that.
        verbose: 0 or 1; 1 says when the learning rate is reduced.
        mode: `"min"`, `"max"`, or `"auto"`: by the metric of that name.
        min_delta: Smallest change that counts as improvement.
        cooldown: Number of epochs after a reduction that do not count as waiting.
        min_lr: Least learning rate.
        **kwargs: Ignored, with a warning.

    Raises:
        ValueError: If an argument is not of that kind, or the direction of `monitor` can't be told.
        TypeError: During training, if the optimizer has a schedule of its own.

    Example:
        >>> reduce = ReduceLROnPlateau("val_loss", factor=0.2, patience=5, min_lr=1e-4)
    """

    def __init__(
        self,
        monitor="val_loss",
        factor=0.1,
        patience=10,
        verbose=0,
        mode="auto",
        min_delta=1e-4,
        cooldown=0,
        min_lr=0.0,
        **kwargs,
    ):
        super().__init__(monitor, mode, min_delta=min_delta)
        numbers = {"factor": factor, "patience": patience, "cooldown": cooldown, "min_lr": min_lr}
        for name, value in numbers.items():
            if not isinstance(value, Real):
                raise ValueError(f"`{name}` of ReduceLROnPlateau must be a number. Received: {name}={value!r}")
        if factor >= 1.0:
            raise ValueError(f"ReduceLROnPlateau does not support a factor >= 1.0. Received: factor={factor}")
        if kwargs:
            warnings.warn(f"ReduceLROnPlateau ignores the arguments {sorted(kwargs)}.", stacklevel=2)
        self.factor = factor
        self.min_lr = min_lr
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self._reset()

    def _reset(self):
        self.best = None
        self.cooldown_counter = 0
        self.wait = 0

    def save_state(self):
        return {"best": self.best, "cooldown_counter": self.cooldown_counter, "wait": self.wait}

    def load_state(self, state):
        self.best, self.cooldown_counter, self.wait = state["best"], state["cooldown_counter"], state["wait"]

    def on_train_begin(self, logs=None):
        self._reset()

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        optimizer = optimizer_of(self.model, "ReduceLROnPlateau")
        logs["learning_rate"] = learning_rate(optimizer)
        if logs.get(self.monitor) is None:
            warnings.warn(
                f"Learning rate reduction is conditioned on metric `{self.monitor}` which is not available. "
                f"Available metrics are: {','.join(logs)}",
                stacklevel=3,
            )
            return
        value = self._number(logs[self.monitor])
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_improvement(value, self.best):
            self.best = value
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and self._reduce(optimizer, epoch):
                self.cooldown_counter = self.cooldown
                self.wait = 0

    def _reduce(self, optimizer, epoch) -> bool:
        old = learning_rate(optimizer)
        if old <= np.float32(self.min_lr):  # the optimizer keeps its rate in single precision
            return False
        new = max(old * self.factor, self.min_lr)
        optimizer.learning_rate = new
        if self.verbose:
            announce(f"Epoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {new}.", after_bar=True)
        return True

    def in_cooldown(self) -> bool:
        """Whether the last reduction is so recent that epochs do not count as waiting."""
        return self.cooldown_counter > 0

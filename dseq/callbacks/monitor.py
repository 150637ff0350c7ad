"""Whether a monitored value has improved: what EarlyStopping and ModelCheckpoint share."""

import math
from numbers import Real

from dseq.callbacks.callback import Callback

MODES = ("auto", "min", "max")
# Names whose direction needs no metric object. A metric of the model is asked first.
RISING = {"acc", "accuracy", "auc", "precision", "recall", "f1_score", "r2_score"}


class MonitorCallback(Callback):
    """A callback that decides by one name in the logs of an epoch.

    Args:
        monitor: Name in the logs.
        mode: `"min"`, `"max"`, or `"auto"`: by the metric of that name.
        initial: Value that the first one has to improve on, or None.
        min_delta: Smallest change that counts.

    Raises:
        ValueError: If an argument is not of that kind.
    """

    def __init__(self, monitor="val_loss", mode="auto", initial=None, min_delta=0):
        kind = type(self).__name__
        if not isinstance(monitor, str):
            raise ValueError(f"`monitor` of {kind} must be a name in the logs. Received: monitor={monitor!r}")
        if mode not in MODES:
            raise ValueError(f"`mode` of {kind} must be one of {', '.join(MODES)}. Received: mode={mode!r}")
        if not isinstance(min_delta, Real):
            raise ValueError(f"`min_delta` of {kind} must be a number. Received: min_delta={min_delta!r}")
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self.best = initial

    def improves(self, value, reference) -> bool:
        """Whether `value` is better than `reference` by more than `min_delta`; anything is better than None or NaN."""
        if math.isnan(value):
            return False
        if reference is None or math.isnan(reference):
            return True
        if self._falling():
            return value < reference - self.min_delta
        return value > reference + self.min_delta

    def _falling(self) -> bool:
        """Whether less is better. A model has all its metrics only when training has begun, so this is asked late."""
        if self.mode == "auto":
            self.mode = self._find_mode()
        return self.mode == "min"

    def _find_mode(self):
        name = self.monitor.removeprefix("val_")
        if name == "loss" or name.endswith("_loss"):
            return "min"
        metrics = list(getattr(self.model, "metrics", None) or [])
        # A model with several outputs puts the output's name before the metric's.
        for same in (lambda metric: metric.name == name, lambda metric: name.endswith(f"_{metric.name}")):
            for metric in filter(same, metrics):
                direction = getattr(metric, "_direction", None)
                if direction is not None:
                    return "max" if direction == "up" else "min"
        if name in RISING:
            return "max"
        raise ValueError(
            f"{type(self).__name__} can't tell whether {self.monitor!r} should rise or fall. "
            f"Received: mode='auto', metrics={[metric.name for metric in metrics]}. "
            f"Pass `mode='max'` if more is better, or `mode='min'` if less is."
        )

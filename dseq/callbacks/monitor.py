"""Whether a monitored value has improved: what EarlyStopping, ModelCheckpoint and ReduceLROnPlateau share."""

import math
import warnings
from numbers import Real

import numpy as np

from dseq.callbacks.callback import Callback

MODES = ("auto", "min", "max")
# Names whose direction needs no metric object. A metric of the model is asked first.
RISING = {"acc", "accuracy", "auc", "precision", "recall", "f1_score", "r2_score"}


class MonitorCallback(Callback):
    """A callback that decides by one name in the logs of an epoch.

    Args:
        monitor: Name in the logs.
        mode: `"min"`, `"max"`, or `"auto"`: by the metric of that name. Anything else warns and counts as `"auto"`.
        baseline: Value that the first one has to improve on, or None.
        min_delta: Smallest change that counts.

    Attributes:
        best: The best value so far, or None.
        monitor_op: `np.less` or `np.greater`, once it was needed; None before.

    Raises:
        ValueError: If `monitor` is no name or `min_delta` no number.
    """

    def __init__(self, monitor="val_loss", mode="auto", baseline=None, min_delta=0):
        super().__init__()
        kind = type(self).__name__
        if not isinstance(monitor, str):
            raise ValueError(f"`monitor` of {kind} must be a name in the logs. Received: monitor={monitor!r}")
        if not isinstance(min_delta, Real):
            raise ValueError(f"`min_delta` of {kind} must be a number. Received: min_delta={min_delta!r}")
        if mode not in MODES:
            warnings.warn(
                f"{kind} mode {mode!r} is unknown, fallback to auto mode. It must be one of {', '.join(MODES)}.",
                stacklevel=3,
            )
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self.best = baseline
        self.monitor_op = None

    def _set_monitor_op(self) -> None:
        """Finds the direction. A model has all its metrics only when training has begun, so this comes late."""
        if self.monitor_op is None:
            mode = self._find_mode() if self.mode == "auto" else self.mode
            self.monitor_op = np.greater if mode == "max" else np.less

    def _is_improvement(self, monitor_value, reference_value) -> bool:
        """Whether a value beats another by more than `min_delta`; anything but NaN is better than None or NaN."""
        if math.isnan(monitor_value):
            return False
        if reference_value is None or math.isnan(reference_value):
            return True
        self._set_monitor_op()
        delta = self.min_delta if self.monitor_op is np.greater else -self.min_delta
        return bool(self.monitor_op(monitor_value - delta, reference_value))

    def _number(self, value) -> float:
        """The monitored value as a number, also of an array that holds one only."""
        if np.size(value) != 1:
            raise ValueError(
                f"`monitor` of {type(self).__name__} must be the name of a single number. "
                f"Received: {self.monitor}={value!r}"
            )
        return float(np.asarray(value).item())

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
            f"{type(self).__name__} can't tell whether {self.monitor!r} should be maximized or minimized. "
            f"Received: mode='auto', metrics={[metric.name for metric in metrics]}. "
            f"Pass `mode='max'` if more is better, or `mode='min'` if less is."
        )

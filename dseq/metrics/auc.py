"""Area under the curve that a classifier draws as its threshold moves."""

from enum import Enum

import numpy as np

from dseq.metrics.confusion import PARTS, Confusion, are_even, ratio
from dseq.program.floatx import epsilon

CURVES = ("ROC", "PR", "PRGAIN")
METHODS = ("interpolation", "minoring", "majoring")


class AUC(Confusion):
    """Area under the curve of recall over false positive rate (ROC), or of precision over recall (PR).

    The curve is drawn through the values at some hundred thresholds: more of them come closer to the exact area.

    Args:
        num_thresholds: Number of thresholds, spread evenly over [0, 1].
        curve: `"ROC"`, `"PR"` or `"PRGAIN"`.
        summation_method: `"interpolation"`, or `"minoring"` and `"majoring"` for a bound from below and above.
        name: Name of the metric.
        dtype: Float type for arrays.
        thresholds: List of thresholds in [0, 1] instead of `num_thresholds`; both ends are added.
        multi_label: Whether each column is a classifier of its own, whose areas are averaged.
        num_labels: Number of columns, if known.
        label_weights: Weight of each column: in that average, or of its elements without `multi_label`.
        from_logits: Whether predictions are logits, of which the metric makes probabilities by sigmoid.

    Raises:
        ValueError: If an argument is none of these.

    Example:
        >>> AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
        0.75
    """

    _direction = "up"
    takes_zero = True

    def __init__(
        self,
        num_thresholds=200,
        curve="ROC",
        summation_method="interpolation",
        name=None,
        dtype=None,
        thresholds=None,
        multi_label=False,
        num_labels=None,
        label_weights=None,
        from_logits=False,
    ):
        self.curve = _chosen(curve, CURVES, "AUC curve")
        self.summation_method = _chosen(summation_method, METHODS, "AUC summation method")
        self._given = thresholds is not None
        if self._given:
            inner = sorted(float(t) for t in thresholds)
            if any(t < 0 or t > 1 for t in inner):
                raise ValueError(f"Threshold values must be in [0, 1]. Received: thresholds={thresholds}")
        elif num_thresholds <= 1:
            raise ValueError(
                f"Argument `num_thresholds` must be an integer > 1. Received: num_thresholds={num_thresholds}"
            )
        else:
            inner = [k / (num_thresholds - 1) for k in range(1, num_thresholds - 1)]
        if num_labels and not multi_label:
            raise ValueError(
                f"`num_labels` is needed only when `multi_label` is True. Received: num_labels={num_labels}"
            )
        self._even = not self._given or are_even([0.0, *inner, 1.0])
        super().__init__(PARTS, [-epsilon(), *inner, 1 + epsilon()], dtype, name)
        self.num_thresholds = len(self.thresholds)
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = None if label_weights is None else np.asarray(label_weights, np.float64)
        self.from_logits = from_logits
        if multi_label and num_labels:
            self._build(num_labels)

    @property
    def _inner_even(self):
        return self._even

    def _build(self, columns):
        if self._columns != columns or len(self._layout[PARTS[0]]) == 1:
            self._columns = columns
            self._allocate(**dict.fromkeys(PARTS, (self.num_thresholds, columns)))

    def target(self, y_true_shape, y_pred_shape):
        if self.multi_label:
            if len(y_pred_shape) != 1:
                raise ValueError(
                    f"`y_pred` must have rank 2 when `multi_label=True`. Received: y_pred.shape={(None, *y_pred_shape)}"
                )
            if self.num_labels and self.num_labels != y_pred_shape[0]:
                raise ValueError(
                    f"`num_labels` must be the number of columns of `y_pred`. Received: num_labels={self.num_labels}, "
                    f"y_pred.shape={(None, *y_pred_shape)}"
                )
            self._build(y_pred_shape[0])
        if self.label_weights is not None and self.label_weights.size != (y_pred_shape[-1] if y_pred_shape else 1):
            raise ValueError(
                f"`label_weights` must have a weight for each column of `y_pred`. Received: {self.label_weights.size} "
                f"weights, y_pred.shape={(None, *y_pred_shape)}"
            )
        return super().target(y_true_shape, y_pred_shape)

    def result(self):
        tp, fp, tn, fn = map(self._part, PARTS)
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._averaged(_interpolated_precision(tp, fp, fn))
        x, y = self._curve(tp, fp, tn, fn)
        if self.summation_method == "interpolation":
            heights = (y[:-1] + y[1:]) / 2
        else:
            heights = (np.minimum if self.summation_method == "minoring" else np.maximum)(y[:-1], y[1:])
        return self._averaged((x[:-1] - x[1:]) * heights)

    def _curve(self, tp, fp, tn, fn):
        recall = ratio(tp, tp + fn)
        if self.curve == "ROC":
            return ratio(fp, fp + tn), recall
        if self.curve == "PR":
            return recall, ratio(tp, tp + fp)
        # Flach and Kull's gains; below the share of positives recall gains nothing.
        share = ratio(tp + fn, tn + fp)
        recall_gain = np.where(tp == 0, 0.0, 1 - share * ratio(fn, tp))
        precision_gain = np.where(tp == 0, 1.0, 1 - share * ratio(fp, tp))
        return np.maximum(recall_gain, 0.0), precision_gain

    def _averaged(self, areas):
        areas = areas.sum(0)
        if self.multi_label and self.label_weights is not None:
            total = self.label_weights.sum()
            return float((areas * self.label_weights).sum() / total) if total else 0.0
        return float(np.mean(areas))

    def get_config(self):
        config = {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if self.label_weights is None else self.label_weights.tolist(),
            "from_logits": self.from_logits,
        }
        if self._given:
            config["thresholds"] = self.thresholds[1:-1]
        return config


def _chosen(value, allowed, what):
    """One of some words, in capitals or not."""
    given = value.value if isinstance(value, Enum) else value
    for word in allowed:
        if given in (word, word.lower(), word.capitalize()):
            return word
    raise ValueError(f"Invalid {what} value: {value!r}. Expected one of {list(allowed)}. Received: {value!r}")


def _interpolated_precision(tp, fp, fn):
    """Areas under precision over recall between thresholds, with positives that change in step (Davis, Goadrich)."""
    predicted = tp + fp
    gained, more = tp[:-1] - tp[1:], np.maximum(predicted[:-1] - predicted[1:], 0)
    slope = ratio(gained, more)
    start = tp[1:] - slope * predicted[1:]
    both = (predicted[:-1] > 0) & (predicted[1:] > 0)
    quotient = np.where(both, ratio(predicted[:-1], predicted[1:]), 1.0)
    with np.errstate(divide="ignore"):
        areas = slope * (gained + start * np.log(quotient))
    return ratio(areas, np.maximum(tp[1:] + fn[1:], 0))

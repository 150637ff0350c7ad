"""Counts of right and wrong answers at thresholds, and the ratios made of them."""

import numpy as np

from dseq.kernels import confusion as kernels
from dseq.kernels.activation import sigmoid_forward
from dseq.losses.shapes import same_shape
from dseq.metrics.lowered import LoweredMetric, room, rows_of
from dseq.program.floatx import epsilon
from dseq.program.operand import flat, matrix

LOWEST = -1e10  # below every prediction
PARTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")


def ratio(above, below):
    """Quotients, 0 where the divisor is 0."""
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    return np.divide(above, below, out=np.zeros(np.broadcast_shapes(above.shape, below.shape)), where=below != 0)


def number(values):
    """One value as a float, several as an array."""
    return float(values[0]) if len(values) == 1 else np.array(values)


def are_even(thresholds) -> bool:
    """Whether thresholds are k / (T - 1), so that each prediction has to be looked at once only."""
    if len(thresholds) < 3:
        return False
    even = np.arange(len(thresholds)) / (len(thresholds) - 1)
    return np.allclose(thresholds, even, atol=epsilon())


def as_thresholds(thresholds, default) -> list:
    """Thresholds as a list.

    Args:
        thresholds: Number, list of numbers or None.
        default: What None means.

    Raises:
        ValueError: If one is outside of [0, 1].
    """
    if thresholds is None:
        return [default]
    thresholds = list(thresholds) if isinstance(thresholds, list | tuple | np.ndarray) else [thresholds]
    invalid = [t for t in thresholds if t is None or t < 0 or t > 1]
    if invalid:
        raise ValueError(f"Threshold values must be in [0, 1]. Received: {invalid}")
    return thresholds


class Confusion(LoweredMetric):
    """The base of metrics that count true and false positives and negatives at thresholds.

    Labels are cut to whether they are 0; a prediction is positive if it is above a threshold. Sample weights may be
    given for samples, rows or elements.

    Args:
        parts: Which of the counts are kept.
        thresholds: List of thresholds.
        dtype: Float type for arrays.
        name: Name of the metric.

    Attributes:
        takes_zero: Whether the first threshold lies below 0 and the last above 1.
        label_weights: Weights of columns, or None.
    """

    takes_zero = False
    top_k = class_id = label_weights = None
    from_logits = False

    def __init__(self, parts, thresholds, dtype, name):
        super().__init__(dtype, name)
        self._parts = tuple(part for part in PARTS if part in parts)
        self.thresholds = thresholds
        self._columns = 1
        self._allocate(**{part: (len(thresholds),) for part in self._parts})

    @property
    def _inner_even(self):
        return are_even(self.thresholds)

    def target(self, y_true_shape, y_pred_shape):
        if self.class_id is not None and len(y_pred_shape) == 0:
            raise ValueError(
                "When class_id is provided, y_pred must be a 2D array with shape (num_samples, num_classes). Received: "
                f"class_id={self.class_id}, y_pred.shape={(None, *y_pred_shape)}"
            )
        if self.class_id is not None and not -y_pred_shape[-1] <= self.class_id < y_pred_shape[-1]:
            raise ValueError(
                f"`class_id` of {self.name} must be a class of the predictions. Received: class_id={self.class_id}, "
                f"y_pred.shape={(None, *y_pred_shape)}"
            )
        return same_shape(self.name, y_true_shape, y_pred_shape), None

    def lower(self, plan, y_true, y_pred, weight, sums):
        labels, rows = matrix(y_true), matrix(y_pred)
        if self.from_logits:
            p = plan.value(f"{self.name}_probabilities", y_pred.shape, plan.dtype)
            plan.forward(sigmoid_forward, flat(p), flat(y_pred))
            rows = matrix(p)
        if self.top_k is not None:
            top = matrix(plan.value(f"{self.name}_top", y_pred.shape, plan.dtype))
            plan.forward(kernels.keep_top, top, rows, self.top_k, plan.constant(LOWEST))
            rows = top
        if self.class_id is not None:
            labels, rows = (self._column(plan, x) for x in (labels, rows))
        counts = room(plan, self, "counts", (2, len(self.thresholds) + 1, self._columns))
        columns = None
        if self.label_weights is not None and self._columns == 1:
            columns = plan.constant(self.label_weights)
        args = counts, labels, rows, rows_of(weight, rows.rows_per_sample), columns
        if self._inner_even:
            plan.forward(kernels.counts_of_even, *args, int(self.takes_zero))
        else:
            plan.forward(kernels.counts_above, *args, plan.constant(self.thresholds))
        wanted = sum(1 << PARTS.index(part) for part in self._parts)
        plan.forward(kernels.add_confusion, sums, counts, wanted)

    def _column(self, plan, x):
        column = self.class_id % x.shape[0]
        y = matrix(plan.value(f"{self.name}_class", (x.rows_per_sample, 1), plan.dtype))
        plan.forward(kernels.take_column, y, x, column)
        return y


class _Count(Confusion):
    part = None

    def __init__(self, thresholds=None, name=None, dtype=None):
        self.init_thresholds = thresholds
        super().__init__((self.part,), as_thresholds(thresholds, 0.5), dtype, name)

    def result(self):
        return number(self._part(self.part))

    def get_config(self):
        return {**super().get_config(), "thresholds": self.init_thresholds}


class TruePositives(_Count):
    """Number of positives that were predicted.

    Args:
        thresholds: Number or list of numbers in [0, 1] above which predictions are positive, 0.5 if None. For a list
            the result is an array.
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    part = "true_positives"


class FalsePositives(_Count):
    """Number of negatives that were predicted to be positive.

    Args:
        thresholds: Number or list of numbers in [0, 1] above which predictions are positive, 0.5 if None.
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    part = "false_positives"


class TrueNegatives(_Count):
    """Number of negatives that were predicted.

    Args:
        thresholds: Number or list of numbers in [0, 1] above which predictions are positive, 0.5 if None.
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    part = "true_negatives"


class FalseNegatives(_Count):
    """Number of positives that were predicted to be negative.

    Args:
        thresholds: Number or list of numbers in [0, 1] above which predictions are positive, 0.5 if None.
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    part = "false_negatives"


class _Ratio(Confusion):
    _direction = "up"
    parts = ()

    def __init__(self, thresholds=None, top_k=None, class_id=None, name=None, dtype=None):
        self.init_thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id
        super().__init__(self.parts, as_thresholds(thresholds, 0.5 if top_k is None else LOWEST), dtype, name)

    def result(self):
        right, wrong = map(self._part, self.parts)
        return number(ratio(right, right + wrong))

    def get_config(self):
        given = {"thresholds": self.init_thresholds, "top_k": self.top_k, "class_id": self.class_id}
        return {**super().get_config(), **given}


class Precision(_Ratio):
    """Share of the predicted positives that are positive.

    Args:
        thresholds: Number or list of numbers in [0, 1] above which predictions are positive, 0.5 if None. For a list
            the result is an array.
        top_k: How many of the largest predictions of each row can be positive; without `thresholds` they are.
        class_id: The class whose column is looked at, all if None.
        name: Name of the metric.
        dtype: Float type for arrays.

    Example:
        >>> Precision()([0, 1, 1, 1], [1, 0, 1, 1])
        0.6666...
    """

    parts = ("true_positives", "false_positives")


class Recall(_Ratio):
    """Share of the positives that were predicted.

    Args:
        thresholds: Number or list of numbers in [0, 1] above which predictions are positive, 0.5 if None. For a list
            the result is an array.
        top_k: How many of the largest predictions of each row can be positive; without `thresholds` they are.
        class_id: The class whose column is looked at, all if None.
        name: Name of the metric.
        dtype: Float type for arrays.

    Example:
        >>> Recall()([0, 1, 1, 1], [1, 0, 1, 1])
        0.6666...
    """

    parts = ("true_positives", "false_negatives")

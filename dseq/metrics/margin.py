"""Hinge losses as metrics."""

from dseq import losses
from dseq.metrics.reduction import MeanMetricWrapper


class _LossMean(MeanMetricWrapper):
    _direction = "down"


class Hinge(_LossMean):
    """Mean of `max(1 - y_true * y_pred, 0)`, labels -1 or 0, and 1.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    def __init__(self, name="hinge", dtype=None):
        super().__init__(losses.Hinge(), name, dtype)


class SquaredHinge(_LossMean):
    """Mean of `max(1 - y_true * y_pred, 0) ** 2`, labels -1 or 0, and 1.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    def __init__(self, name="squared_hinge", dtype=None):
        super().__init__(losses.SquaredHinge(), name, dtype)


class CategoricalHinge(_LossMean):
    """Mean of `max(largest wrong - right + 1, 0)` of rows, one-hot labels.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    def __init__(self, name="categorical_hinge", dtype=None):
        super().__init__(losses.CategoricalHinge(), name, dtype)

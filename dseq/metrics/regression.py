"""Mean errors of predicted numbers."""

import math

from dseq import losses
from dseq.metrics.reduction import MeanMetricWrapper


class _LossMean(MeanMetricWrapper):
    _direction = "down"


class MeanSquaredError(_LossMean):
    """Mean of squared errors.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    def __init__(self, name="mean_squared_error", dtype=None):
        super().__init__(losses.MeanSquaredError(), name, dtype)


class RootMeanSquaredError(_LossMean):
    """Root of the mean of squared errors.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    def __init__(self, name="root_mean_squared_error", dtype=None):
        super().__init__(losses.MeanSquaredError(), name, dtype)

    def result(self):
        return math.sqrt(super().result())


class MeanAbsoluteError(_LossMean):
    """Mean of absolute errors.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    def __init__(self, name="mean_absolute_error", dtype=None):
        super().__init__(losses.MeanAbsoluteError(), name, dtype)


class MeanAbsolutePercentageError(_LossMean):
    """Mean of absolute errors in percent of the labels.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    def __init__(self, name="mean_absolute_percentage_error", dtype=None):
        super().__init__(losses.MeanAbsolutePercentageError(), name, dtype)


class MeanSquaredLogarithmicError(_LossMean):
    """Mean of squared errors of `log(1 + y)`.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    def __init__(self, name="mean_squared_logarithmic_error", dtype=None):
        super().__init__(losses.MeanSquaredLogarithmicError(), name, dtype)


class LogCoshError(_LossMean):
    """Mean of the logarithm of the hyperbolic cosine of errors.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    def __init__(self, name="logcosh", dtype=None):
        super().__init__(losses.LogCosh(), name, dtype)


class CosineSimilarity(MeanMetricWrapper):
    """Mean cosine of the angle between labels and predictions. The loss of this name has the other sign.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.
        axis: Axis of the vectors.
    """

    arguments = ("axis",)
    _direction = "up"

    def __init__(self, name="cosine_similarity", dtype=None, axis=-1):
        super().__init__(losses.CosineSimilarity(axis), name, dtype)

    def result(self):
        return -super().result()

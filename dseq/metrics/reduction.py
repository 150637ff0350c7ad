"""Sum and mean, of numbers and of the values that a loss or a comparison gives for each row."""

import numpy as np

from dseq.kernels.loss import add_weighted
from dseq.losses.loss import evaluate
from dseq.losses.shapes import broadcast_weight
from dseq.metrics.metric import Metric


class Sum(Metric):
    """The weighted sum of values.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.

    Example:
        >>> metric = Sum()
        >>> metric.update_state([1, 3, 5, 7])
        >>> metric.result()
        16.0
    """

    def __init__(self, name="sum", dtype=None):
        super().__init__(dtype, name)

    def update_state(self, values, sample_weight=None):
        """Adds values, each times its weight.

        Args:
            values: Numbers.
            sample_weight: Weights, of the values' shape or what broadcasts to it.
        """
        values = np.asarray(values, np.float64)
        weight = 1.0 if sample_weight is None else broadcast_weight(sample_weight, values.shape)
        self.state[0] += (values * weight).sum()

    def result(self):
        return float(self.state[0])


class Mean(Metric):
    """The weighted mean of values, 0 without any.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.

    Example:
        >>> metric = Mean()
        >>> metric.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
        >>> metric.result()
        2.0
    """

    slots = 2
    names = ("total", "count")

    def __init__(self, name="mean", dtype=None):
        super().__init__(dtype, name)

    def update_state(self, values, sample_weight=None):
        """Adds values, each times its weight.

        Args:
            values: Numbers.
            sample_weight: Weights, of the values' shape or what broadcasts to it.
        """
        values = np.asarray(values, np.float64)
        weight = np.ones(values.shape) if sample_weight is None else broadcast_weight(sample_weight, values.shape)
        self.state += (values * weight).sum(), weight.sum()

    def result(self):
        total, count = self.state
        return float(total / count) if count else 0.0


class RowMean(Mean):
    """The base of metrics that are the mean of a value for each row of predictions.

    A metric of dseq's own implements `target` and `lower_values`, as a loss does.
    """

    def values_per_sample(self, y_pred_shape) -> int:
        """How many values one sample gives."""
        return int(np.prod(y_pred_shape[:-1]))

    def lower_values(self, plan, y_true, y_pred):
        """Writes the values of the rows into a plan; returns `(values, None)`."""
        raise NotImplementedError

    def lower_weight(self, plan, y_true, weight):
        """The weights by which values count."""
        return weight

    def lower(self, plan, y_true, y_pred, weight, sums):
        values, _ = self.lower_values(plan, y_true, y_pred)
        plan.forward(add_weighted, sums, values, self.lower_weight(plan, y_true, weight))

    def counted(self, y_true):
        """Which labels count, as an array of bools; None for all."""
        return None

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds labels and predictions.

        Args:
            y_true: Labels.
            y_pred: Predictions, samples first.
            sample_weight: One weight for each sample or each row, or a number.
        """
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred, self.dtype)
        if y_pred.ndim == 1:  # one number for each sample
            y_pred = y_pred[:, None]
        values = evaluate(self, y_true, y_pred)
        counted = self.counted(y_true)
        if counted is not None:
            weight = 1.0 if sample_weight is None else sample_weight
            sample_weight = broadcast_weight(weight, values.shape) * counted.reshape(values.shape)
        super().update_state(values, sample_weight)


class MeanMetricWrapper(RowMean):
    """The mean of a loss or of a comparison over all rows.

    Args:
        fn: A `Loss`, or a function of `dseq.losses` or `dseq.metrics`.
        name: Name of the metric, the function's if None.
        dtype: Float type for arrays.
        **kwargs: Further arguments of the function.

    Raises:
        ValueError: If the function is one that dseq has no kernel for.
    """

    arguments = ()  # a subclass' arguments that belong to the loss

    def __init__(self, fn, name=None, dtype=None, **kwargs):
        self._fn = fn if hasattr(fn, "lower_values") else _reader(fn, kwargs)
        super().__init__(name or getattr(fn, "__name__", None) or self._fn.name, dtype)

    def target(self, y_true_shape, y_pred_shape):
        return self._fn.target(y_true_shape, y_pred_shape)

    def values_per_sample(self, y_pred_shape):
        return self._fn.values_per_sample(y_pred_shape)

    def lower_values(self, plan, y_true, y_pred):
        return self._fn.lower_values(plan, y_true, y_pred)

    def lower_weight(self, plan, y_true, weight):
        return self._fn.lower_weight(plan, y_true, weight)

    def counted(self, y_true):
        return self._fn.counted(y_true)

    def get_config(self):
        """The constructor's arguments."""
        if type(self) is MeanMetricWrapper:
            return {**super().get_config(), "fn": _describe(self._fn)}
        given = self._fn.get_config()
        return {**super().get_config(), **{name: given[name] for name in self.arguments}}

    @classmethod
    def from_config(cls, config):
        """A metric with this configuration."""
        if isinstance(config.get("fn"), dict):
            config = {**config, "fn": _from_description(config["fn"])}
        return cls(**config)


def _reader(function, arguments):
    """The object that writes into plans what a function of `dseq.losses` or `dseq.metrics` computes."""
    from dseq import metrics  # they are defined with this module's help

    return metrics.reader_of(function, **arguments)


def _describe(reader):
    from dseq import losses, metrics

    return (metrics if isinstance(reader, Metric) else losses).serialize(reader)


def _from_description(config):
    from dseq import losses, metrics

    return (metrics if config["module"] == "keras.metrics" else losses).deserialize(config)

"""Sum and mean, of numbers and of the values that a loss or a comparison gives for each row."""

import numpy as np

from dseq.kernels import gate as gate_kernels
from dseq.kernels.loss import add_weighted
from dseq.losses.custom import as_lowered
from dseq.losses.evaluation import evaluate
from dseq.losses.loss import Loss
from dseq.losses.shapes import broadcast_weight, mask_repeats
from dseq.metrics.metric import Metric
from dseq.program import registry
from dseq.program.operand import flat
from dseq.program.tensor import Tensor, operators


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
        self._allocate(total=())

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

    def __init__(self, name="mean", dtype=None):
        super().__init__(dtype, name)
        self._allocate(total=(), count=())

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

    def values_shape(self, y_pred_shape) -> tuple:
        """The shape of the values of one sample."""
        return tuple(y_pred_shape[:-1])

    def arrange(self, plan, y_true, y_pred):
        """Labels and predictions with their vectors along the last axis."""
        return y_true, y_pred

    def lower_values(self, plan, y_true, y_pred):
        """Writes the values of the rows into a plan; returns `(values, None)`."""
        raise NotImplementedError

    def lower_weight(self, plan, y_true, weight):
        """The weights by which values count."""
        return weight

    def lower(self, plan, y_true, y_pred, weight, sums):
        y_true, y_pred = self.arrange(plan, y_true, y_pred)
        values, _ = self.lower_values(plan, y_true, y_pred)
        if y_pred.mask is not None:
            weight = _masked(plan, self.name, flat(y_pred.mask), weight, values.size)
        if weight is not None:  # as in Keras, an ignored class counts as 0 where nothing has a weight
            weight = self.lower_weight(plan, y_true, weight)
        plan.forward(add_weighted, sums, values, weight)

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
        if isinstance(y_pred, Tensor):  # in a layer's `call`
            operators["measure"](self, y_true, y_pred, sample_weight)
            return
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred, self.dtype)
        if y_pred.ndim == 1:  # one number for each sample
            y_pred = y_pred[:, None]
        values = evaluate(self, y_true, y_pred)
        counted = self.counted(y_true)
        if counted is not None and sample_weight is not None:
            sample_weight = broadcast_weight(sample_weight, values.shape) * counted.reshape(values.shape)
        super().update_state(values, sample_weight)


class MeanMetricWrapper(RowMean):
    """The mean of a loss, of a comparison, or of any function of arrays over all rows.

    Args:
        fn: A `Loss`, a function of `dseq.losses` or `dseq.metrics`, or a function of your own that takes arrays of
            labels and predictions and gives a value for each sample, or an array of them. It may be written with NumPy
            or with `dseq.ops`, and runs in Python.
        name: Name of the metric, the function's if None.
        dtype: Float type for arrays.
        **kwargs: Further arguments of the function.
    """

    arguments = ()  # a subclass' arguments that belong to the loss

    def __init__(self, fn, name=None, dtype=None, **kwargs):
        reader = fn if hasattr(fn, "lower_values") else _reader(fn, kwargs)
        reader = fn if reader is None else as_lowered(reader)
        super().__init__(name or getattr(fn, "__name__", None) or getattr(reader, "name", None), dtype)
        self._fn_kwargs = kwargs
        self.__dict__["_fn"] = reader  # may be a metric, whose state is not part of this one's
        if self._direction is None:
            self._direction = "down" if isinstance(reader, Loss) else getattr(reader, "_direction", None)

    @property
    def runs_on_host(self):
        return not hasattr(self._fn, "lower_values") or super().runs_on_host

    def update_state(self, y_true, y_pred, sample_weight=None):
        if hasattr(self._fn, "lower_values") or isinstance(y_pred, Tensor):
            super().update_state(y_true, y_pred, sample_weight)
            return
        values = np.asarray(self._fn(np.asarray(y_true), np.asarray(y_pred), **self._fn_kwargs))
        if values.ndim == 0 or len(values) != len(y_pred):
            raise ValueError(
                f"The function of metric {self.name!r} must give a value for each sample, since its mean must not "
                f"depend on how samples are shared out. Received: shape {values.shape} for {len(y_pred)} samples. "
                "Leave the first axis alone, e.g. `np.mean(..., axis=-1)`."
            )
        Mean.update_state(self, values, sample_weight)

    def target(self, y_true_shape, y_pred_shape):
        if not hasattr(self._fn, "lower_values"):
            return tuple(y_true_shape), "given"
        return self._fn.target(y_true_shape, y_pred_shape)

    def lower(self, plan, y_true, y_pred, weight, sums):
        super().lower(plan, y_true, y_pred, weight, sums)

    def values_shape(self, y_pred_shape):
        return self._fn.values_shape(y_pred_shape)

    def arrange(self, plan, y_true, y_pred):
        return self._fn.arrange(plan, y_true, y_pred)

    def lower_values(self, plan, y_true, y_pred):
        return self._fn.lower_values(plan, y_true, y_pred)

    def lower_weight(self, plan, y_true, weight):
        return self._fn.lower_weight(plan, y_true, weight)

    def counted(self, y_true):
        return self._fn.counted(y_true)

    def get_config(self):
        """The constructor's arguments."""
        if type(self) is MeanMetricWrapper:
            given = {} if hasattr(self._fn, "lower_values") else self._fn_kwargs
            return {**super().get_config(), "fn": _describe(self._fn), **given}
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

    if not hasattr(reader, "lower_values"):
        name = registry.get_registered_name(reader)
        return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}
    return (metrics if isinstance(reader, Metric) else losses).serialize(reader)


def _from_description(config):
    from dseq import losses, metrics

    if config["class_name"] == "function":
        found = registry.find("keras.metrics", config)
        if found is None:
            raise ValueError(
                f"The function of a metric must be known by its name. Received: {config['config']!r}. Register it with "
                "`dseq.utils.register_keras_serializable`."
            )
        return found
    return (metrics if config["module"] == "keras.metrics" else losses).deserialize(config)


def _masked(plan, name, mask, weight, count):
    """Weights that are 0 where a mask is."""
    gates, weights = (flat(plan.value(f"{name}_{what}", (count,), plan.dtype)) for what in ("gates", "weights"))
    plan.forward(gate_kernels.gate, gates, mask, None, mask_repeats(name, count, mask))
    plan.forward(gate_kernels.gate_weights, weights, gates, weight, None, plan.constant(1.0, "float64"), count)
    return weights

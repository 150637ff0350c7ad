"""Losses of users' own: written with `dseq.ops`, or of NumPy arrays with their gradient."""

import math

import numpy as np

from dseq.kernels.loss import add_shared, spread, spread_once
from dseq.losses.loss import Loss
from dseq.program import registry
from dseq.program.graph import Graph
from dseq.program.operand import flat
from dseq.program.tensor import Tensor, tracing

REMEDY = (
    "Write it with operators and the functions of `dseq.ops`, of which the gradient is known; or give the gradient of "
    "a function of NumPy arrays: `dseq.losses.CustomLoss(value, gradient)`."
)


class TracedLoss(Loss):
    """A function, or the `call` of a `Loss`, written with operators and `dseq.ops`: it becomes part of the step.

    Its values may have any shape with samples first; all of them count alike. A function that gives one number for the
    whole batch gets the sums it needs over all ranks; its samples can't be weighted.

    Args:
        function: Takes labels and predictions with the batch axis first, symbolic ones or arrays.
        name: Name of the loss.
        reduction: What becomes of the values, see `Loss`.
        dtype: Float type for arrays.
        **kwargs: Further arguments of the function.
    """

    def __init__(self, function, name=None, reduction="sum_over_batch_size", dtype=None, **kwargs):
        super().__init__(name or getattr(function, "__name__", None), reduction, dtype)
        self.function = function
        self._arguments = kwargs

    def trace(self, y_true_shape, y_true_dtype, y_pred_shape, dtype):
        """The graph of the function for one sample's shapes.

        Raises:
            ValueError: If the function cannot be traced, or its result is no tensor.
        """
        tensors = [
            Tensor((None, *y_true_shape), y_true_dtype, "y_true"),
            Tensor((None, *y_pred_shape), dtype, "y_pred"),
        ]
        try:
            with tracing():
                result = self.function(*tensors, **self._arguments)
        except (TypeError, AttributeError) as error:
            if "Tensor" not in str(error) and "symbolic" not in str(error):
                raise
            raise ValueError(
                f"Loss {self.name!r} needs a gradient, and can't be followed through functions of arrays: {error} "
                f"Received: {self.function}. {REMEDY}"
            ) from error
        if not isinstance(result, Tensor):
            raise ValueError(
                f"Loss {self.name!r} must return a value computed of `y_pred`. Received: {result!r}. {REMEDY}"
            )
        return Graph(tensors, [result])

    def _shape(self, y_true_shape, y_pred_shape):
        """The shape of one sample's values; None for a value of the whole batch."""
        result = self.trace(y_true_shape, self.dtype, y_pred_shape, self.dtype).outputs[0]
        if result.shared and math.prod(result.shape) != 1:
            raise ValueError(
                f"Loss {self.name!r} must give values for samples, or one for the batch. Received: shape "
                f"{result.shape} without the axis of samples."
            )
        return None if result.shared else tuple(result.shape[1:])

    def target(self, y_true_shape, y_pred_shape):
        shape, y_pred_shape = tuple(y_true_shape), tuple(y_pred_shape)
        if len(shape) == len(y_pred_shape) - 1 and y_pred_shape[-1] == 1 and shape == y_pred_shape[:-1]:
            shape = (*shape, 1)  # as Keras does for all losses
        elif len(shape) == len(y_pred_shape) + 1 and shape[-1] == 1:
            shape = shape[:-1]
        self._values = self._shape(shape, y_pred_shape)
        return shape, "given"

    def values_shape(self, y_pred_shape):
        return self._values or ()

    def arrange(self, plan, y_true, y_pred):
        return y_true, y_pred

    def normalises(self, y_pred):
        return y_pred.mask is not None and self._values is not None

    def lower_values(self, plan, y_true, y_pred):
        graph = self.trace(y_true.shape, y_true.dtype, y_pred.shape, y_pred.dtype)
        result = graph.lower(plan, [y_true, y_pred])[0]
        return flat(plan.floats(result)), result

    def lower(self, plan, y_true, y_pred, weight, total, scale):
        if self._values is not None:
            super().lower(plan, y_true, y_pred, weight, total, scale)
            return
        if weight is not None:
            raise ValueError(
                f"Samples can't be weighted by loss {self.name!r}, which gives one value for the whole batch. "
                "Received: sample weights. Let it give a value for each sample."
            )
        value, result = self.lower_values(plan, y_true, y_pred)
        per_row = plan.per_row_scale()
        once = self.reduction in ("sum", "none", None)
        # Each row has the value of the batch; a sum takes it once.
        rows = flat(plan.value(f"{self.name}_rows", (1,), "uint8"))
        plan.forward(add_shared, total, value, rows, per_row if once else None)
        plan.backward(spread_once, flat(result.grad), scale, None if once else per_row)

    def lower_gradient(self, plan, y_true, y_pred, saved, weight, scale):
        plan.backward(spread, flat(saved.grad), weight, scale)

    def call(self, y_true, y_pred):
        return np.asarray(self.function(y_true, y_pred, **self._arguments))

    def get_config(self):
        return {**super().get_config(), "function": registry.get_registered_name(self.function), **self._arguments}

    @classmethod
    def from_config(cls, config):
        """A loss with this configuration; its function is found by the name it is registered under."""
        return cls(**{**config, "function": function_of(config["function"])})


class CustomLoss(Loss):
    """A loss of NumPy arrays with a gradient of your own; functions compiled by Numba are called likewise.

    The compiled step pauses and calls them with this rank's rows.

    Args:
        value: Function of labels and predictions, samples first, that gives one value for each sample.
        gradient: Function of the same that gives the derivatives of each sample's value by its predictions, an array of
            their shape. With None `value` must be written with `dseq.ops`.
        name: Name of the loss, that of `value` if None.
        reduction: What becomes of the values, see `Loss`.
        dtype: Float type for arrays.

    Example:
        >>> def value(y_true, y_pred):
        ...     return np.abs(y_pred - y_true).mean(-1)
        >>> def gradient(y_true, y_pred):
        ...     return np.sign(y_pred - y_true) / y_pred.shape[-1]
        >>> model.compile("sgd", dseq.losses.CustomLoss(value, gradient))
    """

    def __new__(cls, value, gradient=None, name=None, reduction="sum_over_batch_size", dtype=None):
        if gradient is None and cls is CustomLoss:
            if hasattr(value, "py_func"):
                raise ValueError(
                    f"A loss compiled by Numba needs its gradient. Received: {value} and gradient=None. {REMEDY}"
                )
            return TracedLoss(value, name, reduction, dtype)
        return super().__new__(cls)

    def __init__(self, value, gradient=None, name=None, reduction="sum_over_batch_size", dtype=None):
        super().__init__(name or getattr(value, "__name__", None), reduction, dtype)
        self.value = value
        self.gradient = gradient

    def target(self, y_true_shape, y_pred_shape):
        return tuple(y_true_shape), "given"

    def values_shape(self, y_pred_shape):
        return ()

    def arrange(self, plan, y_true, y_pred):
        return y_true, y_pred

    def normalises(self, y_pred):
        return False  # a mask of steps is not one of samples

    def lower_values(self, plan, y_true, y_pred):
        def value(values, y_true, y_pred):
            if len(y_pred):
                values[...] = self.call(y_true, y_pred)

        value.__name__ = self.name
        values = flat(plan.value(f"{self.name}_values", (1,), plan.dtype))
        plan.host(value, values, y_true, y_pred)
        return values, None

    def lower_gradient(self, plan, y_true, y_pred, saved, weight, scale):
        if y_pred.grad is None:
            return

        def gradient(out, y_true, y_pred, scale, weight=None):
            if not len(y_pred):
                return
            slopes = np.asarray(self.gradient(y_true, y_pred))
            if slopes.shape != y_pred.shape:
                raise ValueError(
                    f"The gradient of loss {self.name!r} must have the shape of `y_pred`. Received: shape "
                    f"{slopes.shape} for y_pred.shape={y_pred.shape}"
                )
            factors = scale[0] if weight is None else scale[0] * weight.astype(np.float64)
            out += slopes * np.reshape(factors, (-1, *[1] * (slopes.ndim - 1)))

        gradient.__name__ = f"{self.name}_gradient"
        weights = () if weight is None else (weight,)
        plan.host_backward(gradient, y_pred.grad, y_true, y_pred, scale, *weights)

    def call(self, y_true, y_pred):
        values = np.asarray(self.value(y_true, y_pred))
        if values.shape != (len(y_pred),):
            raise ValueError(
                f"Loss {self.name!r} must give one value for each sample. Received: shape {values.shape} for "
                f"{len(y_pred)} samples. Take means over all axes but the first."
            )
        return values

    def get_config(self):
        named = {"value": self.value, "gradient": self.gradient}
        return {**super().get_config(), **{key: registry.get_registered_name(f) for key, f in named.items()}}

    @classmethod
    def from_config(cls, config):
        """A loss with this configuration; its functions are found by the names they are registered under."""
        return cls(**{**config, **{key: function_of(config[key]) for key in ("value", "gradient")}})


def function_of(name):
    """A function of the user's own by its registered name.

    Raises:
        ValueError: If it is not known.
    """
    found = registry.get_registered_object(name) if isinstance(name, str) else name
    if found is None:
        raise ValueError(
            f"A function in a loss' configuration must be registered. Received: {name!r}. Put "
            "`dseq.saving.register_keras_serializable()` above it, or name it in `custom_objects`."
        )
    return found


def is_python(loss) -> bool:
    """Whether a loss is what its `call` says in Python, and not what kernels compute."""
    if not isinstance(loss, Loss):
        return False
    kinds = type(loss).__mro__
    place = {name: next(i for i, k in enumerate(kinds) if name in vars(k)) for name in ("call", "lower_values")}
    return place["call"] < place["lower_values"]


def as_lowered(loss) -> Loss:
    """A loss that can be written into plans: itself, or the trace of the `call` of one written in Python."""
    if not is_python(loss):
        return loss
    return TracedLoss(loss.call, loss.name, loss.reduction, loss.dtype)

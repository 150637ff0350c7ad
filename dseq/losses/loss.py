"""What every loss has: how labels must look, the values of rows, their sum and its gradient in a plan."""

import math

import numpy as np

from dseq.kernels import gate as gate_kernels
from dseq.kernels.loss import add_weighted
from dseq.losses.axes import last, sample_axis, without
from dseq.losses.evaluation import evaluate
from dseq.losses.shapes import broadcast_weight, mask_repeats, same_shape
from dseq.program.floatx import standardize
from dseq.program.naming import auto_name, snake_case
from dseq.program.operand import Operand, flat, matrix
from dseq.program.tensor import Tensor

REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None)


class Loss:
    """The base of losses. All axes of the predictions but the last are rows, and each row gives one loss value.

    A loss of your own implements `call(y_true, y_pred)` with operators and the functions of `dseq.ops`, as in Keras. It
    gives a value for each sample, or several, and is compiled with its gradient. One of dseq's own implements
    `lower_values` and `lower_gradient`.

    Args:
        name: Name of the loss.
        reduction: What becomes of the values: `"sum_over_batch_size"` and `"mean"` divide their weighted sum by their
            number, `"mean_with_sample_weight"` by the sum of the weights, `"sum"` by nothing; None or `"none"` gives
            the values themselves, of which training takes the sum.
        dtype: Float type for arrays, `dseq.config.floatx()` if None. In a model the model's type counts.

    Raises:
        ValueError: If `reduction` is something else.
    """

    def __init__(self, name=None, reduction="sum_over_batch_size", dtype=None):
        if reduction not in REDUCTIONS:
            raise ValueError(
                f"Invalid value for argument `reduction`. Expected one of {REDUCTIONS}. "
                f"Received: reduction={reduction!r}"
            )
        self.name = name or auto_name(snake_case(type(self).__name__))
        self.reduction = reduction
        self._dtype = standardize(dtype)

    @property
    def dtype(self) -> str:
        """Name of the float type for arrays."""
        return self._dtype

    # In a plan.

    def target(self, y_true_shape, y_pred_shape):
        """How one sample's labels must be laid out for the kernels.

        Args:
            y_true_shape: Shape of one sample's labels as the user has them.
            y_pred_shape: Shape of one sample's predictions.

        Returns:
            `(shape, type)`; type None for the plan's float type.

        Raises:
            ValueError: If labels of that shape do not fit.
        """
        return same_shape(self.name, y_true_shape, y_pred_shape), None

    def values_shape(self, y_pred_shape) -> tuple:
        """The shape of the loss values of one sample: that of its predictions without the axis of the vectors."""
        return without(y_pred_shape, sample_axis(self.name, getattr(self, "axis", -1), y_pred_shape))

    def values_per_sample(self, y_pred_shape) -> int:
        """How many loss values one sample gives."""
        return math.prod(self.values_shape(y_pred_shape))

    def arrange(self, plan, y_true, y_pred):
        """Labels and predictions with their vectors along the last axis."""
        axis = sample_axis(self.name, getattr(self, "axis", -1), y_pred.shape)
        if len(y_true.shape) == len(y_pred.shape):
            y_true = last(plan, y_true, [axis], f"{self.name}_labels")
        return y_true, last(plan, y_pred, [axis], f"{self.name}_predictions")

    def normalises(self, y_pred) -> bool:
        """Whether the step itself finds out how many values count, and makes up for it in their weights."""
        return y_pred.mask is not None

    def denominator(self, values, weights_sum=None) -> float:
        """What the weighted sum of the values is divided by.

        Args:
            values: Number of loss values in the global batch.
            weights_sum: Sum of their weights, None if there are none.
        """
        if self.reduction in ("sum", "none", None):
            return 1.0
        if self.reduction == "mean_with_sample_weight" and weights_sum is not None:
            return float(weights_sum) or 1.0  # weights that are all 0 make a loss of 0
        return float(max(values, 1))

    def lower(self, plan, y_true, y_pred, weight, total, scale) -> None:
        """Writes the loss into a plan: the weighted sum of its values, and the gradient by the predictions.

        Args:
            plan: The plan.
            y_true: Operand of labels as `target` says.
            y_pred: Operand of predictions.
            weight: Operand with a float for each loss value, or None.
            total: Operand of one slot, to which the sum is added.
            scale: Float64 operand of one element by which the gradient is multiplied.
        """
        y_true, y_pred = self.arrange(plan, y_true, y_pred)
        values, saved = self.lower_values(plan, y_true, y_pred)
        if self.normalises(y_pred):
            weight = self._gated(plan, y_true, y_pred, values, weight)
        plan.forward(add_weighted, total, values, weight)
        self.lower_gradient(plan, y_true, y_pred, saved, weight, scale)

    def _gated(self, plan, y_true, y_pred, values, weight):
        """Weights that are 0 where a value does not count, and make up for it elsewhere as the reduction asks.

        The sum of the values is divided by their number all the same, so that those that count get the weight
        number / (how many count in the global batch).
        """
        mask, count = flat(y_pred.mask), values.size
        repeats = mask_repeats(self.name, count, mask)
        gates, weights = (
            flat(plan.value(f"{self.name}_{what}", (count,), plan.dtype)) for what in ("gates", "weights")
        )
        plan.forward(gate_kernels.gate, gates, mask, self.lower_own_mask(plan, y_true, values), repeats)
        valid = None
        if self.reduction not in ("sum", "none", None):
            valid = plan.value(f"{self.name}_valid", (1,), "float64", shared=True)
            counted = weight if self.reduction == "mean_with_sample_weight" else None
            plan.forward(gate_kernels.gate_total, valid, gates, counted)
            plan.exchange(valid)
        plan.forward(gate_kernels.gate_weights, weights, gates, weight, valid, plan.per_row_scale(), count)
        return weights

    def lower_own_mask(self, plan, y_true, values):
        """Writes which values count to the loss itself into a plan: above 0 if they do. None for all."""
        if self.counted(np.zeros(1)) is None:
            return None
        return self.lower_weight(plan, y_true, None)

    def lower_values(self, plan, y_true, y_pred):
        """Writes the values of the rows into a plan.

        Args:
            plan: The plan.
            y_true: Operand of labels, as `arrange` gives them.
            y_pred: Operand of predictions, with their vectors along the last axis.

        Returns:
            `(values, saved)`: the flat operand of values, and what `lower_gradient` wants to see again.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `call`, or `lower_values`.")

    def lower_gradient(self, plan, y_true, y_pred, saved, weight, scale):
        """Writes the gradient by the predictions into a plan."""
        raise NotImplementedError

    def lower_weight(self, plan, y_true, weight):
        """The weights by which values count in a mean; 0 for those of an ignored class."""
        return weight

    # On arrays.

    def __call__(self, y_true, y_pred, sample_weight=None):
        """The loss of arrays.

        Args:
            y_true: Labels.
            y_pred: Predictions, samples first.
            sample_weight: One weight for each sample or each loss value, or a number.

        Returns:
            A NumPy number of the loss' type; for reduction None an array of values. Of symbolic tensors, as in a
            layer's `call`, a symbolic tensor.
        """
        if isinstance(y_true, Tensor) or isinstance(y_pred, Tensor):
            from dseq.losses import symbolic

            return symbolic.reduced(self, self.call(y_true, y_pred), sample_weight)
        values = np.asarray(self.call(np.asarray(y_true), np.asarray(y_pred, self.dtype)))
        if values.ndim == 0 and sample_weight is not None:  # one value for the whole batch
            values = np.broadcast_to(values, np.shape(sample_weight))
        weight = None if sample_weight is None else broadcast_weight(sample_weight, values.shape)
        if weight is not None:
            values = values * weight.astype(values.dtype)
        if self.reduction in ("none", None):
            return values
        if values.ndim == 0:
            return np.dtype(self.dtype).type(values)
        counted = self._counted_values(np.asarray(y_true), values)
        weights_sum = None if weight is None else (weight * counted).sum()
        total = values.sum(dtype=np.float64) / self.denominator(int(counted.sum()), weights_sum)
        return np.dtype(self.dtype).type(total)

    def call(self, y_true, y_pred) -> np.ndarray:
        """The values of the rows, one for each sample and each axis of the predictions but the last."""
        if isinstance(y_true, Tensor) or isinstance(y_pred, Tensor):
            from dseq.losses import symbolic

            return symbolic.values_of(self, y_true, y_pred)
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred, self.dtype)
        if y_pred.ndim < 2:  # a single row
            return self.call(y_true[None], y_pred.reshape(1, -1))[0]
        return evaluate(self, y_true, y_pred)

    def counted(self, y_true):
        """Which labels the mean counts, as an array of bools; None for all."""
        return None

    def _counted_values(self, y_true, values):
        """Which values the mean counts, an array of bools of their shape."""
        counted = self.counted(y_true)
        return np.ones(values.shape, bool) if counted is None else counted.reshape(values.shape)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config):
        """A loss with this configuration."""
        return cls(**config)


class ElementLoss(Loss):
    """The base of losses whose value is the mean, or the sum, of a term for each element of a row.

    Attributes:
        kernels: The kernel of the terms, the one that makes values of them, and the one of the gradient.
    """

    kernels = None

    def parameters(self) -> tuple:
        """The real parameters of the kernels."""
        return ()

    def lower_values(self, plan, y_true, y_pred):
        forward, reduce, _ = self.kernels
        terms, values = new_terms(plan, self, y_pred), new_values(plan, self, y_pred)
        plan.forward(forward, flat(terms), flat(y_true), flat(y_pred), *self._constants(plan))
        plan.forward(reduce, values, matrix(terms))
        return values, None

    def lower_gradient(self, plan, y_true, y_pred, saved, weight, scale):
        args = matrix(y_pred.grad), matrix(y_true), matrix(y_pred), weight, scale
        plan.backward(self.kernels[2], *args, *self._constants(plan))

    def _constants(self, plan):
        return [plan.constant(value) for value in self.parameters()]


def new_values(plan, loss, y_pred):
    """A flat operand for the loss values of the rows of predictions."""
    return flat(plan.value(f"{loss.name}_values", (math.prod(y_pred.shape[:-1]),), plan.dtype))


def new_terms(plan, loss, y_pred):
    """An operand like the predictions, for what one kernel leaves for the next."""
    return plan.value(f"{loss.name}_terms", y_pred.shape, plan.dtype)


def before_activation(kernel, y_pred):
    """The gradient of what an activation was applied to, if that activation made the predictions.

    Args:
        kernel: The activation's forward kernel, called as (y, x).
        y_pred: Operand of predictions.

    Returns:
        The matrix of the gradient, or None: it was made otherwise, seen in another shape, or needs no gradient.
    """
    producer = y_pred.block.producer
    if producer is None or producer[0] is not kernel:
        return None
    y, x = producer[1][:2]
    rows, grad = matrix(y_pred), x.block.grad
    same = (y.block.shape == y_pred.shape) and y.size == x.size
    if grad is None or not same:
        return None
    return Operand(grad.label, rows.shape, grad.arena, grad.dtype, rows.rows_per_sample, grad.block)

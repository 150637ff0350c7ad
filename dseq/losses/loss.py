"""What every loss has: how labels must look, the values of rows, their sum and its gradient in a plan."""

import math

import numpy as np

from dseq.kernels.loss import add_weighted
from dseq.losses.shapes import broadcast_weight, same_shape
from dseq.program.floatx import standardize
from dseq.program.naming import auto_name, snake_case
from dseq.program.operand import Operand, flat, matrix
from dseq.program.plan import Plan
from dseq.program.step import Step

REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None)


class Loss:
    """The base of losses. All axes of the predictions but the last are rows, and each row gives one loss value.

    A loss of dseq's own implements `lower_values` and `lower_gradient`.

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

    def values_per_sample(self, y_pred_shape) -> int:
        """How many loss values one sample gives."""
        return math.prod(y_pred_shape[:-1])

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
        values, saved = self.lower_values(plan, y_true, y_pred)
        plan.forward(add_weighted, total, values, weight)
        self.lower_gradient(plan, y_true, y_pred, saved, weight, scale)

    def lower_values(self, plan, y_true, y_pred):
        """Writes the values of the rows into a plan.

        Returns:
            `(values, saved)`: the flat operand of values, and what `lower_gradient` wants to see again.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no gradient that dseq knows, and losses written in Python can't be trained "
            "yet. Use one of `dseq.losses`."
        )

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
            A NumPy number of the loss' type; for reduction None an array of values.
        """
        values = self.call(y_true, y_pred)
        weight = None if sample_weight is None else broadcast_weight(sample_weight, values.shape)
        if weight is not None:
            values = values * weight.astype(values.dtype)
        if self.reduction in ("none", None):
            return values
        counted = self.counted(np.asarray(y_true))
        counted = np.ones(values.shape, bool) if counted is None else counted.reshape(values.shape)
        weights_sum = None if weight is None else (weight * counted).sum()
        total = values.sum(dtype=np.float64) / self.denominator(int(counted.sum()), weights_sum)
        return np.dtype(self.dtype).type(total)

    def call(self, y_true, y_pred) -> np.ndarray:
        """The values of the rows, one for each sample and each axis of the predictions but the last."""
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred, self.dtype)
        if y_pred.ndim < 2:  # a single row
            return self.call(y_true[None], y_pred.reshape(1, -1))[0]
        return evaluate(self, y_true, y_pred)

    def counted(self, y_true):
        """Which labels the mean counts, as an array of bools; None for all."""
        return None

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
    return flat(plan.value(f"{loss.name}_values", (loss.values_per_sample(y_pred.shape),), plan.dtype))


def new_terms(plan, loss, y_pred):
    """An operand like the predictions, for what one kernel leaves for the next."""
    return plan.value(f"{loss.name}_terms", y_pred.shape, plan.dtype)


def evaluate(reader, y_true, y_pred) -> np.ndarray:
    """Runs what a loss or metric writes into a plan, on arrays with samples first.

    Args:
        reader: A loss, or anything else with `target`, `values_per_sample` and `lower_values`.
        y_true: Labels.
        y_pred: Predictions.

    Returns:
        An array of values, of the predictions' shape without its last axis.

    Raises:
        ValueError: If shapes do not fit, or a label is no class.
    """
    if len(y_true) != len(y_pred):
        raise ValueError(
            f"`y_true` and `y_pred` must have the same number of samples. Received: {len(y_true)} and {len(y_pred)}"
        )
    plan = Plan(dtype=y_pred.dtype)
    shape, dtype = reader.target(y_true.shape[1:], y_pred.shape[1:])
    labels, predictions = plan.input("y_true", shape, dtype), plan.input("y_pred", y_pred.shape[1:])
    values, _ = reader.lower_values(plan, labels, predictions)
    step = Step(plan, runner="calls")
    step.bind(len(y_pred))
    with np.errstate(invalid="ignore"):  # NaN as a class number becomes one that is none
        step.input("y_true")[...] = y_true.reshape(len(y_true), *shape)
    step.input("y_pred")[...] = y_pred
    step.compute()
    for operand, message in plan.faults:
        if step.tail[operand.start] != 0:
            raise ValueError(f"{message}labels from {y_true.min()} to {y_true.max()}.")
    return step.array(values).reshape(y_pred.shape[:-1]).copy()


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

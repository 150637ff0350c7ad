"""Losses for segmentation: how little labels and predictions overlap, in a sample or in the whole batch."""

import math

import numpy as np

from dseq.kernels import overlap as kernels
from dseq.losses.axes import last, without
from dseq.losses.loss import Loss
from dseq.program.floatx import epsilon
from dseq.program.operand import Operand, flat


class Overlap(Loss):
    """The base of Dice and Tversky.

    Their `axis` counts the axis of samples: with it (and with None, all axes) the sums go over the global batch, which
    then has one value, or one for each place of the other axes. Without it each sample has values of its own.

    Args:
        form: The numbers a, b, c, d of `1 - a I / (b I + c T + d P + epsilon)`.
        axis: Int, tuple of ints or None.
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        dtype: Float type for arrays.
    """

    def __init__(self, form, axis, reduction, name, dtype):
        super().__init__(name, reduction, dtype)
        self.axis = axis
        self._form = form

    def _axes(self, y_pred_shape):
        """The axes that are summed: whether samples are, and the places in one sample's shape.

        Raises:
            ValueError: If one is no axis.
        """
        rank = len(y_pred_shape) + 1
        given = range(rank) if self.axis is None else self.axis
        given = (given,) if isinstance(given, int) else tuple(given)
        if not all(isinstance(a, int) and -rank <= a < rank for a in given):
            raise ValueError(
                f"`axis` of {self.name} must be axes of the predictions. Received: axis={self.axis} for predictions of "
                f"shape {(None, *y_pred_shape)}"
            )
        axes = {a % rank for a in given}
        return 0 in axes, sorted(a - 1 for a in axes if a)

    def values_shape(self, y_pred_shape):
        over_batch, axes = self._axes(y_pred_shape)
        shape = tuple(y_pred_shape)
        for a in reversed(axes):
            shape = without(shape, a)
        return () if over_batch else shape

    def arrange(self, plan, y_true, y_pred):
        _, axes = self._axes(y_pred.shape)
        return last(plan, y_true, axes, f"{self.name}_labels"), last(plan, y_pred, axes, f"{self.name}_predictions")

    def _numbers(self, plan):
        return plan.constant([*self._form, epsilon()], "float64")

    def lower_values(self, plan, y_true, y_pred):
        over_batch, axes = self._axes(y_pred.shape)
        labels, rows = _rows(y_true, axes), _rows(y_pred, axes)
        count = 1 if over_batch else rows.rows_per_sample
        values = flat(plan.value(f"{self.name}_values", (count,), plan.dtype))
        if over_batch:
            sums, _ = self._lower_sums(plan, labels, rows, None)
            part = plan.constant(1 / rows.rows_per_sample, "float64")
            plan.forward(kernels.batch_overlap_values, values, sums, self._numbers(plan), part)
        else:
            plan.forward(kernels.overlap_forward, values, labels, rows, self._numbers(plan))
        return values, None

    def lower(self, plan, y_true, y_pred, weight, total, scale):
        over_batch, axes = self._axes(y_pred.shape)
        if not over_batch:
            super().lower(plan, y_true, y_pred, weight, total, scale)
            return
        y_true, y_pred = self.arrange(plan, y_true, y_pred)
        labels, rows = _rows(y_true, axes), _rows(y_pred, axes)
        groups = rows.rows_per_sample
        if weight is not None and groups > 1:
            raise ValueError(
                f"Samples can't be weighted by {self.name} with axis={self.axis}: its {groups} values are those of the "
                "whole batch. Received: sample weights. Leave them out, or leave axis 0 out of `axis`."
            )
        sums, own = self._lower_sums(plan, labels, rows, weight)
        part = plan.constant(1.0 if self.reduction in ("sum", "none", None) else 1 / groups, "float64")
        plan.forward(kernels.batch_overlap_total, total, sums, own, self._numbers(plan), part)
        args = _rows(y_pred.grad, axes), labels, rows, sums, scale, self._numbers(plan), part
        plan.backward(kernels.batch_overlap_backward, *args)

    def _lower_sums(self, plan, labels, rows, weight):
        """The sums over the global batch; each sample counts as its weight, or so that the reduction comes out."""
        sums = plan.value(f"{self.name}_sums", (rows.rows_per_sample + 1, 3), "float64", shared=True)
        own = plan.value(f"{self.name}_weight", (1,), "float64", shared=True)
        once = weight is None and self.reduction in ("sum", "none", None)
        each = plan.per_row_scale() if once else plan.constant(1.0, "float64")
        plan.forward(kernels.batch_overlap_sums, sums, own, labels, rows, weight, each)
        plan.exchange(sums)
        return sums, own

    def lower_gradient(self, plan, y_true, y_pred, saved, weight, scale):
        _, axes = self._axes(y_pred.shape)
        labels, rows = _rows(y_true, axes), _rows(y_pred, axes)
        args = _rows(y_pred.grad, axes), labels, rows, weight, scale, self._numbers(plan)
        plan.backward(kernels.overlap_backward, *args)

    def normalises(self, y_pred):
        return y_pred.mask is not None and not self._axes(y_pred.shape)[0]

    def call(self, y_true, y_pred):
        y_pred = np.asarray(y_pred, self.dtype)
        y_true = np.asarray(y_true).astype(np.float64)
        over_batch, axes = self._axes(y_pred.shape[1:])
        shape, _ = self.target(y_true.shape[1:], y_pred.shape[1:])
        axes = tuple([0] * over_batch + [a + 1 for a in axes])
        t, p = y_true.reshape(len(y_true), *shape), y_pred.astype(np.float64)
        both, labels, predictions = (t * p).sum(axes), t.sum(axes), p.sum(axes)
        a, b, c, d = self._form
        values = 1 - a * both / (b * both + c * labels + d * predictions + epsilon())
        return np.asarray(values, self.dtype)

    def get_config(self):
        return {**super().get_config(), "axis": self.axis}


class Dice(Overlap):
    """One minus Dice's coefficient: `1 - 2 * sum(t * p) / (sum(t) + sum(p) + epsilon)`.

    Args:
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        axis: The axes of the sums: None for all, the axis of samples among them, so that there is one value for the
            global batch; e.g. (1, 2, 3) for one value for each image.
        dtype: Float type for arrays.

    Example:
        >>> Dice()([[1, 2], [1, 2]], [[4, 1], [6, 1]])
        -0.5555...
    """

    def __init__(self, reduction="sum_over_batch_size", name="dice", axis=None, dtype=None):
        super().__init__((2.0, 0.0, 1.0, 1.0), axis, reduction, name, dtype)


class Tversky(Overlap):
    """One minus Tversky's index: Dice with weights for what is predicted wrongly.

    Args:
        alpha: Weight of what is labelled and not predicted, as in Keras.
        beta: Weight of what is predicted and not labelled.
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        axis: The axes of the sums, as for `Dice`.
        dtype: Float type for arrays.
    """

    def __init__(self, alpha=0.5, beta=0.5, reduction="sum_over_batch_size", name="tversky", axis=None, dtype=None):
        super().__init__((1.0, 1.0 - alpha - beta, alpha, beta), axis, reduction, name, dtype)
        self.alpha = alpha
        self.beta = beta

    def get_config(self):
        return {**super().get_config(), "alpha": self.alpha, "beta": self.beta}


def _rows(operand, axes):
    """An arranged operand as a matrix with a row for each group of each sample; None stays None."""
    if operand is None:
        return None
    members = math.prod(operand.shape[len(operand.shape) - len(axes) :])
    return Operand(operand.label, (members,), operand.arena, operand.dtype, operand.size // members, operand.block)

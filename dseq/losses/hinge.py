"""Hinge losses, for maximum-margin classification."""

from dseq.kernels import loss as kernels
from dseq.losses.loss import ElementLoss, Loss, new_values
from dseq.program.operand import matrix


class Hinge(ElementLoss):
    """Mean of `max(1 - y_true * y_pred, 0)`. Labels are -1 and 1; a label 0 counts as -1.

    Args:
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        dtype: Float type for arrays.
    """

    kernels = kernels.hinge_forward, kernels.row_means, kernels.hinge_backward

    def __init__(self, reduction="sum_over_batch_size", name="hinge", dtype=None):
        super().__init__(name, reduction, dtype)


class SquaredHinge(ElementLoss):
    """Mean of `max(1 - y_true * y_pred, 0) ** 2`. Labels are -1 and 1; a label 0 counts as -1.

    Args:
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        dtype: Float type for arrays.
    """

    kernels = kernels.squared_hinge_forward, kernels.row_means, kernels.squared_hinge_backward

    def __init__(self, reduction="sum_over_batch_size", name="squared_hinge", dtype=None):
        super().__init__(name, reduction, dtype)


class CategoricalHinge(Loss):
    """`max(largest of (1 - y_true) * y_pred - sum of y_true * y_pred + 1, 0)` of each row, for one-hot labels.

    Args:
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        dtype: Float type for arrays.
    """

    def __init__(self, reduction="sum_over_batch_size", name="categorical_hinge", dtype=None):
        super().__init__(name, reduction, dtype)

    def lower_values(self, plan, y_true, y_pred):
        values = new_values(plan, self, y_pred)
        plan.forward(kernels.categorical_hinge_forward, values, matrix(y_true), matrix(y_pred))
        return values, None

    def lower_gradient(self, plan, y_true, y_pred, saved, weight, scale):
        args = matrix(y_pred.grad), matrix(y_true), matrix(y_pred), weight, scale
        plan.backward(kernels.categorical_hinge_backward, *args)

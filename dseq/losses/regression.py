"""Losses for numbers: mean errors of the elements of each row, and the angle between rows."""

from dseq.kernels import loss as kernels
from dseq.losses.loss import ElementLoss, Loss, new_values
from dseq.program.floatx import epsilon
from dseq.program.operand import matrix


class MeanSquaredError(ElementLoss):
    """Mean of `(y_true - y_pred) ** 2`.

    Args:
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        dtype: Float type for arrays.
    """

    kernels = kernels.squared_forward, kernels.row_means, kernels.squared_backward

    def __init__(self, reduction="sum_over_batch_size", name="mean_squared_error", dtype=None):
        super().__init__(name, reduction, dtype)


class MeanAbsoluteError(ElementLoss):
    """Mean of `|y_true - y_pred|`.

    Args:
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        dtype: Float type for arrays.
    """

    kernels = kernels.absolute_forward, kernels.row_means, kernels.absolute_backward

    def __init__(self, reduction="sum_over_batch_size", name="mean_absolute_error", dtype=None):
        super().__init__(name, reduction, dtype)


class MeanAbsolutePercentageError(ElementLoss):
    """Mean of `100 * |y_true - y_pred| / max(|y_true|, epsilon)`; labels near 0 make it huge.

    Args:
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        dtype: Float type for arrays.
    """

    kernels = kernels.percentage_forward, kernels.row_means, kernels.percentage_backward

    def __init__(self, reduction="sum_over_batch_size", name="mean_absolute_percentage_error", dtype=None):
        super().__init__(name, reduction, dtype)

    def parameters(self):
        return (epsilon(),)


class MeanSquaredLogarithmicError(ElementLoss):
    """Mean of `(log(y_true + 1) - log(y_pred + 1)) ** 2`; negative numbers count as 0.

    Args:
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        dtype: Float type for arrays.
    """

    kernels = kernels.squared_logarithmic_forward, kernels.row_means, kernels.squared_logarithmic_backward

    def __init__(self, reduction="sum_over_batch_size", name="mean_squared_logarithmic_error", dtype=None):
        super().__init__(name, reduction, dtype)

    def parameters(self):
        return (epsilon(),)


class Huber(ElementLoss):
    """Half the squared error where it is at most `delta`, linear beyond.

    Args:
        delta: The error at which one becomes the other, a positive float.
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        dtype: Float type for arrays.
    """

    kernels = kernels.huber_forward, kernels.row_means, kernels.huber_backward

    def __init__(self, delta=1.0, reduction="sum_over_batch_size", name="huber_loss", dtype=None):
        super().__init__(name, reduction, dtype)
        self.delta = delta

    def parameters(self):
        return (self.delta,)

    def get_config(self):
        return {**super().get_config(), "delta": self.delta}


class LogCosh(ElementLoss):
    """Mean of `log(cosh(y_pred - y_true))`.

    Args:
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        dtype: Float type for arrays.
    """

    kernels = kernels.log_cosh_forward, kernels.row_means, kernels.log_cosh_backward

    def __init__(self, reduction="sum_over_batch_size", name="log_cosh", dtype=None):
        super().__init__(name, reduction, dtype)


class CosineSimilarity(Loss):
    """Minus the cosine of the angle between `y_true` and `y_pred`: -1 for the same direction, 1 for the opposite.

    Args:
        axis: Axis of the vectors.
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        dtype: Float type for arrays.
    """

    def __init__(self, axis=-1, reduction="sum_over_batch_size", name="cosine_similarity", dtype=None):
        super().__init__(name, reduction, dtype)
        self.axis = axis

    def lower_values(self, plan, y_true, y_pred):
        values, least = new_values(plan, self, y_pred), plan.constant(epsilon() ** 2)
        plan.forward(kernels.cosine_forward, values, matrix(y_true), matrix(y_pred), least)
        return values, None

    def lower_gradient(self, plan, y_true, y_pred, saved, weight, scale):
        args = matrix(y_pred.grad), matrix(y_true), matrix(y_pred), weight, scale
        plan.backward(kernels.cosine_backward, *args, plan.constant(epsilon() ** 2))

    def get_config(self):
        return {**super().get_config(), "axis": self.axis}

"""Losses for distributions and rates: Kullback-Leibler divergence and Poisson."""

from dseq.kernels import loss as kernels
from dseq.losses.loss import ElementLoss
from dseq.program.floatx import epsilon


class KLDivergence(ElementLoss):
    """Sum of `y_true * log(y_true / y_pred)` over the last axis, both clipped to [epsilon, 1].

    Args:
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        dtype: Float type for arrays.
    """

    kernels = kernels.divergence_forward, kernels.row_sums, kernels.divergence_backward

    def __init__(self, reduction="sum_over_batch_size", name="kl_divergence", dtype=None):
        super().__init__(name, reduction, dtype)

    def parameters(self):
        return (epsilon(),)


class Poisson(ElementLoss):
    """Mean of `y_pred - y_true * log(y_pred + epsilon)`, for counts and their predicted rates.

    Args:
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        dtype: Float type for arrays.
    """

    kernels = kernels.poisson_forward, kernels.row_means, kernels.poisson_backward

    def __init__(self, reduction="sum_over_batch_size", name="poisson", dtype=None):
        super().__init__(name, reduction, dtype)

    def parameters(self):
        return (epsilon(),)

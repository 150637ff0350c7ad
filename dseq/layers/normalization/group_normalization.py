"""Group normalisation."""

from math import prod

import numpy as np

from dseq.kernels.layer_norm import add_sums, groups_backward, groups_forward, groups_slopes
from dseq.layers.normalization.affine import Affine, sample_axes, with_axes_last
from dseq.program.operand import flat


class GroupNormalization(Affine):
    """Gives groups of channels of each sample mean 0 and variance 1, then each channel a factor and an offset.

    Args:
        groups: Number of groups, which must divide the number of channels; 1 for one group of all, -1 for a group of
            each channel (instance normalisation).
        axis: Axis of the channels, counted with the batch axis.
        epsilon: Number added to the variance.
        center: Whether there is an offset `beta`.
        scale: Whether there is a factor `gamma`.
        beta_initializer: Initializer of the offset.
        gamma_initializer: Initializer of the factor.
        beta_regularizer: Regularizer of the offset, or None.
        gamma_regularizer: Regularizer of the factor, or None.
        beta_constraint: Constraint of the offset, or None.
        gamma_constraint: Constraint of the factor, or None.
        **kwargs: `name`, `trainable`, `dtype`, as for every layer.

    Raises:
        ValueError: If `groups` is no such number.
    """

    def __init__(
        self,
        groups=32,
        axis=-1,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        beta_regularizer=None,
        gamma_regularizer=None,
        beta_constraint=None,
        gamma_constraint=None,
        **kwargs,
    ):
        if not isinstance(groups, int) or (groups <= 0 and groups != -1):
            raise ValueError(
                "Received an invalid value for argument `groups`, expected a positive integer (or `-1` for instance "
                f"normalization). Received: groups={groups}"
            )
        super().__init__(
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        self.groups = groups
        self.axis = axis
        self.epsilon = epsilon

    def build(self, input_shape):
        sample_axes(self, self.axis, input_shape[1:])
        channels = input_shape[self.axis]
        if channels is None:
            raise ValueError(
                f"Axis {self.axis} of input tensor should have a defined dimension but the layer received an input "
                f"with shape {tuple(input_shape)}."
            )
        if self.groups == -1:
            self.groups = channels
        if channels < self.groups:
            raise ValueError(
                f"Number of groups ({self.groups}) cannot be more than the number of channels ({channels})."
            )
        if channels % self.groups:
            raise ValueError(
                f"Number of groups ({self.groups}) must be a divisor of the number of channels ({channels})."
            )
        self.add_affine((channels,))
        self.require(ndim=len(input_shape), axes={self.axis: channels})

    def lower(self, plan, x):
        return with_axes_last(plan, x, sample_axes(self, self.axis, x.shape), lambda x: self._lower_last(plan, x))

    def _lower_last(self, plan, x):
        """The layer for an input whose channels come last."""
        c, gamma, beta = x.shape[-1], self.gamma, self.beta
        view = (prod(x.shape[:-1]), c)
        y = plan.value("y", x.shape)
        moments = plan.value("moments", (self.groups, 3), plan.dtype)
        factor = plan.constant(np.ones(c)) if gamma is None else gamma
        offset = plan.constant(np.zeros(c)) if beta is None else beta
        scratch = plan.value("scratch", (2, c), "float64", shared=True)
        x, long_y = x.reshape(view), y.reshape(view)
        epsilon = plan.constant(self.epsilon, "float64")
        plan.forward(groups_forward, long_y, moments, x, factor, offset, epsilon, scratch)
        if y.grad is not None:
            sums = plan.value("sums", (2, c), "float64", shared=True)
            for row, weight in ((0, beta), (1, gamma)):
                if weight is not None and weight.grad is not None:
                    plan.backward(add_sums, flat(weight.grad), sums, row)
            if x.grad is not None:
                plan.backward(groups_backward, x.grad, long_y.grad, x, moments, factor, sums, scratch)
            else:
                plan.backward(groups_slopes, sums, long_y.grad, x, moments, scratch)
        return y

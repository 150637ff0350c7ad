"""The parametric rectifier."""

from math import prod

import numpy as np

from dseq import constraints, initializers, regularizers
from dseq.kernels.prelu import prelu_backward, prelu_backward_alpha, prelu_forward
from dseq.layers.layer import Layer
from dseq.program.operand import flat


class PReLU(Layer):
    """Rectifier with a learned slope below zero, one for each feature: `alpha * x` there.

    Args:
        alpha_initializer: Initializer of the slopes.
        alpha_regularizer: Regularizer of the slopes, or None.
        alpha_constraint: Constraint of the slopes, or None.
        shared_axes: Axes, counted with the batch axis, along which one slope serves all.
        **kwargs: `name`, `trainable`, `dtype`, as for every layer.
    """

    def __init__(
        self, alpha_initializer="Zeros", alpha_regularizer=None, alpha_constraint=None, shared_axes=None, **kwargs
    ):
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        shared = [shared_axes] if isinstance(shared_axes, int) else shared_axes
        self.shared_axes = None if shared is None else list(shared)
        self.alpha = None

    def build(self, input_shape):
        shape = [1 if self.shared_axes and i in self.shared_axes else n for i, n in enumerate(input_shape)][1:]
        if None in shape:
            raise ValueError(
                f"PReLU needs sizes of all axes that are not shared. Received: {input_shape} in {self.name!r}"
            )
        self.alpha = self.add_weight(
            shape,
            self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
            name="alpha",
        )
        self.require(ndim=len(input_shape), axes={i + 1: n for i, n in enumerate(shape) if n != 1})

    def lower(self, plan, x):
        y = plan.value("y", x.shape)
        # Which slope each feature of a row uses.
        slopes = np.broadcast_to(np.arange(prod(self.alpha.shape)).reshape(self.alpha.shape), x.shape).ravel()
        index = plan.constant(slopes, "int64")
        rows, alpha = (prod(x.shape),), flat(self.alpha)
        dx, dy, row_x = x.grad and x.grad.reshape(rows), y.grad and y.grad.reshape(rows), x.reshape(rows)
        plan.forward(prelu_forward, y.reshape(rows), row_x, alpha, index)
        plan.backward(prelu_backward, dx, dy, row_x, alpha, index)
        plan.backward(prelu_backward_alpha, flat(self.alpha.grad), dy, row_x, index)
        return y

"""The fully connected layer."""

import numpy as np

from dseq import activations, constraints, initializers, regularizers
from dseq.kernels.dense import (
    dense_backward_bias,
    dense_backward_input,
    dense_backward_kernel,
    dense_forward,
    dense_write_bias,
    dense_write_input,
    dense_write_kernel,
)
from dseq.layers.layer import Layer
from dseq.program.operand import matrix


class Dense(Layer):
    """Densely connected layer: `y = activation(x @ kernel + bias)`.

    Args:
        units: Positive integer, the size of the output.
        activation: Name of an activation, an activation, or None for none.
        use_bias: Whether a bias is added.
        kernel_initializer: Initializer of the kernel.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel, or None.
        bias_regularizer: Regularizer of the bias, or None.
        activity_regularizer: Regularizer of the output, or None.
        kernel_constraint: Constraint of the kernel, or None.
        bias_constraint: Constraint of the bias, or None.
        **kwargs: `name`, `trainable`, `dtype`, as for every layer.

    Input shape:
        `(batch, ..., features)`; the product acts on the last axis.

    Output shape:
        `(batch, ..., units)`.
    """

    def __init__(
        self,
        units,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        if not isinstance(units, int | np.integer) or isinstance(units, bool) or units <= 0:
            raise ValueError(f"`units` of Dense must be a positive integer. Received: units={units!r}")
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = int(units)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.kernel = self.bias = None

    def build(self, input_shape):
        self.require(min_ndim=2)
        self.check_input(input_shape)
        features = input_shape[-1]
        if features is None:
            raise ValueError(
                f"The last axis of the input of Dense must have a size. Received: {tuple(input_shape)} in {self.name!r}"
            )
        self.kernel = self.add_weight(
            (features, self.units),
            self.kernel_initializer,
            name="kernel",
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,),
                self.bias_initializer,
                name="bias",
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.require(min_ndim=2, axes={-1: features})

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def lower(self, plan, x):
        y = plan.value("y", (*x.shape[:-1], self.units))
        w, b = self.kernel, self.bias
        plan.forward(dense_forward, matrix(y), matrix(x), w, b, 0)
        plan.backward(dense_backward_input, matrix(x.grad), matrix(y.grad), w, first=dense_write_input)
        plan.backward(dense_backward_kernel, w.grad, matrix(x), matrix(y.grad), first=dense_write_kernel)
        plan.backward(dense_backward_bias, None if b is None else b.grad, matrix(y.grad), first=dense_write_bias)
        return activations.lower(plan, self.activation, y)

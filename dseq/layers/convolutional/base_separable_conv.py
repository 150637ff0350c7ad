"""What separable convolutions share."""

from dseq import activations, constraints, initializers, regularizers
from dseq.kernels.dense import (
    dense_backward_bias,
    dense_backward_input,
    dense_backward_kernel,
    dense_forward,
    dense_write_input,
    dense_write_kernel,
)
from dseq.kernels.epilogue import NONE
from dseq.layers.convolutional.channelwise import filtered, sizes_of
from dseq.layers.convolutional.geometry import data_format as data_format_of
from dseq.layers.convolutional.geometry import join, known_channels, numbers, padding_of, positive
from dseq.layers.layer import Layer
from dseq.layers.reshaping.permute import permuted
from dseq.program.operand import matrix


class BaseSeparableConv(Layer):
    """A depthwise convolution of images of `rank` dimensions, then one with windows of a single pixel.

    Args:
        rank: 1 or 2.
        depth_multiplier: Positive integer: kernels for each channel in the first convolution.
        filters: Positive integer, channels of the output.
        kernel_size: Integer or tuple of `rank` integers.
        strides: The same.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        dilation_rate: Integer or tuple: steps between the taps of a window.
        activation: Name of an activation, an activation, or None for none.
        use_bias: Whether a bias is added.
        depthwise_initializer: Initializer of the first kernel.
        pointwise_initializer: Initializer of the second kernel.
        bias_initializer: Initializer of the bias.
        depthwise_regularizer: Regularizer of the first kernel, or None.
        pointwise_regularizer: Regularizer of the second kernel, or None.
        bias_regularizer: Regularizer of the bias, or None.
        activity_regularizer: Regularizer of the output, or None.
        depthwise_constraint: Constraint of the first kernel, or None.
        pointwise_constraint: Constraint of the second kernel, or None.
        bias_constraint: Constraint of the bias, or None.
        **kwargs: `name`, `trainable`, `dtype`, as for every layer.
    """

    def __init__(
        self,
        rank,
        depth_multiplier,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        activation=None,
        use_bias=True,
        depthwise_initializer="glorot_uniform",
        pointwise_initializer="glorot_uniform",
        bias_initializer="zeros",
        depthwise_regularizer=None,
        pointwise_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        depthwise_constraint=None,
        pointwise_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        kind = type(self).__name__
        depth_multiplier, padding = positive(depth_multiplier, "depth_multiplier", kind), padding_of(padding, kind)
        filters = positive(filters, "filters", kind)
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.rank = rank
        self.depth_multiplier = depth_multiplier
        self.filters = filters
        self.kernel_size = numbers(kernel_size, rank, "kernel_size")
        self.strides = numbers(strides, rank, "strides")
        self.padding = padding
        self.data_format = data_format_of(data_format)
        self.dilation_rate = numbers(dilation_rate, rank, "dilation_rate")
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self.pointwise_constraint = constraints.get(pointwise_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.depthwise_kernel = self.pointwise_kernel = self.bias = None
        self.require(ndim=rank + 2)

    def build(self, input_shape):
        self.check_input(input_shape)
        channels = known_channels(input_shape, self.data_format, self.name)
        self.compute_output_shape(input_shape)
        self.depthwise_kernel = self.add_weight(
            (*self.kernel_size, channels, self.depth_multiplier),
            self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
            name="depthwise_kernel",
        )
        self.pointwise_kernel = self.add_weight(
            (*(1,) * self.rank, channels * self.depth_multiplier, self.filters),
            self.pointwise_initializer,
            regularizer=self.pointwise_regularizer,
            constraint=self.pointwise_constraint,
            name="pointwise_kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(
                (self.filters,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self.require(ndim=self.rank + 2, axes={1 if self.data_format == "channels_first" else -1: channels})

    def compute_output_shape(self, input_shape):
        sizes = sizes_of(self, input_shape, self.depth_multiplier)
        return join(input_shape[0], sizes, self.filters, self.data_format)

    def lower(self, plan, x):
        first = self.data_format == "channels_first"
        if first:
            x = permuted(plan, x, (*range(2, self.rank + 2), 1))
        x = filtered(plan, x, self.depthwise_kernel, None, self)
        w, b = self.pointwise_kernel.reshape((x.shape[-1], self.filters)), self.bias
        y = plan.value("mixed", (*x.shape[:-1], self.filters))
        plan.forward(dense_forward, matrix(y), matrix(x), w, b, NONE)
        plan.backward(dense_backward_input, matrix(x.grad), matrix(y.grad), w, first=dense_write_input)
        plan.backward(dense_backward_kernel, w.grad, matrix(x), matrix(y.grad), first=dense_write_kernel)
        plan.backward(dense_backward_bias, None if b is None else b.grad, matrix(y.grad))
        y = activations.lower(plan, self.activation, y)
        return permuted(plan, y, (self.rank + 1, *range(1, self.rank + 1))) if first else y

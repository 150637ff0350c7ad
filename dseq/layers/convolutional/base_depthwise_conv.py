"""What depthwise convolutions share."""

from dseq import activations, constraints, initializers, regularizers
from dseq.layers.convolutional.channelwise import filtered, sizes_of
from dseq.layers.convolutional.geometry import data_format as data_format_of
from dseq.layers.convolutional.geometry import join, known_channels, numbers, padding_of, positive, split
from dseq.layers.layer import Layer
from dseq.layers.reshaping.permute import permuted


class BaseDepthwiseConv(Layer):
    """A convolution of images of `rank` dimensions in which each channel has kernels of its own.

    Args:
        rank: 1 or 2.
        depth_multiplier: Positive integer: kernels for each channel. The output has `channels * depth_multiplier`.
        kernel_size: Integer or tuple of `rank` integers.
        strides: The same.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        dilation_rate: Integer or tuple: steps between the taps of a window.
        activation: Name of an activation, an activation, or None for none.
        use_bias: Whether a bias is added.
        depthwise_initializer: Initializer of the kernel.
        bias_initializer: Initializer of the bias.
        depthwise_regularizer: Regularizer of the kernel, or None.
        bias_regularizer: Regularizer of the bias, or None.
        activity_regularizer: Regularizer of the output, or None.
        depthwise_constraint: Constraint of the kernel, or None.
        bias_constraint: Constraint of the bias, or None.
        **kwargs: `name`, `trainable`, `dtype`, as for every layer.
    """

    def __init__(
        self,
        rank,
        depth_multiplier,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        activation=None,
        use_bias=True,
        depthwise_initializer="glorot_uniform",
        bias_initializer="zeros",
        depthwise_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        depthwise_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        kind = type(self).__name__
        depth_multiplier, padding = positive(depth_multiplier, "depth_multiplier", kind), padding_of(padding, kind)
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.rank = rank
        self.depth_multiplier = depth_multiplier
        self.kernel_size = numbers(kernel_size, rank, "kernel_size")
        self.strides = numbers(strides, rank, "strides")
        self.padding = padding
        self.data_format = data_format_of(data_format)
        self.dilation_rate = numbers(dilation_rate, rank, "dilation_rate")
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.kernel = self.bias = None
        self.require(ndim=rank + 2)

    def build(self, input_shape):
        self.check_input(input_shape)
        channels = known_channels(input_shape, self.data_format, self.name)
        self.compute_output_shape(input_shape)
        self.kernel = self.add_weight(
            (*self.kernel_size, channels, self.depth_multiplier),
            self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
            name="kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(
                (channels * self.depth_multiplier,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self.require(ndim=self.rank + 2, axes={1 if self.data_format == "channels_first" else -1: channels})

    def compute_output_shape(self, input_shape):
        channels = split(input_shape, self.data_format)[1]
        channels = None if channels is None else channels * self.depth_multiplier
        sizes = sizes_of(self, input_shape, self.depth_multiplier)
        return join(input_shape[0], sizes, channels, self.data_format)

    def lower(self, plan, x):
        first = self.data_format == "channels_first"
        if first:
            x = permuted(plan, x, (*range(2, self.rank + 2), 1))
        y = activations.lower(plan, self.activation, filtered(plan, x, self.kernel, self.bias, self))
        return permuted(plan, y, (self.rank + 1, *range(1, self.rank + 1))) if first else y

"""Depthwise convolution of images."""

from dseq.layers.convolutional.base_depthwise_conv import BaseDepthwiseConv


class DepthwiseConv2D(BaseDepthwiseConv):
    """Convolves each channel of images with kernels of its own and adds a bias.

    Channel `i` of the input makes the channels `i * depth_multiplier` and following of the output.

    Args:
        kernel_size: Integer, or tuple of 2 integers: size of the window.
        strides: Integer, or tuple of 2 integers: steps from window to window.
        padding: `"valid"` for windows inside only, `"same"` for as many as there are steps.
        depth_multiplier: Positive integer: kernels for each channel of the input.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        dilation_rate: Integer, or tuple of 2 integers: steps between the taps of a window.
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

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.

    Output shape:
        `(batch, new_height, new_width, channels * depth_multiplier)`.

    Example:
        >>> dseq.layers.DepthwiseConv2D(5, depth_multiplier=2)(dseq.Input((28, 28, 8))).shape
        (None, 24, 24, 16)
    """

    def __init__(
        self,
        kernel_size,
        strides=(1, 1),
        padding="valid",
        depth_multiplier=1,
        data_format=None,
        dilation_rate=(1, 1),
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
        super().__init__(
            2,
            depth_multiplier,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            depthwise_initializer,
            bias_initializer,
            depthwise_regularizer,
            bias_regularizer,
            activity_regularizer,
            depthwise_constraint,
            bias_constraint,
            **kwargs,
        )

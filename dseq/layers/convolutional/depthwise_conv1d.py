"""Depthwise convolution of sequences."""

from dseq.layers.convolutional.base_depthwise_conv import BaseDepthwiseConv


class DepthwiseConv1D(BaseDepthwiseConv):
    """Convolves each channel of a sequence with kernels of its own and adds a bias.

    Channel `i` of the input makes the channels `i * depth_multiplier` and following of the output.

    Args:
        kernel_size: Integer: size of the window.
        strides: Integer: steps from window to window.
        padding: `"valid"` for windows inside only, `"same"` for as many as there are steps.
        depth_multiplier: Positive integer: kernels for each channel of the input.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        dilation_rate: Integer: steps between the taps of a window.
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
        `(batch, steps, channels)`, for `"channels_first"` the channels behind the batch.

    Output shape:
        `(batch, new_steps, channels * depth_multiplier)`.

    Example:
        >>> dseq.layers.DepthwiseConv1D(5, depth_multiplier=2)(dseq.Input((400, 8))).shape
        (None, 396, 16)
    """

    def __init__(
        self,
        kernel_size,
        strides=1,
        padding="valid",
        depth_multiplier=1,
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
        super().__init__(
            1,
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

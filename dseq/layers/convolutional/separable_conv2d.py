"""Separable convolution of images."""

from dseq.layers.convolutional.base_separable_conv import BaseSeparableConv


class SeparableConv2D(BaseSeparableConv):
    """Convolves each channel of images alone, then mixes the channels of each pixel and adds a bias.

    A convolution in two steps with far fewer weights: a depthwise one, then one with windows of a single pixel.

    Args:
        filters: Positive integer, channels of the output.
        kernel_size: Integer, or tuple of 2 integers: size of the window.
        strides: Integer, or tuple of 2 integers: steps from window to window.
        padding: `"valid"` for windows inside only, `"same"` for as many as there are steps.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        dilation_rate: Integer, or tuple of 2 integers: steps between the taps of a window.
        depth_multiplier: Positive integer: kernels for each channel of the input.
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

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.

    Output shape:
        `(batch, new_height, new_width, filters)`.

    Example:
        >>> dseq.layers.SeparableConv2D(4, 5)(dseq.Input((28, 28, 8))).shape
        (None, 24, 24, 4)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1),
        padding="valid",
        data_format=None,
        dilation_rate=(1, 1),
        depth_multiplier=1,
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
        super().__init__(
            2,
            depth_multiplier,
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            depthwise_initializer,
            pointwise_initializer,
            bias_initializer,
            depthwise_regularizer,
            pointwise_regularizer,
            bias_regularizer,
            activity_regularizer,
            depthwise_constraint,
            pointwise_constraint,
            bias_constraint,
            **kwargs,
        )

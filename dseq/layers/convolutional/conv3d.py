"""Convolution of volumes."""

from dseq.layers.convolutional.base_conv import BaseConv


class Conv3D(BaseConv):
    """Convolves volumes with a kernel and adds a bias.

    Args:
        filters: Positive integer, channels of the output.
        kernel_size: Integer, or tuple of 3 integers: size of the window.
        strides: Integer, or tuple of 3 integers: steps from window to window.
        padding: `"valid"` for windows inside only, `"same"` for as many as there are steps.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        dilation_rate: Integer, or tuple of 3 integers: steps between the taps of a window.
        groups: Channels are cut into so many groups, each with filters of its own.
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
        `(batch, depth, height, width, channels)`, for `"channels_first"` the channels behind the batch.

    Output shape:
        `(batch, new_depth, new_height, new_width, filters)`.

    Example:
        >>> dseq.layers.Conv3D(16, 5)(dseq.Input((9, 9, 9, 2))).shape
        (None, 5, 5, 5, 16)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1, 1),
        padding="valid",
        data_format=None,
        dilation_rate=(1, 1, 1),
        groups=1,
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
        super().__init__(
            3,
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            groups,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            **kwargs,
        )

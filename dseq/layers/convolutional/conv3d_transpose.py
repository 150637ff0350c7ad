"""Transposed convolution of volumes."""

from dseq.layers.convolutional.base_conv_transpose import BaseConvTranspose


class Conv3DTranspose(BaseConvTranspose):
    """Adds a kernel, times the value of each pixel of the input, to a window of the output, then a bias.

    The way back of a convolution with the same arguments: from its output's shape to its input's, as decoders and
    generators need it. Also known as deconvolution.

    Args:
        filters: Positive integer, channels of the output.
        kernel_size: Integer, or tuple of 3 integers: size of the window.
        strides: Integer, or tuple of 3 integers: steps of the output for one step of the input.
        padding: `"valid"` for all that the windows reach, `"same"` for the input's size times the strides.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        output_padding: Integer, or tuple of 3 integers below the strides: steps added at the end; None for
            the size that follows from the other arguments.
        dilation_rate: Integer, or tuple of 3 integers: steps between the taps of a window.
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
        >>> dseq.layers.Conv3DTranspose(16, 3, strides=2, padding="same")(dseq.Input((4, 8, 8, 2))).shape
        (None, 8, 16, 16, 16)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1, 1),
        padding="valid",
        data_format=None,
        output_padding=None,
        dilation_rate=(1, 1, 1),
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
            output_padding,
            data_format,
            dilation_rate,
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

"""The largest value of each window."""

from dseq.layers.pooling.base_pooling import Pooling, pool_maxima


class _MaxPooling(Pooling):
    def pool(self, plan, y, x, where):
        pool_maxima(plan, y, x, where)


class MaxPooling1D(_MaxPooling):
    """The largest value of each window of a sequence, for each channel.

    Args:
        pool_size: Integer: size of the window.
        strides: Integer: steps from window to window; the window's size if None.
        padding: `"valid"` for windows inside only, `"same"` for those that reach out too.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        name: Name of the layer.
        **kwargs: `dtype`, as for every layer.

    Input shape:
        `(batch, steps, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(self, pool_size=2, strides=None, padding="valid", data_format=None, name=None, **kwargs):
        super().__init__(1, pool_size, strides, padding, data_format, name=name, **kwargs)


class MaxPooling2D(_MaxPooling):
    """The largest value of each window of images, for each channel.

    Args:
        pool_size: Integer, or tuple of 2 integers: size of the window.
        strides: Integer, or tuple of 2 integers: steps from window to window; the window's size if None.
        padding: `"valid"` for windows inside only, `"same"` for those that reach out too.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        name: Name of the layer.
        **kwargs: `dtype`, as for every layer.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(self, pool_size=(2, 2), strides=None, padding="valid", data_format=None, name=None, **kwargs):
        super().__init__(2, pool_size, strides, padding, data_format, name=name, **kwargs)


class MaxPooling3D(_MaxPooling):
    """The largest value of each window of volumes, for each channel.

    Args:
        pool_size: Integer, or tuple of 3 integers: size of the window.
        strides: Integer, or tuple of 3 integers: steps from window to window; the window's size if None.
        padding: `"valid"` for windows inside only, `"same"` for those that reach out too.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        name: Name of the layer.
        **kwargs: `dtype`, as for every layer.

    Input shape:
        `(batch, depth, height, width, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(self, pool_size=(2, 2, 2), strides=None, padding="valid", data_format=None, name=None, **kwargs):
        super().__init__(3, pool_size, strides, padding, data_format, name=name, **kwargs)

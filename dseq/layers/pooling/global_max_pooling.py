"""The largest value of each channel."""

from dseq.layers.pooling.base_pooling import GlobalPooling, pool_maxima


class _GlobalMaxPooling(GlobalPooling):
    def pool(self, plan, y, x, where):
        pool_maxima(plan, y, x, where)


class GlobalMaxPooling1D(_GlobalMaxPooling):
    """The largest value of each channel over a sequence.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        keepdims: Whether the axes in between stay, with size 1.
        **kwargs: `name`, `dtype`, as for every layer.

    Input shape:
        `(batch, steps, channels)`, for `"channels_first"` the channels behind the batch.

    Output shape:
        `(batch, channels)`.
    """

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(1, data_format, keepdims, **kwargs)


class GlobalMaxPooling2D(_GlobalMaxPooling):
    """The largest value of each channel over images.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        keepdims: Whether the axes in between stay, with size 1.
        **kwargs: `name`, `dtype`, as for every layer.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.

    Output shape:
        `(batch, channels)`.
    """

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(2, data_format, keepdims, **kwargs)


class GlobalMaxPooling3D(_GlobalMaxPooling):
    """The largest value of each channel over volumes.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        keepdims: Whether the axes in between stay, with size 1.
        **kwargs: `name`, `dtype`, as for every layer.

    Input shape:
        `(batch, depth, height, width, channels)`, for `"channels_first"` the channels behind the batch.

    Output shape:
        `(batch, channels)`.
    """

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(3, data_format, keepdims, **kwargs)

"""The mean value of each channel."""

from dseq.kernels.pool import mean_backward, mean_forward
from dseq.layers.pooling.base_pooling import GlobalPooling


class _GlobalAveragePooling(GlobalPooling):
    def pool(self, plan, y, x, where):
        plan.forward(mean_forward, y, x, *where)
        plan.backward(mean_backward, x.grad, y.grad, *where)


class GlobalAveragePooling1D(_GlobalAveragePooling):
    """The mean value of each channel over a sequence.

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


class GlobalAveragePooling2D(_GlobalAveragePooling):
    """The mean value of each channel over images.

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


class GlobalAveragePooling3D(_GlobalAveragePooling):
    """The mean value of each channel over volumes.

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

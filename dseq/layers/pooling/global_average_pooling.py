"""The mean value of each channel."""

from dseq.kernels.pool import masked_mean_backward, masked_mean_forward, mean_backward, mean_forward
from dseq.layers.pooling.base_pooling import GlobalPooling
from dseq.layers.reshaping.permute import permuted


class _GlobalAveragePooling(GlobalPooling):
    def pool(self, plan, y, x, where):
        plan.forward(mean_forward, y, x, *where)
        plan.backward(mean_backward, x.grad, y.grad, *where)


class GlobalAveragePooling1D(_GlobalAveragePooling):
    """The mean value of each channel over a sequence; with a mask, over the steps that count.

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

    def lower(self, plan, x):
        mask = x.mask
        if mask is None:
            return super().lower(plan, x)
        if self.data_format == "channels_first":
            x = permuted(plan, x, (2, 1))
        y = plan.value("y", x.shape[-1:])
        plan.forward(masked_mean_forward, y, x, mask)
        plan.backward(masked_mean_backward, x.grad, y.grad, mask)
        last = (1,) if self.data_format == "channels_first" else ()
        return y.reshape((*(() if last else (1,)), *y.shape, *last)) if self.keepdims else y


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

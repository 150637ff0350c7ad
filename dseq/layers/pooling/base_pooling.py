"""What all layers that reduce windows of images share."""

from math import prod

from dseq.kernels.epilogue import NONE
from dseq.kernels.pool import max_forward, max_places, places_backward, places_write
from dseq.layers.convolutional.geometry import data_format as data_format_of
from dseq.layers.convolutional.geometry import full, image, join, margins, numbers, output_size, split
from dseq.layers.layer import Layer
from dseq.layers.reshaping.permute import permuted


class Pooling(Layer):
    """One value for each window and channel. A subclass implements `pool`.

    Args:
        rank: 1, 2 or 3.
        pool_size: Integer or tuple: size of the window.
        strides: The same: steps from window to window, the window's size if None.
        padding: `"valid"` for windows inside only, `"same"` for those that reach out too.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        **kwargs: `name`, `dtype`, as for every layer.
    """

    def __init__(self, rank, pool_size, strides=None, padding="valid", data_format=None, **kwargs):
        if padding not in ("valid", "same"):
            raise ValueError(
                f"The `padding` argument of {type(self).__name__} must be 'valid' or 'same'. Received: {padding!r}"
            )
        super().__init__(**kwargs)
        self.rank = rank
        self.pool_size = numbers(pool_size, rank, "pool_size")
        self.strides = numbers(pool_size if strides is None else strides, rank, "strides")
        self.padding = padding
        self.data_format = data_format_of(data_format)
        self.require(ndim=rank + 2)

    def compute_output_shape(self, input_shape):
        sizes, channels = split(input_shape, self.data_format)
        axes = zip(sizes, self.pool_size, self.strides, strict=True)
        found = tuple(output_size(n, window, stride, 1, self.padding) for n, window, stride in axes)
        if any(n is not None and n <= 0 for n in found):
            raise ValueError(
                f"Computed output size would be zero or negative. Received: `inputs.shape={tuple(input_shape)}`, "
                f"`pool_size={self.pool_size}` in {self.name!r}."
            )
        return join(input_shape[0], found, channels, self.data_format)

    def lower(self, plan, x):
        first = self.data_format == "channels_first"
        if first:
            x = permuted(plan, x, (*range(2, self.rank + 2), 1))
        sizes = x.shape[:-1]
        axes = list(zip(sizes, self.pool_size, self.strides, strict=True))
        outputs = [output_size(n, window, stride, 1, self.padding) for n, window, stride in axes]
        before = [margins(n, window, stride, 1, self.padding)[0] for n, window, stride in axes]
        y = plan.value("y", (*outputs, x.shape[-1]))
        self.pool(plan, image(y), image(x), (*full(self.pool_size), *full(self.strides), *full(before, 0)))
        return permuted(plan, y, (self.rank + 1, *range(1, self.rank + 1))) if first else y

    def pool(self, plan, y, x, where):
        """Appends the kernels.

        Args:
            plan: The plan.
            y: Operand of the result, with all dimensions.
            x: Operand of the images.
            where: Windows, strides and margins as the kernels take them.
        """
        raise NotImplementedError


class GlobalPooling(Layer):
    """One value for each channel of an image. A subclass implements `pool`.

    Args:
        rank: 1, 2 or 3.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        keepdims: Whether the axes of the image stay, with size 1.
        **kwargs: `name`, `dtype`, as for every layer.
    """

    supports_masking = False

    def __init__(self, rank, data_format=None, keepdims=False, **kwargs):
        super().__init__(**kwargs)
        self.rank = rank
        self.data_format = data_format_of(data_format)
        self.keepdims = bool(keepdims)
        self.require(ndim=rank + 2)

    def compute_output_shape(self, input_shape):
        sizes, channels = split(input_shape, self.data_format)
        if not self.keepdims:
            return (input_shape[0], channels)
        return join(input_shape[0], (1,) * len(sizes), channels, self.data_format)

    def lower(self, plan, x):
        if self.data_format == "channels_first":
            x = permuted(plan, x, (*range(2, self.rank + 2), 1))
        channels = x.shape[-1]
        y = plan.value("y", (*(1,) * self.rank, channels))
        window = full(x.shape[:-1])
        self.pool(plan, image(y), image(x), (*window, *window, 0, 0, 0))
        return y.reshape(self.compute_output_shape((None, *_original(x.shape, self.data_format)))[1:])

    pool = Pooling.pool


def pool_maxima(plan, y, x, where):
    """The largest values; where a gradient must flow, the step remembers which pixel of its window each comes from.

    Args:
        plan: The plan.
        y: Operand of the result, with all dimensions.
        x: Operand of the images.
        where: Windows, strides and margins as the kernels take them.
    """
    if x.grad is None:
        plan.forward(max_forward, y, x, *where)
        return
    places = plan.value("places", y.shape, "uint8" if prod(where[:3]) < 256 else "int32")
    plan.forward(max_places, y, places, x, *where, NONE)
    plan.backward(places_backward, x.grad, y.grad, places, *where, first=places_write)


def _original(shape, order):
    return (shape[-1], *shape[:-1]) if order == "channels_first" else shape

"""Zeros around images."""

from dseq.layers.convolutional.geometry import join, numbers, split
from dseq.layers.reshaping.frame import Frame, sides
from dseq.ops.image.framing import framed


class _ZeroPadding(Frame):
    def compute_output_shape(self, input_shape):
        sizes, channels = split(input_shape, self.data_format)
        return join(input_shape[0], self._sizes(sizes), channels, self.data_format)

    def lower(self, plan, x):
        sizes, _ = split((None, *x.shape), self.data_format)
        before = [before for before, _ in self._sides]
        return framed(plan, x, before, self._sizes(sizes), self.data_format)

    def _sizes(self, sizes):
        padded = zip(sizes, self._sides, strict=True)
        return tuple(None if n is None else n + before + behind for n, (before, behind) in padded)

    @property
    def _sides(self):
        return self.padding


class ZeroPadding1D(_ZeroPadding):
    """Puts zeros before and behind a sequence.

    Args:
        padding: Integer, or tuple of 2 integers: how many steps before and behind.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If `padding` is something else, or negative.

    Input shape:
        `(batch, steps, channels)`, for `"channels_first"` the channels behind the batch.

    Example:
        >>> dseq.layers.ZeroPadding1D((1, 2))(dseq.Input((4, 3))).shape
        (None, 7, 3)
    """

    def __init__(self, padding=1, data_format=None, **kwargs):
        super().__init__(1, data_format, **kwargs)
        self.padding = numbers(padding, 2, "padding", 0)

    @property
    def _sides(self):
        return (self.padding,)


class ZeroPadding2D(_ZeroPadding):
    """Puts rows and columns of zeros around images.

    Args:
        padding: Integer for all four sides; tuple of 2 integers, for top and bottom and for left and right; or
            `((top, bottom), (left, right))`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If `padding` is something else, or negative.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.

    Example:
        >>> dseq.layers.ZeroPadding2D(((1, 0), (2, 2)))(dseq.Input((8, 8, 3))).shape
        (None, 9, 12, 3)
    """

    def __init__(self, padding=(1, 1), data_format=None, **kwargs):
        super().__init__(2, data_format, **kwargs)
        self.padding = sides(padding, 2, "padding")


class ZeroPadding3D(_ZeroPadding):
    """Puts zeros around volumes.

    Args:
        padding: Integer for all sides; tuple of 3 integers, one for both sides of each dimension; or tuple of 3 tuples
            `(before, behind)`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If `padding` is something else, or negative.

    Input shape:
        `(batch, depth, height, width, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(self, padding=((1, 1), (1, 1), (1, 1)), data_format=None, **kwargs):
        super().__init__(3, data_format, **kwargs)
        self.padding = sides(padding, 3, "padding")

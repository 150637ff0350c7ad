"""Borders of images cut off."""

from dseq.layers.convolutional.geometry import join, numbers, split
from dseq.layers.reshaping.frame import Frame, sides
from dseq.ops.image.framing import framed


class _Cropping(Frame):
    def compute_output_shape(self, input_shape):
        sizes, channels = split(input_shape, self.data_format)
        cropped = self._sizes(sizes)
        if any(n is not None and n <= 0 for n in cropped):
            raise ValueError(
                f"Values in `cropping` argument of {type(self).__name__} must be smaller than the corresponding "
                f"dimension of the input. Received: input_shape={tuple(input_shape)}, cropping={self.cropping} in "
                f"{self.name!r}"
            )
        return join(input_shape[0], cropped, channels, self.data_format)

    def lower(self, plan, x):
        sizes, _ = split((None, *x.shape), self.data_format)
        before = [-before for before, _ in self._sides]
        return framed(plan, x, before, self._sizes(sizes), self.data_format)

    def _sizes(self, sizes):
        cropped = zip(sizes, self._sides, strict=True)
        return tuple(None if n is None else n - before - behind for n, (before, behind) in cropped)

    @property
    def _sides(self):
        return self.cropping


class Cropping1D(_Cropping):
    """Cuts steps off both ends of a sequence.

    Args:
        cropping: Integer, or tuple of 2 integers: how many steps at the beginning and at the end.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If `cropping` is something else or negative, or leaves nothing of an input.

    Input shape:
        `(batch, steps, channels)`.

    Example:
        >>> dseq.layers.Cropping1D((1, 2))(dseq.Input((4, 3))).shape
        (None, 1, 3)
    """

    def __init__(self, cropping=(1, 1), **kwargs):
        super().__init__(1, "channels_last", **kwargs)
        self.cropping = numbers(cropping, 2, "cropping", 0)

    @property
    def _sides(self):
        return (self.cropping,)


class Cropping2D(_Cropping):
    """Cuts rows and columns off the sides of images.

    Args:
        cropping: Integer for all four sides; tuple of 2 integers, for top and bottom and for left and right; or
            `((top, bottom), (left, right))`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If `cropping` is something else or negative, or leaves nothing of an input.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.

    Example:
        >>> dseq.layers.Cropping2D(((2, 2), (4, 4)))(dseq.Input((28, 28, 3))).shape
        (None, 24, 20, 3)
    """

    def __init__(self, cropping=((0, 0), (0, 0)), data_format=None, **kwargs):
        super().__init__(2, data_format, **kwargs)
        self.cropping = sides(cropping, 2, "cropping")


class Cropping3D(_Cropping):
    """Cuts the sides off volumes.

    Args:
        cropping: Integer for all sides; tuple of 3 integers, one for both sides of each dimension; or tuple of 3 tuples
            `(before, behind)`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If `cropping` is something else or negative, or leaves nothing of an input.

    Input shape:
        `(batch, depth, height, width, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(self, cropping=((1, 1), (1, 1), (1, 1)), data_format=None, **kwargs):
        super().__init__(3, data_format, **kwargs)
        self.cropping = sides(cropping, 3, "cropping")

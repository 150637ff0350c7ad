"""Images made larger by whole factors."""

from dseq.layers.convolutional.geometry import join, numbers, split
from dseq.layers.reshaping.frame import Frame
from dseq.ops.image.resampling import INTERPOLATIONS, repeats, stretched, taps


class _UpSampling(Frame):
    interpolation = "nearest"

    def compute_output_shape(self, input_shape):
        sizes, channels = split(input_shape, self.data_format)
        larger = tuple(n if n is None else n * times for n, times in zip(sizes, self._times, strict=True))
        return join(input_shape[0], larger, channels, self.data_format)

    def lower(self, plan, x):
        first = 1 if self.data_format == "channels_first" else 0
        for axis, times in enumerate(self._times, first):
            length = x.shape[axis]
            if self.interpolation == "nearest":
                table = repeats(length, times)
            else:
                table = taps(length, length * times, self.interpolation)
            x = stretched(plan, x, axis, *table)
        return x

    @property
    def _times(self):
        return self.size


class UpSampling1D(_UpSampling):
    """Repeats each step of a sequence.

    Args:
        size: Positive integer, how often.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        TypeError: If `size` is no integer.
        ValueError: If it is not positive.

    Input shape:
        `(batch, steps, channels)`.

    Output shape:
        `(batch, size * steps, channels)`.
    """

    def __init__(self, size=2, **kwargs):
        if not isinstance(size, int) or isinstance(size, bool):
            raise TypeError(f"Expected an integer value for `size` of UpSampling1D. Received: {size!r}, {type(size)}.")
        if size <= 0:
            raise ValueError(f"Argument `size` of UpSampling1D should be a positive integer. Received: size={size}")
        super().__init__(1, "channels_last", **kwargs)
        self.size = size

    @property
    def _times(self):
        return (self.size,)


class UpSampling2D(_UpSampling):
    """Makes images larger.

    Args:
        size: Integer, or tuple of 2 integers: how many times as high and as wide.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        interpolation: `"nearest"`, which repeats rows and columns, `"bilinear"`, `"bicubic"`, `"lanczos3"` or
            `"lanczos5"`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If an argument is something else.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.

    Example:
        >>> dseq.layers.UpSampling2D((1, 2))(np.arange(4.0).reshape(1, 2, 2, 1)).ravel().tolist()
        [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    """

    def __init__(self, size=(2, 2), data_format=None, interpolation="nearest", **kwargs):
        if not isinstance(interpolation, str) or interpolation.lower() not in INTERPOLATIONS:
            raise ValueError(
                f"The `interpolation` argument of UpSampling2D must be one of {INTERPOLATIONS}. "
                f"Received: interpolation={interpolation!r}"
            )
        super().__init__(2, data_format, **kwargs)
        self.size = numbers(size, 2, "size")
        self.interpolation = interpolation.lower()


class UpSampling3D(_UpSampling):
    """Repeats the planes, rows and columns of volumes.

    Args:
        size: Integer, or tuple of 3 integers: how often in each dimension.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If an argument is something else.

    Input shape:
        `(batch, depth, height, width, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(self, size=(2, 2, 2), data_format=None, **kwargs):
        super().__init__(3, data_format, **kwargs)
        self.size = numbers(size, 3, "size")

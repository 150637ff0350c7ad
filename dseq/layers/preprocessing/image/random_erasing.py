"""Parts of images erased at random."""

import numpy as np

from dseq.layers.preprocessing.image.image_layer import RandomImageLayer, value_range_of, within
from dseq.ops.arithmetic import add, greater_equal, less, logical_and, multiply, subtract
from dseq.ops.casting import cast
from dseq.ops.drawing import drawn
from dseq.ops.elementwise import sqrt
from dseq.ops.image.formats import sizes_of
from dseq.ops.selection import clip, where


class RandomErasing(RandomImageLayer):
    """Erases a rectangle of each image (Zhong et al., 2017), with a chance of its own, in training only.

    Args:
        factor: Two numbers in [0, 1] between which an image's chance is drawn, or one, f, for (0, f).
        scale: Two numbers in [0, 1]: the rectangle's height and width are roots of shares drawn between them, of the
            image's height and width; or one, s, for (0, s).
        fill_value: What the rectangle is filled with: a number, a list of three for three channels, or None for normal
            numbers times the largest value. It is cut to the range of values.
        value_range: The least and the largest value of images.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If an argument is something else.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(
        self,
        factor=1.0,
        scale=(0.02, 0.33),
        fill_value=None,
        value_range=(0, 255),
        seed=None,
        data_format=None,
        **kwargs,
    ):
        factor, scale = within(factor, "factor", 0, 1), within(scale, "scale", 0, 1)
        value_range = value_range_of(value_range)
        channels = isinstance(fill_value, tuple | list) and len(fill_value) == 3
        if fill_value is not None and not channels and not isinstance(fill_value, int | float | np.number):
            raise ValueError(
                "The `fill_value` argument should be a number (or a list of three numbers). "
                f"Received: fill_value={fill_value!r}"
            )
        super().__init__(seed, data_format, **kwargs)
        self.factor, self.scale, self.fill_value, self.value_range = factor, scale, fill_value, value_range

    def call(self, images, training=None):
        images = cast(images, self.dtype)
        height, width = sizes_of(images.shape, self.data_format)
        first = self.data_format == "channels_first"
        rows = self._between(np.arange(height).reshape((1, height, 1) if first else (height, 1, 1)), height)
        columns = self._between(np.arange(width).reshape((1, 1, width) if first else (1, width, 1)), width)
        chosen = less(self.drawn_between((0, 1)), self.drawn_between(self.factor))
        return where(logical_and(logical_and(rows, columns), chosen), self._filling(images, first), images)

    def _between(self, places, size):
        """Which of an axis' places lie in the rectangle."""
        length = multiply(sqrt(self.drawn_between(self.scale)), float(size))
        start = multiply(self.drawn_between((0, 1)), subtract(float(size), length))
        places = places.astype(self.dtype)
        return logical_and(greater_equal(places, start), less(places, add(start, length)))

    def _filling(self, images, first):
        low, high = map(float, self.value_range)
        if self.fill_value is None:
            noise = drawn("normal", (None, *images.shape[1:]), self.seed, self.dtype)
            return clip(multiply(noise, high), low, high)
        value = np.clip(np.asarray(self.fill_value, self.dtype), low, high)
        return value.reshape(3, 1, 1) if first and value.ndim else value

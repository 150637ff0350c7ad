"""Images of fewer tones, at random."""

import numpy as np

from dseq.layers.preprocessing.image.image_layer import RandomImageLayer, value_range_of, within
from dseq.ops.arithmetic import add, divide, multiply, subtract
from dseq.ops.casting import cast
from dseq.ops.elementwise import floor
from dseq.ops.gathering import take
from dseq.ops.selection import clip

BITS = 8


class RandomPosterization(RandomImageLayer):
    """Keeps the first bits of each value, as many as are drawn for the image, in training; nothing in inference.

    Args:
        factor: Two integers in [1, 8], the number of bits is drawn from the first up to the second, which is left out
            unless both are the same; or one, f, for (1, f).
        value_range: The least and the largest value of images, which stand for 0 and 255.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If `factor` or `value_range` is something else.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        factor, value_range = within(factor, "factor", 1, BITS), value_range_of(value_range)
        super().__init__(seed, data_format, **kwargs)
        self.factor, self.value_range = factor, value_range

    def call(self, images, training=None):
        low, high = map(float, self.value_range)
        images = multiply(subtract(cast(images, self.dtype), low), 255 / (high - low))
        steps = self._steps()
        tones = multiply(floor(divide(floor(clip(images, 0.0, 255.0)), steps)), steps)
        return add(multiply(tones, (high - low) / 255), low)

    def _steps(self):
        """How far tones lie apart: a number for all, or one for each image."""
        first, last = map(int, self.factor)
        if first == last:
            return 2.0 ** (BITS - first)
        sizes = 2.0 ** (BITS - np.arange(first, last))
        return take(sizes.astype(self.dtype), cast(floor(self.drawn_between((0, last - first))), "int32"), axis=0)

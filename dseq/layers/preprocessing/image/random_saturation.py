"""Saturations of images changed at random."""

from dseq.layers.preprocessing.image.image_layer import RandomImageLayer, value_range_of, within
from dseq.ops.arithmetic import add, divide, multiply, subtract
from dseq.ops.casting import cast
from dseq.ops.image.colors import hsv_to_rgb, rgb_to_hsv
from dseq.ops.joining import concatenate, split
from dseq.ops.selection import clip
from dseq.program.floatx import epsilon


class RandomSaturation(RandomImageLayer):
    """Multiplies the saturation of each image by a number of its own in training; nothing happens in inference.

    The number is `f / (1 - f)`: nothing is left of colors for f = 0, nothing changes for f = 0.5, and they are as
    strong as can be for f = 1.

    Args:
        factor: Two numbers in [-1, 1] between which f is drawn, or one, f, for (-f, f).
        value_range: The least and the largest value that a saturation may have.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If `factor` or `value_range` is something else.

    Input shape:
        `(batch, height, width, 3)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        factor, value_range = within(factor, "factor", -1, 1), value_range_of(value_range)
        super().__init__(seed, data_format, **kwargs)
        self.factor, self.value_range = factor, value_range

    def call(self, images, training=None):
        axis = 1 if self.data_format == "channels_first" else -1
        hue, saturation, value = split(rgb_to_hsv(cast(images, self.dtype), self.data_format), 3, axis)
        share = self.drawn_between(self.factor)
        strength = divide(share, add(subtract(1.0, share), epsilon()))
        saturation = clip(multiply(saturation, strength), *map(float, self.value_range))
        return hsv_to_rgb(concatenate([hue, saturation, value], axis), self.data_format)

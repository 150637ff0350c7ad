"""Hues of images changed at random."""

from dseq.layers.preprocessing.image.image_layer import RandomImageLayer, value_range_of, within
from dseq.ops.arithmetic import add, greater, multiply, subtract
from dseq.ops.casting import cast
from dseq.ops.image.colors import hsv_to_rgb, rgb_to_hsv
from dseq.ops.joining import concatenate, split
from dseq.ops.selection import clip, where


class RandomHue(RandomImageLayer):
    """Turns the hues of each image by an angle of its own in training; nothing happens in inference.

    Args:
        factor: Shares of half a turn: two numbers in [0, 1] between which the share is drawn, or one, f, for (0, f);
            its sign is drawn too.
        value_range: The least and the largest value of images.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If `factor` or `value_range` is something else.

    Input shape:
        `(batch, height, width, 3)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        factor, value_range = within(factor, "factor", 0, 1), value_range_of(value_range)
        super().__init__(seed, data_format, **kwargs)
        self.factor, self.value_range = factor, value_range

    def call(self, images, training=None):
        low, high = map(float, self.value_range)
        axis = 1 if self.data_format == "channels_first" else -1
        images = multiply(subtract(cast(images, self.dtype), low), 1 / (high - low))
        hue, saturation, value = split(rgb_to_hsv(images, self.data_format), 3, axis)
        sign = where(greater(self.drawn_between((0, 1)), 0.5), -0.5, 0.5)
        hue = add(hue, multiply(sign, self.drawn_between(self.factor)))  # whole turns do not matter
        images = hsv_to_rgb(concatenate([hue, saturation, value], axis), self.data_format)
        return add(multiply(clip(images, 0.0, 1.0), high - low), low)

"""Negatives of images at random."""

from dseq.layers.preprocessing.image.image_layer import RandomImageLayer, value_range_of, within
from dseq.ops.arithmetic import less, subtract
from dseq.ops.casting import cast
from dseq.ops.selection import where


class RandomInvert(RandomImageLayer):
    """Makes negatives of images, `largest value - x`, with a chance of each one's own; nothing happens in inference.

    Args:
        factor: Two numbers in [0, 1] between which an image's chance is drawn, or one, f, for (0, f).
        value_range: The least and the largest value of images.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If `factor` or `value_range` is something else.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(self, factor=1.0, value_range=(0, 255), seed=None, data_format=None, **kwargs):
        factor, value_range = within(factor, "factor", 0, 1), value_range_of(value_range)
        super().__init__(seed, data_format, **kwargs)
        self.factor, self.value_range = factor, value_range

    def call(self, images, training=None):
        images = cast(images, self.dtype)
        chosen = less(self.drawn_between((0, 1)), self.drawn_between(self.factor))
        return where(chosen, subtract(float(self.value_range[1]), images), images)

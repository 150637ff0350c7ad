"""Contrasts of images changed at random."""

from dseq.layers.preprocessing.image.image_layer import RandomImageLayer, value_range_of, within
from dseq.ops.arithmetic import add, multiply, subtract
from dseq.ops.casting import cast
from dseq.ops.reductions import mean
from dseq.ops.selection import clip


class RandomContrast(RandomImageLayer):
    """Moves the pixels of each channel away from their mean or towards it in training; nothing happens in inference.

    `(x - mean) * c + mean` with a c of its own for each image.

    Args:
        factor: Two numbers in [0, 1], c is drawn between 1 - the first and 1 + the second; or one, f, for (0, f).
        value_range: The least and the largest value of images; results stay within.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        **kwargs: `data_format`, `name`, `dtype`, as for every layer of images.

    Raises:
        ValueError: If `factor` or `value_range` is something else.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        factor, value_range = within(factor, "factor", 0, 1), value_range_of(value_range)
        super().__init__(seed, **kwargs)
        self.factor, self.value_range = factor, value_range

    def call(self, images, training=None):
        images = cast(images, self.dtype)
        middle = mean(images, (2, 3) if self.data_format == "channels_first" else (1, 2), keepdims=True)
        strength = self.drawn_between((1 - self.factor[0], 1 + self.factor[1]))
        return clip(add(multiply(subtract(images, middle), strength), middle), *self.value_range)

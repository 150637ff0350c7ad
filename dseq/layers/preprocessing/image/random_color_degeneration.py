"""Colors of images taken away at random."""

from dseq.layers.preprocessing.image.image_layer import RandomImageLayer, value_range_of, within
from dseq.ops.arithmetic import add, multiply, subtract
from dseq.ops.casting import cast
from dseq.ops.image.colors import rgb_to_grayscale
from dseq.ops.selection import clip


class RandomColorDegeneration(RandomImageLayer):
    """Moves each image towards its gray values by a share of its own in training; nothing happens in inference.

    Args:
        factor: Two numbers in [-1, 1] between which the share is drawn, or one, f, for (-f, f). 1 is gray; negative
            shares strengthen colors.
        value_range: The least and the largest value of images; results stay within.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If `factor` or `value_range` is something else, or images have neither 3 channels nor 1.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        factor, value_range = within(factor, "factor", -1, 1), value_range_of(value_range)
        super().__init__(seed, data_format, **kwargs)
        self.factor, self.value_range = factor, value_range

    def call(self, images, training=None):
        images = cast(images, self.dtype)
        gray = rgb_to_grayscale(images, self.data_format)
        mixed = add(images, multiply(self.drawn_between(self.factor), subtract(gray, images)))
        return clip(mixed, *self.value_range)

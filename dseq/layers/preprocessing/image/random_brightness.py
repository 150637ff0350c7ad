"""Images made brighter or darker at random."""

from dseq.layers.preprocessing.image.image_layer import RandomImageLayer, value_range_of, within
from dseq.ops.arithmetic import add, multiply
from dseq.ops.casting import cast
from dseq.ops.selection import clip


class RandomBrightness(RandomImageLayer):
    """Adds a value of its own to each image in training, and leaves it alone in inference.

    Args:
        factor: Shares of the range of values: two numbers in [-1, 1] between which the share is drawn, or one, f, for
            (-f, f).
        value_range: The least and the largest value of images; results stay within.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        **kwargs: `data_format`, `name`, `dtype`, as for every layer of images.

    Raises:
        ValueError: If `factor` or `value_range` is something else.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        factor, value_range = within(factor, "factor", -1, 1), value_range_of(value_range)
        super().__init__(seed, **kwargs)
        self.factor, self.value_range = factor, value_range

    def call(self, images, training=None):
        low, high = self.value_range
        more = multiply(self.drawn_between(self.factor), high - low)
        return clip(add(cast(images, self.dtype), more), low, high)

"""Solarized images."""

from dseq.layers.preprocessing.image.image_layer import RandomImageLayer, value_range_of, within
from dseq.ops.arithmetic import add, less, multiply, subtract
from dseq.ops.casting import cast
from dseq.ops.selection import clip, where


class Solarization(RandomImageLayer):
    """Makes negatives of the bright pixels of each image in training, and leaves it alone in inference.

    To each image a value of its own is added, and pixels that then lie above a threshold of its own are turned round.

    Args:
        addition_factor: Shares of the range of values: two numbers in [0, 1] between which the share to add is drawn,
            or one, f, for (0, f).
        threshold_factor: The same for the threshold.
        value_range: The least and the largest value of images; results stay within.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        **kwargs: `data_format`, `name`, `dtype`, as for every layer of images.

    Raises:
        ValueError: If a factor or `value_range` is something else.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(self, addition_factor=0.0, threshold_factor=0.0, value_range=(0, 255), seed=None, **kwargs):
        addition = within(addition_factor, "addition_factor", 0, 1, symmetric=False)
        threshold = within(threshold_factor, "threshold_factor", 0, 1, symmetric=False)
        value_range = value_range_of(value_range)
        super().__init__(seed, **kwargs)
        self.addition_factor, self.threshold_factor, self.value_range = addition, threshold, value_range

    def call(self, images, training=None):
        low, high = map(float, self.value_range)
        # As in Keras, the least of two numbers is one of values from 0 to 255, the largest a share of them.
        addition, threshold = (
            multiply(self.drawn_between((first, second * 255)), (high - low) / 255)
            for first, second in (self.addition_factor, self.threshold_factor)
        )
        brighter = clip(add(cast(images, self.dtype), addition), low, high)
        return where(less(brighter, add(threshold, low)), brighter, subtract(low + high, brighter))

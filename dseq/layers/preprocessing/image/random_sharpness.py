"""Images blurred or sharpened at random."""

import numpy as np

from dseq.layers.preprocessing.image.image_layer import RandomImageLayer, value_range_of, within
from dseq.ops.arithmetic import add, multiply, subtract
from dseq.ops.casting import cast
from dseq.ops.function import Function
from dseq.ops.image.resampling import stretched
from dseq.ops.selection import clip


class RandomSharpness(RandomImageLayer):
    """Mixes each image with a smoothed one by a share of its own in training; nothing happens in inference.

    `x + (1 - 2 f) (smooth - x)`: for f = 0 the image is blurred, for 0.5 it stays, for 1 it is sharpened. To smooth,
    each pixel counts 5 times and its eight neighbours once; beyond the border they are 0.

    Args:
        factor: Two numbers in [0, 1] between which f is drawn, or one, f, for (0, f).
        value_range: The least and the largest value of images; results stay within.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If `factor` or `value_range` is something else.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        factor, value_range = within(factor, "factor", 0, 1), value_range_of(value_range)
        super().__init__(seed, data_format, **kwargs)
        self.factor, self.value_range = factor, value_range

    def call(self, images, training=None):
        images = cast(images, self.dtype)
        sums = _Neighbours(first=self.data_format == "channels_first")(images)
        smooth = multiply(add(sums, multiply(images, 4.0)), 1 / 13)
        share = subtract(1.0, multiply(self.drawn_between(self.factor), 2.0))
        return clip(add(images, multiply(share, subtract(smooth, images))), *map(float, self.value_range))


class _Neighbours(Function):
    """The sums of 3 x 3 pixels."""

    defaults = {"first": False}

    def infer(self, images):
        return images

    def write(self, plan, images):
        for axis in (1, 2) if self.first else (0, 1):
            size = images.shape[axis]
            places = np.arange(size) + np.array([[-1], [0], [1]])
            inside = (places >= 0) & (places < size)
            images = stretched(plan, images, axis, places.clip(0, size - 1), inside.astype("float64"))
        return images

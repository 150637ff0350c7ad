"""Images stretched over the whole range of values."""

from dseq.layers.preprocessing.image.image_layer import ImageLayer, value_range_of
from dseq.ops.arithmetic import add, divide, greater, multiply, subtract
from dseq.ops.casting import cast
from dseq.ops.reductions import max as largest
from dseq.ops.reductions import min as least
from dseq.ops.selection import clip, where


class AutoContrast(ImageLayer):
    """Stretches the values of each channel of an image over the whole range, in training and in inference.

    Args:
        value_range: The least and the largest value of images.
        **kwargs: `data_format`, `name`, `dtype`, as for every layer of images.

    Raises:
        ValueError: If `value_range` is something else.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(self, value_range=(0, 255), **kwargs):
        value_range = value_range_of(value_range)
        super().__init__(**kwargs)
        self.value_range = value_range

    def call(self, images):
        images = cast(images, self.dtype)
        axes = (2, 3) if self.data_format == "channels_first" else (1, 2)
        low, high = least(images, axes, keepdims=True), largest(images, axes, keepdims=True)
        spread = subtract(high, low)
        some = greater(spread, 0.0)
        bottom, top = map(float, self.value_range)
        scale = divide(top - bottom, where(some, spread, 1.0))
        stretched = clip(add(multiply(subtract(images, low), scale), bottom), bottom, top)
        return where(some, stretched, images)

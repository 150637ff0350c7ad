"""Images made gray at random."""

from dseq.layers.preprocessing.image.image_layer import RandomImageLayer
from dseq.layers.regularization.noise import check_share
from dseq.ops.arithmetic import less
from dseq.ops.casting import cast
from dseq.ops.image.colors import rgb_to_grayscale
from dseq.ops.selection import where


class RandomGrayscale(RandomImageLayer):
    """Makes a random share of the images gray in training, and leaves all alone in inference.

    All three channels get the gray value.

    Args:
        factor: The share, in [0, 1].
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If `factor` is not in [0, 1], or images have neither 3 channels nor 1.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(self, factor=0.5, data_format=None, seed=None, **kwargs):
        check_share("factor", factor)
        super().__init__(seed, data_format, **kwargs)
        self.factor = factor

    def call(self, images, training=None):
        images = cast(images, self.dtype)
        gray = rgb_to_grayscale(images, self.data_format)
        return where(less(self.drawn_between((0, 1)), self.factor), gray, images)

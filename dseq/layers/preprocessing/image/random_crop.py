"""Images cut out of images at random places."""

from dseq.kernels.affine import draw_windows
from dseq.layers.preprocessing.image.image_layer import RandomImageLayer, SizedImageLayer
from dseq.ops.image.formats import sizes_of
from dseq.ops.image.resampling import resized
from dseq.ops.image.transforming import transformed


class RandomCrop(RandomImageLayer, SizedImageLayer):
    """Cuts a window out of each image, at a place of its own, in training.

    In inference, and of smaller images, it resizes the largest part in the middle that has the window's ratio.

    Args:
        height: Positive integer, the window's height.
        width: Positive integer, its width.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        name: Name of the layer.
        **kwargs: `dtype`, as for every layer.

    Raises:
        ValueError: If an argument does not fit.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.

    Output shape:
        The same with the window's height and width; the values are floats.
    """

    def __init__(self, height, width, seed=None, data_format=None, name=None, **kwargs):
        SizedImageLayer.__init__(self, height, width, data_format, name=name, **kwargs)
        self.seed = seed

    def lower(self, plan, x):
        size = self.height, self.width
        places = [n - wanted + 1 for n, wanted in zip(sizes_of(x.shape, self.data_format), size, strict=True)]
        if min(places) < 1:
            return self.at_rest(plan, x)
        transforms = plan.value("transforms", (8,), plan.dtype)
        plan.forward(draw_windows, transforms, self.draws(plan, 2), *places)
        return transformed(plan, x, transforms, "nearest", "nearest", 0.0, self.data_format, size)

    def at_rest(self, plan, x):
        return resized(plan, x, (self.height, self.width), "bilinear", self.data_format, crop=True)

"""The middle of images."""

from dseq.layers.preprocessing.image.image_layer import SizedImageLayer
from dseq.ops.image.formats import sizes_of
from dseq.ops.image.framing import framed
from dseq.ops.image.resampling import resized


class CenterCrop(SizedImageLayer):
    """Cuts out the middle of images. Of smaller ones, it resizes the largest part that has the ratio wanted.

    Args:
        height: Positive integer, the new height.
        width: Positive integer, the new width.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If an argument does not fit.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.

    Output shape:
        The same with the new height and width; the values are floats.
    """

    def __init__(self, height, width, data_format=None, **kwargs):
        super().__init__(height, width, data_format, **kwargs)

    def lower(self, plan, x):
        size = self.height, self.width
        spare = [n - wanted for n, wanted in zip(sizes_of(x.shape, self.data_format), size, strict=True)]
        if min(spare) < 0:
            return resized(plan, x, size, "bilinear", self.data_format, crop=True)
        return framed(plan, x, [-(n // 2) for n in spare], size, self.data_format)

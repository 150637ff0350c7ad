"""Images in one size."""

from dseq.layers.preprocessing.image.image_layer import SizedImageLayer
from dseq.ops.image.resampling import check_resize, resized


class Resizing(SizedImageLayer):
    """Gives images another size.

    Args:
        height: Positive integer, the new height.
        width: Positive integer, the new width.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        crop_to_aspect_ratio: Whether to cut off what has no place, instead of squeezing it.
        pad_to_aspect_ratio: Whether to add borders, instead of squeezing.
        fill_mode: `"constant"`.
        fill_value: What borders are of.
        antialias: Whether all pixels count where images become smaller, instead of those nearest to a new one.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If an argument does not fit.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.

    Output shape:
        The same with the new height and width; the values are floats.

    Example:
        >>> dseq.layers.Resizing(32, 48)(dseq.Input((28, 28, 1))).shape
        (None, 32, 48, 1)
    """

    def __init__(
        self,
        height,
        width,
        interpolation="bilinear",
        crop_to_aspect_ratio=False,
        pad_to_aspect_ratio=False,
        fill_mode="constant",
        fill_value=0.0,
        antialias=False,
        data_format=None,
        **kwargs,
    ):
        super().__init__(height, width, data_format, **kwargs)
        check_resize((self.height, self.width), interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio, fill_mode)
        self.interpolation = interpolation
        self.crop_to_aspect_ratio = bool(crop_to_aspect_ratio)
        self.pad_to_aspect_ratio = bool(pad_to_aspect_ratio)
        self.fill_mode, self.fill_value = fill_mode, fill_value
        self.antialias = bool(antialias)

    def lower(self, plan, x):
        return resized(
            plan,
            x,
            (self.height, self.width),
            self.interpolation,
            self.data_format,
            self.antialias,
            self.crop_to_aspect_ratio,
            self.pad_to_aspect_ratio,
            self.fill_value,
        )

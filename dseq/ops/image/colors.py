"""Colors of images: gray values; hue, saturation and value."""

import numpy as np

from dseq.ops.arithmetic import add, divide, equal, greater, less, maximum, minimum, mod, multiply, subtract
from dseq.ops.casting import cast
from dseq.ops.composite import Composite
from dseq.ops.elementwise import absolute
from dseq.ops.image.formats import check_rank, data_format
from dseq.ops.joining import concatenate, split
from dseq.ops.selection import clip, where
from dseq.ops.types import as_array, float_type, is_float, type_of
from dseq.program.tensor import Tensor

GRAY = (0.2989, 0.587, 0.114)  # how much red, green and blue count


class _OfColors(Composite, base=True):
    """The base of functions that compute on the planes of three colors."""

    module = "keras.src.ops.image"
    defaults = {"data_format": None}


def _axis(order):
    return -3 if data_format(order) == "channels_first" else -1


def _shape(images):
    shape = images.shape if isinstance(images, Tensor) else np.shape(as_array(images))
    check_rank(shape)
    return shape


class RGBToGrayscale(_OfColors):
    """Gray values of colors."""

    function_name = "image.rgb_to_grayscale"

    @staticmethod
    def expression(images, data_format):
        axis = _axis(data_format)
        channels = _shape(images)[axis]
        if channels not in (1, 3):
            raise ValueError(
                "Invalid channel size: expected 3 (RGB) or 1 (Grayscale). "
                f"Received input with shape: images.shape={tuple(images.shape)}"
            )
        if channels == 1:
            return images
        dtype = type_of(images)
        planes = split(cast(images, float_type(dtype)), 3, axis)
        red, green, blue = (multiply(plane, share) for plane, share in zip(planes, GRAY, strict=True))
        return cast(add(add(red, green), blue), dtype)


def rgb_to_grayscale(images, data_format=None):
    """Gray values: `0.2989 red + 0.587 green + 0.114 blue`; what has one channel stays as it is.

    Args:
        images: Tensor or array, `(batch, height, width, channels)`; an array may be of one image.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.

    Returns:
        Images with one channel, of the same type.

    Raises:
        ValueError: If images have neither 3 channels nor 1.
    """
    return RGBToGrayscale.apply(images, data_format=data_format)


def _check_floats(images):
    if not is_float(type_of(images)):
        raise ValueError(f"Invalid images dtype: expected float dtype. Received: images.dtype={type_of(images)}")


class RGBToHSV(_OfColors):
    """Hue, saturation and value of colors."""

    function_name = "image.rgb_to_hsv"

    @staticmethod
    def expression(images, data_format):
        axis = _axis(data_format)
        _shape(images)
        _check_floats(images)
        dtype = np.dtype(type_of(images))
        images = where(less(absolute(images), float(np.finfo(dtype).eps)), 0.0, images)
        red, green, blue = split(images, 3, axis)
        value = maximum(maximum(red, green), blue)
        spread = subtract(value, minimum(minimum(red, green), blue))
        some, colored = greater(value, 0.0), greater(spread, 0.0)
        saturation = where(some, divide(spread, where(some, value, 1.0)), 0.0)
        scale = divide(1.0, multiply(where(colored, spread, 1.0), 6.0))
        from_green = add(multiply(scale, subtract(blue, red)), 2 / 6)
        from_blue = add(multiply(scale, subtract(red, green)), 4 / 6)
        hue = where(equal(value, green), from_green, from_blue)
        hue = where(equal(value, red), multiply(scale, subtract(green, blue)), hue)
        hue = where(colored, hue, 0.0)
        return concatenate([where(less(hue, 0.0), add(hue, 1.0), hue), saturation, value], axis)


def rgb_to_hsv(images, data_format=None):
    """Hue, saturation and value of colors (Smith, Color gamut transform pairs, 1978).

    Args:
        images: Tensor or array of floats in [0, 1], `(batch, height, width, 3)`; an array may be of one image.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.

    Raises:
        ValueError: If images are not of floats.
    """
    return RGBToHSV.apply(images, data_format=data_format)


class HSVToRGB(_OfColors):
    """Colors of hue, saturation and value."""

    function_name = "image.hsv_to_rgb"

    @staticmethod
    def expression(images, data_format):
        axis = _axis(data_format)
        _shape(images)
        _check_floats(images)
        hue, saturation, value = split(images, 3, axis)
        place = multiply(mod(hue, 1.0), 6.0)
        shares = (
            subtract(absolute(subtract(place, 3.0)), 1.0),
            subtract(2.0, absolute(subtract(place, 2.0))),
            subtract(2.0, absolute(subtract(place, 4.0))),
        )
        gray = subtract(1.0, saturation)
        planes = [multiply(value, add(gray, multiply(saturation, clip(share, 0.0, 1.0)))) for share in shares]
        return concatenate(planes, axis)


def hsv_to_rgb(images, data_format=None):
    """Colors of hue, saturation and value: the inverse of `rgb_to_hsv`.

    Args:
        images: Tensor or array of floats, `(batch, height, width, 3)`; an array may be of one image.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.

    Raises:
        ValueError: If images are not of floats.
    """
    return HSVToRGB.apply(images, data_format=data_format)

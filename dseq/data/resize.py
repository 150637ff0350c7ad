"""Images in another size, with the pixels that Keras' `resize` gives (without smoothing before making smaller)."""

import numpy as np

from dseq.ops.image.resampling import KERNELS, crop_box, taps

INTERPOLATIONS = ("nearest", *KERNELS)
__all__ = ["INTERPOLATIONS", "crop_box", "pad_to_ratio", "resize"]


def resize(image, height, width, interpolation="bilinear") -> np.ndarray:
    """An image of another size.

    Args:
        image: Array `(rows, columns, channels)`.
        height: Rows wanted.
        width: Columns wanted.
        interpolation: One of `INTERPOLATIONS`.

    Returns:
        Array `(height, width, channels)` of float32.
    """
    image = np.asarray(image, np.float32)
    for axis, size in ((0, height), (1, width)):
        if image.shape[axis] != size:
            image = _along(image, axis, size, interpolation)
    return image


def pad_to_ratio(image, target_height, target_width) -> np.ndarray:
    """The image with black borders, as small as can be, that give it the ratio of another size."""
    height, width = image.shape[:2]
    rows = max(height, int(float(width * target_height) / target_width))
    columns = max(width, int(float(height * target_width) / target_height))
    padded = np.zeros((rows, columns, image.shape[2]), image.dtype)
    top, left = int((rows - height) / 2), int((columns - width) / 2)
    padded[top : top + height, left : left + width] = image
    return padded


def _along(image, axis, size, interpolation):
    """Resizes one axis: each new line is a weighted sum of a few old ones."""
    places, weights = taps(image.shape[axis], size, interpolation)
    if interpolation == "nearest":
        return np.take(image, places[0], axis)
    shape = [1, 1, 1]
    shape[axis] = size
    lines = zip(places, weights.astype(np.float32), strict=True)
    return sum(np.take(image, place, axis) * share.reshape(shape) for place, share in lines)

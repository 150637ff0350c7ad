"""Images in another size, with the pixels that Keras' `resize` gives (without smoothing before making smaller)."""

import numpy as np


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


def crop_box(height, width, target_height, target_width) -> tuple:
    """The largest part of an image with the ratio of another size, in its middle: top, left, height, width."""
    rows = max(min(height, int(float(width * target_height) / target_width)), 1)
    columns = max(min(width, int(float(height * target_width) / target_height)), 1)
    return int((height - rows) / 2), int((width - columns) / 2), rows, columns


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
    length = image.shape[axis]
    centre = (np.arange(size) + 0.5) * (length / size) - 0.5  # where a new line stands among the old
    if interpolation == "nearest":
        lines = np.minimum(np.floor(centre + 0.5), length - 1).astype(np.int64)
        return np.take(image, lines, axis)
    kernel, support = KERNELS[interpolation]
    lines = np.floor(centre)[:, None].astype(np.int64) + np.arange(1 - support, support + 1)
    weights = kernel(np.abs(lines - centre[:, None]))
    weights[(lines < 0) | (lines >= length)] = 0
    weights = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    lines = lines.clip(0, length - 1)
    shape = [1, 1, 1]
    shape[axis] = size
    return sum(np.take(image, lines[:, k], axis) * weights[:, k].reshape(shape) for k in range(lines.shape[1]))


def _triangle(x):
    return np.maximum(1 - x, 0)


def _cubic(b, c):
    """Mitchell and Netravali's family of cubic kernels."""

    def kernel(x):
        near = (12 - 9 * b - 6 * c) * x**3 + (-18 + 12 * b + 6 * c) * x**2 + 6 - 2 * b
        far = (-b - 6 * c) * x**3 + (6 * b + 30 * c) * x**2 + (-12 * b - 48 * c) * x + 8 * b + 24 * c
        return np.where(x < 1, near, np.where(x < 2, far, 0)) / 6

    return kernel


def _lanczos(radius):
    return lambda x: np.where(x < radius, np.sinc(x) * np.sinc(x / radius), 0)


def _gaussian(x):
    return np.where(x < 1.5, np.exp(-2 * x**2), 0)


# The kernel, and how many old lines on each side it reaches.
KERNELS = {
    "bilinear": (_triangle, 1),
    "bicubic": (_cubic(0, 0.5), 2),
    "mitchellcubic": (_cubic(1 / 3, 1 / 3), 2),
    "gaussian": (_gaussian, 2),
    "lanczos3": (_lanczos(3), 3),
    "lanczos5": (_lanczos(5), 5),
}
INTERPOLATIONS = ("nearest", *KERNELS)

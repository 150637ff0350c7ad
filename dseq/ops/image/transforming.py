"""Images turned, moved, zoomed and sheared: each through a transformation of its own."""

from math import prod

import numpy as np

from dseq.kernels.affine import FILL_MODES, affine_backward, affine_forward
from dseq.ops.function import Function, Spec
from dseq.ops.image.formats import batched, check_samples, data_format, sizes_of, with_sizes
from dseq.ops.moving import permuted
from dseq.ops.reading import as_type, read, stopped
from dseq.ops.types import as_array
from dseq.program.floatx import floatx

INTERPOLATIONS = ("nearest", "bilinear")


def transformed(plan, x, transforms, interpolation, fill_mode, fill, order, size=None):
    """Writes images, each seen through a transformation, into a plan.

    Args:
        plan: The plan.
        x: Operand of the images.
        transforms: Operand of eight numbers for each sample, see `dseq.kernels.affine`; or of one row for all.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode: One of `FILL_MODES`.
        fill: What lies outside for `"constant"`.
        order: `"channels_last"` or `"channels_first"`.
        size: `(height, width)` of the result; that of the images if None.
    """
    first = order == "channels_first"
    if first:
        x = permuted(plan, x, (1, 2, 0))
    y = plan.value("transformed", (*(size or x.shape[:2]), x.shape[2]))
    smooth, mode = INTERPOLATIONS.index(interpolation), FILL_MODES.index(fill_mode)
    if prod(x.shape):
        plan.forward(affine_forward, y, x, transforms, smooth, mode, plan.constant(float(fill)))
        plan.backward(affine_backward, x.grad, y.grad, transforms, smooth, mode)
    return permuted(plan, y, (2, 0, 1)) if first else y


def check_modes(interpolation, fill_mode, kinds=FILL_MODES, error=ValueError):
    """Raises if there is no such interpolation or fill mode.

    Args:
        interpolation: What the user gave.
        fill_mode: What the user gave.
        kinds: The fill modes there are.
        error: The class of the exception.
    """
    for name, value, known in (
        ("fill_mode", fill_mode, tuple(kinds)),
        ("interpolation", interpolation, INTERPOLATIONS),
    ):
        if value not in known:
            raise error(f"Unknown `{name}` {value}. Expected of one {known}. Received: {name}={value!r}")


class AffineTransform(Function):
    """Images, each seen through a transformation."""

    module = "keras.src.ops.image"
    function_name = "image.affine_transform"
    defaults = {"interpolation": "bilinear", "fill_mode": "constant", "fill_value": 0, "data_format": None}

    def __init__(self, name=None, **options):
        super().__init__(name, **options)
        check_modes(self.interpolation, self.fill_mode)

    @classmethod
    def compute(cls, images, transform, **options):
        kind = cls(**options)
        given = as_array(images)
        images, single = batched(images)
        first = data_format(kind.data_format) == "channels_first"
        images = np.ascontiguousarray(images.transpose(0, 2, 3, 1)) if first else images
        transform = as_array(transform).astype(images.dtype)
        _check_transform(transform.shape)
        transform = np.ascontiguousarray(np.atleast_2d(transform))
        if len(transform) not in (1, len(images)):
            raise ValueError(
                "There must be one transform, or one for each image. "
                f"Received: transform.shape={transform.shape} for {len(images)} images"
            )
        result = np.empty_like(images)
        how = INTERPOLATIONS.index(kind.interpolation), FILL_MODES.index(kind.fill_mode)
        if images.size:
            affine_forward(result, images, transform, *how, np.array([kind.fill_value], images.dtype))
        result = result.transpose(0, 3, 1, 2) if first else result
        result = np.rint(result).astype(given.dtype) if given.dtype.kind in "iu" else result
        return result[0] if single else result

    def infer(self, images, transform):
        check_samples(self, images)
        sizes = sizes_of(images.shape, data_format(self.data_format))
        if None in sizes:
            raise self.error("height and width of images must be known.", f"shape {images.shape}")
        _check_transform(transform.shape)
        if transform.shared and len(transform.shape) == 2 and transform.shape[0] != 1:
            raise self.error(
                "transforms must have the batch axis of the images, or be one for all.", f"shape {transform.shape}"
            )
        dtype = images.dtype if np.dtype(images.dtype).kind == "f" else floatx()
        return Spec(with_sizes(images.shape, sizes, data_format(self.data_format)), dtype, False)

    def write(self, plan, images, transform):
        x = read(plan, as_type(plan, images, "float"), True)
        transforms = stopped(as_type(plan, transform, "float"))
        if not transforms.per_row:
            transforms = transforms.reshape((1, 8))
        order = data_format(self.data_format)
        return transformed(plan, x, transforms, self.interpolation, self.fill_mode, self.fill_value, order)


def _check_transform(shape):
    if len(shape) not in (1, 2) or shape[-1] != 8:
        raise ValueError(
            "Invalid transform rank: expected rank 1 (single transform) or rank 2 (batch of transforms), with 8 "
            f"numbers each. Received input with shape: transform.shape={tuple(shape)}"
        )


def affine_transform(images, transform, interpolation="bilinear", fill_mode="constant", fill_value=0, data_format=None):
    """Images, each seen through a transformation.

    A transformation `[a0, a1, a2, b0, b1, b2, c0, c1]` takes the pixel in column x and row y of the result from column
    `(a0 x + a1 y + a2) / k` and row `(b0 x + b1 y + b2) / k`, where `k = c0 x + c1 y + 1`. Gradients flow into images,
    not into transformations.

    Args:
        images: Tensor or array, `(batch, height, width, channels)`; an array may be of one image.
        transform: Eight numbers, or a row of eight for each image.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: What lies outside: `"constant"` (`fill_value`), `"nearest"` (the last pixel), `"wrap"` (the image
            again), `"reflect"` (its mirror image) or `"mirror"` (the same without the last pixel twice).
        fill_value: A number.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.

    Raises:
        ValueError: If an argument does not fit.

    Example:
        >>> image = np.arange(4.0).reshape(1, 1, 4, 1)
        >>> moved = dseq.ops.image.affine_transform(image, np.array([1, 0, 1, 0, 1, 0, 0, 0]), fill_value=-1)
        >>> moved.ravel().tolist()
        [1.0, 2.0, 3.0, -1.0]
    """
    options = {"interpolation": interpolation, "fill_mode": fill_mode, "fill_value": fill_value}
    return AffineTransform.apply(images, transform, data_format=data_format, **options)

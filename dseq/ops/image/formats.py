"""What functions of images check and share."""

import numpy as np

from dseq.ops.types import as_array, is_float
from dseq.program import floatx


def data_format(value) -> str:
    """`"channels_last"` or `"channels_first"`; the default of `dseq.config` for None.

    Raises:
        ValueError: If it is something else.
    """
    value = value or floatx.image_data_format()
    if value not in ("channels_last", "channels_first"):
        raise ValueError(
            "The `data_format` argument must be one of {'channels_first', 'channels_last'}. "
            f"Received: data_format={value!r}"
        )
    return value


def check_rank(shape):
    """Raises if a full shape is not that of one image or of several."""
    if len(shape) not in (3, 4):
        raise ValueError(
            "Invalid images rank: expected rank 3 (single image) or rank 4 (batch of images). "
            f"Received input with shape: images.shape={tuple(shape)}"
        )


def sizes_of(shape, order) -> tuple:
    """`(height, width)` from the full shape of images, or from that of one."""
    return tuple(shape[-2:]) if order == "channels_first" else tuple(shape[-3:-1])


def with_sizes(shape, sizes, order) -> tuple:
    """The shape with another height and width."""
    if order == "channels_first":
        return (*shape[:-2], *sizes)
    return (*shape[:-3], *sizes, shape[-1])


def batched(images):
    """Arrays as a batch of images of a float type.

    Returns:
        `(images, single)`: C-contiguous, with a batch axis; whether that is new.
    """
    images = as_array(images)
    check_rank(images.shape)
    single = images.ndim == 3
    images = images[None] if single else images
    dtype = images.dtype if is_float(images.dtype.name) and images.dtype.itemsize in (4, 8) else floatx.floatx()
    return np.ascontiguousarray(images, dtype), single


def check_samples(function, images):
    """Raises if what a function gets in a graph is not a batch of images; `images` is a `Spec`."""
    check_rank(images.shape)
    if images.shared or len(images.shape) != 4:
        raise function.error("a tensor of images must have a batch axis.", f"shape {images.shape}")

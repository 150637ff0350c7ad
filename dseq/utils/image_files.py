"""Single images: files, Pillow's images and arrays."""

import io
import os
import warnings
from pathlib import Path

import numpy as np

from dseq.data.images import pillow
from dseq.layers.convolutional.geometry import data_format as data_format_of
from dseq.parallel import communicator
from dseq.program.floatx import floatx

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
GRAY = ("L", "I;16", "I")  # Pillow's modes of one channel
MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}


def load_img(path, color_mode="rgb", target_size=None, interpolation="nearest", keep_aspect_ratio=False):
    """Reads an image file.

    Args:
        path: The file, or an `io.BytesIO` with its content.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        target_size: `(height, width)` to bring it to, None for its own size.
        interpolation: One of `INTERPOLATIONS`.
        keep_aspect_ratio: Whether to cut off at the sides what has no place, instead of squeezing it.

    Returns:
        Pillow's image.

    Raises:
        ImportError: Without Pillow.
        OSError: If there is no such file, or it is no image.
        ValueError: If an argument does not fit.

    Example:
        >>> image = dseq.utils.load_img("cat.png", target_size=(299, 299))
        >>> batch = dseq.utils.img_to_array(image)[np.newaxis]
        >>> dseq.applications.Xception().predict(dseq.applications.xception.preprocess_input(batch))
    """
    if color_mode not in MODES:
        raise ValueError(f'color_mode must be "grayscale", "rgb", or "rgba". Received: color_mode={color_mode!r}')
    if interpolation not in INTERPOLATIONS:
        raise ValueError(
            f"Invalid interpolation method {interpolation} specified. Supported methods are {', '.join(INTERPOLATIONS)}"
        )
    library = pillow()
    if isinstance(path, io.BytesIO):
        image = library.open(path)
    elif isinstance(path, str | bytes | os.PathLike):
        image = library.open(io.BytesIO(Path(os.fsdecode(path)).read_bytes()))
    else:
        raise TypeError(f"path should be path-like or io.BytesIO, not {type(path)}")
    if image.mode != MODES[color_mode] and not (color_mode == "grayscale" and image.mode in GRAY):
        image = image.convert(MODES[color_mode])
    if target_size is None:
        return image
    height, width = target_size
    if image.size == (width, height):
        return image
    box = None
    if keep_aspect_ratio:
        columns, rows = image.size
        kept_rows, kept_columns = min(rows, columns * height // width), min(columns, rows * width // height)
        top, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2
        box = (left, top, left + kept_columns, top + kept_rows)
    return image.resize((width, height), getattr(library.Resampling, interpolation.upper()), box)


def img_to_array(img, data_format=None, dtype=None) -> np.ndarray:
    """Pillow's image as an array with an axis of channels.

    Args:
        img: The image.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        dtype: Type of the array, `dseq.config.floatx()` if None.

    Raises:
        ValueError: If the image has another number of axes.
    """
    first = data_format_of(data_format) == "channels_first"
    x = np.array(img, dtype or floatx())
    if x.ndim == 2:
        return x[np.newaxis] if first else x[..., np.newaxis]
    if x.ndim != 3:
        raise ValueError(f"Unsupported image shape: {x.shape}. An image has two axes, or three with its channels.")
    return x.transpose(2, 0, 1) if first else x


def array_to_img(x, data_format=None, scale=True, dtype=None):
    """An array as Pillow's image.

    Args:
        x: Array of three axes, one of them 1, 3 or 4 channels.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        scale: Whether to bring the smallest value to 0 and the largest to 255.
        dtype: Type to compute in, `dseq.config.floatx()` if None.

    Raises:
        ImportError: Without Pillow.
        ValueError: If the array has other axes.
    """
    x = np.asarray(x, dtype or floatx())
    if x.ndim != 3:
        raise ValueError(f"Expected image array to have rank 3 (single image). Got array with shape: {x.shape}")
    if data_format_of(data_format) == "channels_first":
        x = x.transpose(1, 2, 0)
    if x.shape[2] not in (1, 3, 4):
        raise ValueError(f"Unsupported channel number: {x.shape[2]}. There must be 1, 3 or 4.")
    if scale:
        x = x - x.min()
        x = x / (x.max() or 1) * 255
    if x.shape[2] == 1:
        x = x[..., 0]
        return pillow().fromarray(x.astype("int32" if x.max() > 255 else "uint8"))
    return pillow().fromarray(np.ascontiguousarray(x.astype("uint8")))


def save_img(path, x, data_format=None, file_format=None, scale=True, **kwargs) -> None:
    """Writes an array as an image file; under MPI rank 0 does.

    Args:
        path: The file, or an open one.
        x: Array of three axes, one of them 1, 3 or 4 channels.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        file_format: Format of the file; told by the path's ending if None.
        scale: Whether to bring the smallest value to 0 and the largest to 255.
        **kwargs: For Pillow's `save`.
    """
    if file_format is None and isinstance(path, str | Path):
        file_format = Path(path).suffix[1:].lower() or None
    if file_format and file_format.lower() == "jpg":
        file_format = "jpeg"
    image = array_to_img(x, data_format, scale)
    if image.mode == "RGBA" and file_format == "jpeg":
        warnings.warn("The JPEG format does not support RGBA images, converting to RGB.", stacklevel=2)
        image = image.convert("RGB")
    if communicator.get().rank == 0:
        image.save(path, format=file_format, **kwargs)

"""Images in another size: each new line is a weighted sum of a few old ones, first of rows, then of columns."""

from functools import lru_cache

import numpy as np

from dseq.kernels.geometry import stretch_backward, stretch_forward
from dseq.ops.function import Function, Spec
from dseq.ops.image.formats import batched, check_samples, data_format, sizes_of, with_sizes
from dseq.ops.image.framing import framed
from dseq.ops.reading import as_type, read
from dseq.program.floatx import floatx


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
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")  # those Keras' `resize` has


@lru_cache(64)
def taps(length, size, interpolation, antialias=False):
    """Which old lines make each new line of an axis.

    Args:
        length: How many there are.
        size: How many there will be.
        interpolation: `"nearest"` or one of `KERNELS`.
        antialias: Whether the kernel is widened where lines become fewer, so that all of them count.

    Returns:
        `(places, weights)`: arrays `(taps, size)` of int64 and float64.
    """
    centre = (np.arange(size) + 0.5) * (length / size) - 0.5  # where a new line stands among the old
    if interpolation == "nearest":
        return np.minimum(np.floor(centre + 0.5), length - 1).astype(np.int64)[None], np.ones((1, size))
    kernel, support = KERNELS[interpolation]
    wider = max(length / size, 1.0) if antialias else 1.0
    reach = int(np.ceil(support * wider))
    places = np.floor(centre).astype(np.int64) + np.arange(1 - reach, reach + 1)[:, None]
    weights = kernel(np.abs(places - centre) / wider)
    weights[(places < 0) | (places >= length)] = 0
    needed = (weights != 0).any(1)
    return places[needed].clip(0, length - 1), weights[needed] / weights.sum(0)


def repeats(length, times):
    """The `taps` of an axis each of whose lines is repeated so many times."""
    return np.repeat(np.arange(length), times)[None], np.ones((1, length * times))


def stretched(plan, x, axis, places, weights):
    """Writes one axis of an operand, counted without the batch, in another size into a plan.

    Args:
        plan: The plan.
        x: The operand.
        axis: The axis, not negative.
        places: The `taps` of the axis.
        weights: Their weights.
    """
    length, size = x.shape[axis], places.shape[1]
    if size == length and len(places) == 1 and np.array_equal(places[0], np.arange(length)):
        return x
    y = plan.value("stretched", (*x.shape[:axis], size, *x.shape[axis + 1 :]))
    inner = int(np.prod(x.shape[axis + 1 :]))
    table = plan.constant(np.ascontiguousarray(places), "int64"), plan.constant(np.ascontiguousarray(weights))
    plan.forward(stretch_forward, y.reshape((size, inner)), x.reshape((length, inner)), *table)
    if x.grad is not None:
        plan.backward(stretch_backward, x.grad.reshape((length, inner)), y.grad.reshape((size, inner)), *table)
    return y


def crop_box(height, width, target_height, target_width) -> tuple:
    """The largest part of an image with the ratio of another size, in its middle: top, left, height, width."""
    rows = max(min(height, int(float(width * target_height) / target_width)), 1)
    columns = max(min(width, int(float(height * target_width) / target_height)), 1)
    return int((height - rows) / 2), int((width - columns) / 2), rows, columns


def pad_box(height, width, target_height, target_width) -> tuple:
    """Equal borders on both sides that give an image nearly the ratio of another size: above and below, left and right.

    As Keras does it: of an odd number of lines the last one is left out.
    """
    rows = max(height, int(float(width * target_height) / target_width))
    columns = max(width, int(float(height * target_width) / target_height))
    above, left = int((rows - height) / 2), int((columns - width) / 2)
    return above, 0 if above else left


def resized(plan, x, size, interpolation, order, antialias=False, crop=False, pad=False, fill=0.0):
    """Writes images in another size into a plan.

    Args:
        plan: The plan.
        x: Operand of the images, of the plan's float type.
        size: `(height, width)` of the result.
        interpolation: One of `INTERPOLATIONS`.
        order: `"channels_last"` or `"channels_first"`.
        antialias: As for `taps`.
        crop: Whether what has no place in the result's ratio is cut off.
        pad: Whether borders are added to reach that ratio.
        fill: What borders are of.
    """
    height, width = sizes_of(x.shape, order)
    if crop:
        top, left, height, width = crop_box(height, width, *size)
        x = framed(plan, x, (-top, -left), (height, width), order)
    elif pad:
        above, left = pad_box(height, width, *size)
        height, width = height + 2 * above, width + 2 * left
        x = framed(plan, x, (above, left), (height, width), order, fill)
    axis = 1 if order == "channels_first" else 0
    x = stretched(plan, x, axis, *taps(height, size[0], interpolation, antialias))
    return stretched(plan, x, axis + 1, *taps(width, size[1], interpolation, antialias))


class Resize(Function):
    """Images in another size."""

    module = "keras.src.ops.image"
    function_name = "image.resize"
    defaults = {
        "size": None,
        "interpolation": "bilinear",
        "antialias": False,
        "crop_to_aspect_ratio": False,
        "pad_to_aspect_ratio": False,
        "fill_mode": "constant",
        "fill_value": 0.0,
        "data_format": None,
    }

    def __init__(self, size=None, name=None, **options):
        super().__init__(name, size=size, **options)
        check_resize(**{k: v for k, v in self.options.items() if k not in ("antialias", "fill_value", "data_format")})

    @classmethod
    def compute(cls, images, **options):
        kind = cls(**options)
        images, single = batched(images)
        order = data_format(kind.data_format)
        if kind.crop_to_aspect_ratio or kind.pad_to_aspect_ratio:
            images = kind._with_ratio(images, order)
        for axis, size in zip((-2, -1) if order == "channels_first" else (-3, -2), kind.size, strict=True):
            images = _along(images, images.ndim + axis, size, kind.interpolation, kind.antialias)
        return images[0] if single else images

    def _with_ratio(self, images, order):
        height, width = sizes_of(images.shape, order)
        if self.crop_to_aspect_ratio:
            top, left, rows, columns = crop_box(height, width, *self.size)
            where = slice(top, top + rows), slice(left, left + columns)
            return images[(..., *where)] if order == "channels_first" else images[(slice(None), *where)]
        borders = [(n, n) for n in pad_box(height, width, *self.size)]
        borders = [(0, 0), *borders] if order == "channels_first" else [*borders, (0, 0)]
        return np.pad(images, [(0, 0), *borders], constant_values=self.fill_value)

    def infer(self, images):
        check_samples(self, images)
        order = data_format(self.data_format)
        dtype = images.dtype if np.dtype(images.dtype).kind == "f" else floatx()
        return Spec(with_sizes(images.shape, self.size, order), dtype, False)

    def write(self, plan, images):
        x = read(plan, as_type(plan, images, "float"), True)
        return resized(
            plan,
            x,
            self.size,
            self.interpolation,
            data_format(self.data_format),
            self.antialias,
            self.crop_to_aspect_ratio,
            self.pad_to_aspect_ratio,
            self.fill_value,
        )


def _along(images, axis, size, interpolation, antialias):
    """One axis of an array in another size."""
    shape = images.shape
    places, weights = taps(shape[axis], size, interpolation, antialias)
    result = np.empty((*shape[:axis], size, *shape[axis + 1 :]), images.dtype)
    inner = int(np.prod(shape[axis + 1 :]))
    lines = (-1, shape[axis], inner)
    if result.size:
        x = np.ascontiguousarray(images).reshape(lines)
        stretch_forward(result.reshape(-1, size, inner), x, places, weights.astype(images.dtype))
    return result


def check_resize(size, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio, fill_mode):
    """Raises if arguments of `resize` do not fit."""
    if not isinstance(size, tuple | list) or len(size) != 2:
        raise ValueError(f"Argument `size` must be a tuple of two elements (height, width). Received: size={size!r}")
    if any(isinstance(n, bool) or not isinstance(n, int | np.integer) or n <= 0 for n in size):
        raise ValueError(f"Height and width must be positive integers. Received: size={tuple(size)}")
    if interpolation not in INTERPOLATIONS:
        raise ValueError(
            f"Invalid value for argument `interpolation`. Expected of one {INTERPOLATIONS}. "
            f"Received: interpolation={interpolation!r}"
        )
    if fill_mode != "constant":
        raise ValueError(
            f"Invalid value for argument `fill_mode`. Only `'constant'` is supported. Received: fill_mode={fill_mode!r}"
        )
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError(
            "Only one of `pad_to_aspect_ratio` & `crop_to_aspect_ratio` can be `True`. Received: True for both"
        )


def resize(
    images,
    size,
    interpolation="bilinear",
    antialias=False,
    crop_to_aspect_ratio=False,
    pad_to_aspect_ratio=False,
    fill_mode="constant",
    fill_value=0.0,
    data_format=None,
):
    """Images in another size.

    Args:
        images: Tensor or array, `(batch, height, width, channels)`; an array may be of one image.
        size: `(height, width)` of the result.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"` (Keys, 1981, a = -0.5), `"lanczos3"` or `"lanczos5"`.
        antialias: Whether all pixels count where images become smaller, instead of those nearest to a new one.
        crop_to_aspect_ratio: Whether to cut off what has no place, instead of squeezing it.
        pad_to_aspect_ratio: Whether to add borders, instead of squeezing.
        fill_mode: `"constant"`.
        fill_value: What borders are of.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.

    Returns:
        Images of a float type.

    Raises:
        ValueError: If an argument does not fit.

    Example:
        >>> dseq.ops.image.resize(np.zeros((8, 28, 28, 3)), (14, 20)).shape
        (8, 14, 20, 3)
    """
    size = tuple(size) if isinstance(size, list | tuple) else size
    return Resize.apply(
        images,
        size=size,
        interpolation=interpolation,
        antialias=bool(antialias),
        crop_to_aspect_ratio=crop_to_aspect_ratio,
        pad_to_aspect_ratio=pad_to_aspect_ratio,
        fill_mode=fill_mode,
        fill_value=fill_value,
        data_format=data_format,
    )

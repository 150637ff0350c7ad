"""Images in larger or smaller frames: borders added and cut off."""

from math import prod

import numpy as np

from dseq.kernels.geometry import frame_backward, frame_forward
from dseq.ops.function import Function, Spec
from dseq.ops.image.formats import check_rank, check_samples, data_format, sizes_of, with_sizes
from dseq.ops.reading import as_type, read
from dseq.ops.types import as_array


def framed(plan, x, before, sizes, order, fill=0.0):
    """Writes images in another frame into a plan.

    Args:
        plan: The plan.
        x: Operand of images with one to three dimensions.
        before: Where the image begins in each dimension of the frame; negative where it is cut off.
        sizes: The frame's size in each dimension.
        order: `"channels_last"` or `"channels_first"`.
        fill: What is around the image.

    Returns:
        The operand of the result; `x` itself if the frame is the image's.
    """
    first = order == "channels_first"
    old = x.shape[1:] if first else x.shape[:-1]
    channels = x.shape[0] if first else x.shape[-1]
    if tuple(sizes) == tuple(old) and not any(before):
        return x
    y = plan.value("framed", (channels, *sizes) if first else (*sizes, channels))
    # Channels first, each channel is an image of its own; else they lie in one row with the last dimension.
    inner = 1 if first else channels
    missing = 3 - len(sizes)
    shapes = [((1,) * missing + (*n[:-1], n[-1] * inner)) for n in (tuple(sizes), tuple(old))]
    place = (0,) * missing + (*before[:-1], before[-1] * inner)
    plan.forward(frame_forward, y.reshape(shapes[0]), x.reshape(shapes[1]), *place, plan.constant(float(fill)))
    if x.grad is not None and prod(y.shape):
        plan.backward(frame_backward, x.grad.reshape(shapes[1]), y.grad.reshape(shapes[0]), *place)
    return y


class _Framing(Function, base=True):
    """The base of functions that add borders or cut them off. A subclass implements `borders`."""

    module = "keras.src.ops.image"

    @classmethod
    def borders(cls, height, width, options) -> list:
        """`(before, behind)` for rows and columns: positive where zeros are added, negative where pixels are cut off.

        Args:
            height: Rows of the image.
            width: Its columns.
            options: The function's options.
        """
        raise NotImplementedError

    @classmethod
    def compute(cls, images, **options):
        images = as_array(images)
        check_rank(images.shape)
        order = data_format(options["data_format"])
        borders = cls.borders(*sizes_of(images.shape, order), options)
        borders = [(0, 0), *borders] if order == "channels_first" else [*borders, (0, 0)]
        borders = [(0, 0)] * (images.ndim - 3) + borders
        cut = [slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(borders, images.shape, strict=True)]
        return np.pad(images[tuple(cut)], [(max(a, 0), max(b, 0)) for a, b in borders])

    def _frame(self, shape):
        order = data_format(self.data_format)
        sizes = sizes_of(shape, order)
        if None in sizes:
            raise self.error("height and width of images must be known.", f"shape {shape}")
        borders = self.borders(*sizes, self.options)
        return [before for before, _ in borders], [n + sum(pair) for n, pair in zip(sizes, borders, strict=True)], order

    def infer(self, images):
        check_samples(self, images)
        _, sizes, order = self._frame(images.shape)
        return Spec(with_sizes(images.shape, sizes, order), images.dtype, False)

    def write(self, plan, images):
        dtype = images.dtype
        before, sizes, order = self._frame((None, *images.shape))
        y = framed(plan, read(plan, as_type(plan, images, "float"), True), before, sizes, order)
        return as_type(plan, y, dtype)


class PadImages(_Framing):
    """Zeros around images."""

    function_name = "image.pad_images"
    defaults = {
        "top_padding": None,
        "left_padding": None,
        "bottom_padding": None,
        "right_padding": None,
        "target_height": None,
        "target_width": None,
        "data_format": None,
    }

    @classmethod
    def borders(cls, height, width, options):
        top, bottom = _two(options, ("top_padding", "bottom_padding", "target_height"), height, 1)
        left, right = _two(options, ("left_padding", "right_padding", "target_width"), width, 1)
        return [(top, bottom), (left, right)]


class CropImages(_Framing):
    """Images without their borders."""

    function_name = "image.crop_images"
    defaults = {
        "top_cropping": None,
        "left_cropping": None,
        "bottom_cropping": None,
        "right_cropping": None,
        "target_height": None,
        "target_width": None,
        "data_format": None,
    }

    @classmethod
    def borders(cls, height, width, options):
        top, bottom = _two(options, ("top_cropping", "bottom_cropping", "target_height"), height, -1)
        left, right = _two(options, ("left_cropping", "right_cropping", "target_width"), width, -1)
        return [(-top, -bottom), (-left, -right)]


def _two(options, names, size, sign):
    """What is added to (`sign` 1) or cut off (-1) both ends of an axis, of which two of three options say it."""
    given = {name: options[name] for name in names}
    if sum(value is not None for value in given.values()) != 2:
        raise ValueError(f"Must specify exactly two of {', '.join(names)}. Received: {given}")
    before, behind, target = given.values()
    total = None if target is None else sign * (target - size)
    before = total - behind if before is None else before
    behind = total - before if behind is None else behind
    if before < 0 or behind < 0 or size + sign * (before + behind) < 0:
        raise ValueError(
            f"{names[0]}, {names[1]} and {names[2]} must be >= 0. Received: {given} for {size} pixels, which gives "
            f"{before} and {behind}"
        )
    return before, behind


def pad_images(
    images,
    top_padding=None,
    left_padding=None,
    bottom_padding=None,
    right_padding=None,
    target_height=None,
    target_width=None,
    data_format=None,
):
    """Zeros around images. Of top, bottom and target height two must be given; likewise of left, right, target width.

    Args:
        images: Tensor or array, `(batch, height, width, channels)`; an array may be of one image.
        top_padding: Rows above.
        left_padding: Columns to the left.
        bottom_padding: Rows below.
        right_padding: Columns to the right.
        target_height: Height of the result.
        target_width: Width of the result.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.

    Raises:
        ValueError: If more or fewer are given, or one comes out negative.
    """
    return PadImages.apply(images, **_options(PadImages, locals()))


def crop_images(
    images,
    top_cropping=None,
    left_cropping=None,
    bottom_cropping=None,
    right_cropping=None,
    target_height=None,
    target_width=None,
    data_format=None,
):
    """Images without their borders. Of top, bottom and target height two must be given; likewise for the width.

    Args:
        images: Tensor or array, `(batch, height, width, channels)`; an array may be of one image.
        top_cropping: Rows cut off above.
        left_cropping: Columns cut off to the left.
        bottom_cropping: Rows cut off below.
        right_cropping: Columns cut off to the right.
        target_height: Height of the result.
        target_width: Width of the result.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.

    Raises:
        ValueError: If more or fewer are given, or one comes out negative.
    """
    return CropImages.apply(images, **_options(CropImages, locals()))


def _options(kind, given):
    return {name: given[name] for name in kind.defaults}

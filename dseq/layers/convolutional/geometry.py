"""Where windows lie: sizes, strides, padding of convolutions and pooling, for images of one to three dimensions."""

import numpy as np

from dseq.ops.image.formats import data_format as data_format

AXES = 3  # kernels see images of this many dimensions; what a layer has fewer, has size 1


def numbers(value, rank, name, least=1) -> tuple:
    """An integer or a tuple of `rank` integers as a tuple.

    Args:
        value: What the user gave.
        rank: How many.
        name: Name of the argument, for messages.
        least: The smallest that is allowed.

    Raises:
        ValueError: If it is something else.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    values = (value,) * rank if whole else value
    valid = isinstance(values, tuple | list) and len(values) == rank
    valid = valid and all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= least for n in values)
    if not valid:
        raise ValueError(
            f"The `{name}` argument must be an integer >= {least} or a tuple of {rank} such integers. "
            f"Received: {name}={value!r}"
        )
    return tuple(int(n) for n in values)


def split(shape, order):
    """`(sizes of the image, channels)` of a full shape."""
    return (tuple(shape[2:]), shape[1]) if order == "channels_first" else (tuple(shape[1:-1]), shape[-1])


def join(batch, sizes, channels, order):
    """The full shape of images of these sizes."""
    return (batch, channels, *sizes) if order == "channels_first" else (batch, *sizes, channels)


def output_size(size, window, stride, dilation, padding):
    """The number of windows along an axis; None if the size is not known."""
    if size is None:
        return None
    if padding in ("same", "causal"):
        return -(-size // stride)
    return (size - ((window - 1) * dilation + 1)) // stride + 1


def margins(size, window, stride, dilation, padding) -> tuple[int, int]:
    """Zeros before and behind an axis: for "same" the odd one behind, for "causal" all before."""
    reach = (window - 1) * dilation + 1
    if padding == "valid":
        return 0, 0
    if padding == "causal":
        return reach - 1, 0
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def full(values, missing=1) -> tuple:
    """Values for the last dimensions as values for all `AXES`."""
    return (missing,) * (AXES - len(values)) + tuple(values)


def image(operand, channels_behind=1):
    """An operand whose samples are images, seen with all dimensions; None stays None."""
    if operand is None:
        return None
    rank = len(operand.shape) - channels_behind
    return operand.reshape((1,) * (AXES - rank) + tuple(operand.shape))

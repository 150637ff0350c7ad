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


def transposed_size(size, window, stride, dilation, padding, more):
    """The size along an axis of what a transposed convolution makes.

    Args:
        size: Size of the input; None if it is not known, and so is the result.
        window: Taps of the kernel.
        stride: Steps of the output for one step of the input.
        dilation: Steps between taps.
        padding: `"valid"` for all that the taps reach, `"same"` for `size * stride`.
        more: The `output_padding`; None for the sizes above, else it is added to what the first and the last tap leave
            of the stride.
    """
    if size is None:
        return None
    reach = (window - 1) * dilation + 1
    if padding == "valid":
        return (size - 1) * stride + reach + (max(stride - reach, 0) if more is None else more)
    return size * stride if more is None else (size - 1) * stride + reach % 2 + more


def transposed_start(window, stride, dilation, padding, more) -> int:
    """Where along an axis the output of a transposed convolution begins within all that the taps reach.

    Args: as `transposed_size`.
    """
    reach = (window - 1) * dilation + 1
    if padding == "valid":
        return 0
    kept = stride + reach - 2 if more is None else reach + reach % 2 - 2 + more
    return reach - 1 - min((kept + 1) // 2, reach - 1)


def positive(value, name, kind) -> int:
    """A strictly positive integer.

    Args:
        value: What the user gave.
        name: Name of the argument, for messages.
        kind: Name of the layer's class, for messages.

    Raises:
        ValueError: If it is something else.
    """
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value <= 0:
        raise ValueError(
            f"Invalid value for argument `{name}` of {kind}. Expected a strictly positive integer. "
            f"Received: {name}={value!r}"
        )
    return int(value)


def padding_of(value, kind, allowed=("valid", "same")) -> str:
    """`"valid"` or `"same"`, or what else is allowed.

    Args:
        value: What the user gave.
        kind: Name of the layer's class, for messages.
        allowed: The names.

    Raises:
        ValueError: If it is something else.
    """
    if not isinstance(value, str) or value.lower() not in allowed:
        raise ValueError(f"The `padding` argument of {kind} must be one of {allowed}. Received: {value!r}")
    return value.lower()


def known_channels(shape, order, name) -> int:
    """The channels of a full shape.

    Args:
        shape: The shape.
        order: `"channels_last"` or `"channels_first"`.
        name: Name of the layer, for messages.

    Raises:
        ValueError: If their number is not known.
    """
    channels = split(shape, order)[1]
    if channels is None:
        raise ValueError(
            f"The channel dimension of the inputs should be defined. Received: input_shape={tuple(shape)} in {name!r}"
        )
    return channels

"""What layers that cut off or add borders share."""

from dseq.kernels.geometry import frame_backward, frame_forward
from dseq.layers.convolutional.geometry import data_format as data_format_of
from dseq.layers.convolutional.geometry import full, numbers, split
from dseq.layers.layer import Layer


class Frame(Layer):
    """A layer that puts images of `rank` dimensions into another frame. A subclass implements `compute_output_shape`.

    Args:
        rank: 1, 2 or 3.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        **kwargs: `name`, `dtype`, as for every layer.
    """

    supports_masking = False

    def __init__(self, rank, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.rank = rank
        self.data_format = data_format_of(data_format)
        self.require(ndim=rank + 2)


def sides(value, rank, name) -> tuple:
    """What is added or cut off `(before, behind)` each of several dimensions.

    Args:
        value: What the user gave: an integer for all, or for each dimension an integer or a tuple of two.
        rank: 2 or 3, how many dimensions.
        name: Name of the argument, for messages.

    Raises:
        ValueError: If it is something else.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise ValueError(f"`{name}` cannot be negative. Received: {name}={value}.")
        return ((value, value),) * rank
    if not hasattr(value, "__len__") or isinstance(value, str):
        raise ValueError(
            f"`{name}` should be either an int, a tuple of {rank} ints, or a tuple of {rank} tuples of 2 ints "
            f"((before, behind), ...). Received: {name}={value!r}."
        )
    if len(value) != rank:
        raise ValueError(f"`{name}` should have {('two', '3')[rank - 2]} elements. Received: {name}={value}.")
    return tuple(numbers(part, 2, f"{place} entry of {name}", 0) for part, place in zip(value, PLACES, strict=False))


PLACES = ("1st", "2nd", "3rd")


def framed(plan, x, before, sizes, order, fill=0.0):
    """Writes images in another frame into a plan.

    Args:
        plan: The plan.
        x: Operand of the images.
        before: Where the image begins in each dimension of the frame; negative where it is cut off.
        sizes: The frame's size in each dimension.
        order: `"channels_last"` or `"channels_first"`.
        fill: What is around the image.

    Returns:
        The operand of the result; `x` itself if the frame is the image's.
    """
    old, channels = split((None, *x.shape), order)
    if tuple(sizes) == tuple(old) and not any(before):
        return x
    first = order == "channels_first"
    y = plan.value("framed", (channels, *sizes) if first else (*sizes, channels))
    # Channels first, each channel is an image of its own; else they lie in one row with the last dimension.
    inner = 1 if first else channels
    shapes = [(*n[:-1], n[-1] * inner) for n in (full(sizes), full(old))]
    place = full(before, 0)
    place = *place[:-1], place[-1] * inner
    plan.forward(frame_forward, y.reshape(shapes[0]), x.reshape(shapes[1]), *place, plan.constant(float(fill)))
    if x.grad is not None:
        plan.backward(frame_backward, x.grad.reshape(shapes[1]), y.grad.reshape(shapes[0]), *place)
    return y

"""What layers that change the sizes of images share."""

from dseq.layers.convolutional.geometry import data_format as data_format_of
from dseq.layers.convolutional.geometry import numbers
from dseq.layers.layer import Layer


class Frame(Layer):
    """A layer that changes the sizes of images of `rank` dimensions. A subclass implements `compute_output_shape`.

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

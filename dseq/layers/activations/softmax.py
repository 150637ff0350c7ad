"""Softmax as a layer."""

from dseq import activations
from dseq.layers.layer import Layer
from dseq.layers.reshaping.permute import permuted


class Softmax(Layer):
    """Softmax along an axis.

    Args:
        axis: The axis, counted with the batch axis; it cannot be the batch axis.
        **kwargs: `name`, `dtype`, as for every layer.
    """

    def __init__(self, axis=-1, **kwargs):
        if not isinstance(axis, int) or axis == 0:
            raise ValueError(f"`axis` of Softmax must be one axis other than the batch axis. Received: axis={axis!r}")
        super().__init__(**kwargs)
        self.axis = axis

    def lower(self, plan, x):
        count = len(x.shape)
        axis = self.axis if self.axis > 0 else self.axis + count + 1
        if not 1 <= axis <= count:
            raise ValueError(
                f"`axis` of {self.name!r} is not an axis of its input {(None, *x.shape)}: axis={self.axis}"
            )
        if axis == count:
            return activations.lower(plan, activations.softmax, x)
        # The kernel goes along rows: the axis is swapped with the last one, and back.
        swap = list(range(1, count + 1))
        swap[axis - 1], swap[-1] = count, axis
        return permuted(plan, activations.lower(plan, activations.softmax, permuted(plan, x, swap)), swap)

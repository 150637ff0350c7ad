"""How plans move elements: by a table of places that is the same for all samples."""

from math import gcd, prod

import numpy as np

from dseq.kernels.gather import gather_backward, gather_forward
from dseq.kernels.reshape import transpose_backward, transpose_forward
from dseq.ops.function import Function, Spec
from dseq.ops.reading import read, value, vectors
from dseq.program.operand import flat

MOST_AXES = 4  # that the transposing kernel walks


def moved(plan, x, index, fill=0.0):
    """Writes elements from other places into a plan.

    Args:
        plan: The plan.
        x: The operand.
        index: Array of the result's shape: for each element its number in x, flattened; -1 for the value `fill`.
        fill: That value.

    Returns:
        The operand of the result: x itself, or a view of it, where nothing moves.
    """
    size = prod(x.shape)
    places = np.ascontiguousarray(index, np.int64).ravel()
    if places.size == size and np.array_equal(places, np.arange(size)):
        return x if x.shape == index.shape else x.reshape(index.shape)
    x = read(plan, x, x.per_row)
    y = value(plan, "y", index.shape, x.dtype, not x.per_row)
    length = run_length(places)
    table = plan.constant(places[::length].copy(), "int64")
    filler = plan.constant(fill, x.dtype)
    if places.size:
        plan.forward(gather_forward, vectors(y), vectors(x), table, length, filler)
        if y.grad is not None:
            plan.backward(gather_backward, vectors(x.grad), vectors(y.grad), table, length)
    return y


def run_length(places) -> int:
    """The longest length of runs, all equally long, that lie side by side in both arrays."""
    before, after = places[:-1], places[1:]
    goes_on = ((after - before == 1) & (before >= 0)) | ((after == -1) & (before == -1))
    breaks = np.flatnonzero(~goes_on) + 1
    return gcd(*breaks.tolist(), places.size) if breaks.size else max(places.size, 1)


def permuted(plan, x, order):
    """Writes a sample's axes in another order into a plan: axis i of the result is x's axis `order[i]`."""
    shape = [x.shape[axis] for axis in order]
    groups = []
    for axis in order:  # axes that stay together are one, those of size 1 are none
        if x.shape[axis] == 1:
            continue
        if groups and groups[-1][-1] < axis and prod(x.shape[groups[-1][-1] + 1 : axis]) == 1:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    if len(groups) <= 1:
        return x if x.shape == tuple(shape) else x.reshape(shape)
    if len(groups) > MOST_AXES:
        return moved(plan, x, np.transpose(np.arange(prod(x.shape)).reshape(x.shape), order))
    x = read(plan, x, x.per_row)
    y = value(plan, "permuted", shape, x.dtype, not x.per_row)
    sizes = [prod(x.shape[axis] for axis in group) for group in groups]
    strides = [prod(x.shape[group[-1] + 1 :]) for group in groups]
    missing = MOST_AXES - len(groups)
    layout = [1] * missing + sizes + [0] * missing + strides
    plan.forward(transpose_forward, flat(y), flat(x), *layout)
    if y.grad is not None:
        plan.backward(transpose_backward, flat(x.grad), flat(y.grad), *layout)
    return y


class Moving(Function, base=True):
    """The base of functions that move elements, each sample's alike.

    A subclass implements `move` with NumPy; it is asked what it does to an array of numbers of elements.
    """

    fill = 0.0

    def move(self, array):
        """The function of an array, which has a batch axis of 1 if samples have one."""
        raise NotImplementedError

    def infer(self, x):
        return Spec(self.shape_of(x), x.dtype, x.shared)

    def shape_of(self, x) -> tuple:
        """The full shape of the result; by moving an array of such a size if all sizes are known."""
        self.check(x)
        sample = x.shape if x.shared else x.shape[1:]
        if None in sample:
            raise self.error("all sizes but that of the batch must be known.", f"shape {x.shape}")
        return self._index(sample, not x.shared).shape if x.shared else (x.shape[0], *self._index(sample, True).shape)

    def check(self, x):
        """Raises if samples would be moved; x is a `Spec`."""

    def _index(self, sample, per_row):
        numbers = np.arange(prod(sample), dtype=np.int64).reshape(sample)
        if not per_row:
            return np.asarray(self.move(numbers))
        made = np.asarray(self.move(numbers[None]))
        if made.ndim == 0 or made.shape[0] != 1:
            raise self.error(
                "the axis of the samples, which lie on several ranks, must stay as it is.",
                f"{self.options} for samples of shape {sample}",
            )
        return made[0]

    def write(self, plan, x):
        return moved(plan, x, self._index(x.shape, x.per_row), self.fill)

    def axis_of(self, axis, x, what="axis") -> int:
        """An axis counted from 0, with the batch axis; raises if it is none, or that of the samples."""
        rank = x.ndim
        if not -rank <= axis < rank:
            raise self.error(f"`{what}` must be an axis of the tensor.", f"{what}={axis} for shape {x.shape}")
        axis %= rank
        if axis == 0 and not x.shared:
            raise self.error(
                f"`{what}` can't be 0, the axis of the samples, which lie on several ranks.",
                f"{what}={axis} for shape {x.shape}",
            )
        return axis

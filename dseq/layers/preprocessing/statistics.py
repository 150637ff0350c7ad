"""Means and variances of data sets, each rank reading its part."""

from math import prod

import numpy as np

from dseq.program import ranks

PIECE = 1 << 22  # elements that are looked at together


class Moments:
    """Means and sums of squared deviations, in float64, that grow piece by piece.

    Args:
        shape: Shape of the statistics.
    """

    def __init__(self, shape):
        self.count = 0
        self.mean, self.spread = np.zeros(shape), np.zeros(shape)

    def add(self, values, axes) -> None:
        """Adds values.

        Args:
            values: Array.
            axes: The axes that statistics are taken over.
        """
        values = np.asarray(values, np.float64)
        count = prod(values.shape[axis] for axis in axes)
        if count:
            mean = values.mean(axes, keepdims=True)
            spread = np.square(values - mean).sum(axes)
            step, total = mean.reshape(self.mean.shape) - self.mean, self.count + count
            self.spread += spread + np.square(step) * (self.count * count / total)
            self.mean += step * (count / total)
            self.count = total

    def over_ranks(self, world):
        """`(mean, variance)` of what all ranks have added."""
        total = np.append(self.mean.ravel() * self.count, float(self.count))
        world.allreduce_sum(total)
        mean = (total[:-1] / max(total[-1], 1)).reshape(self.mean.shape)
        spread = np.ravel(self.spread + self.count * np.square(self.mean - mean))
        world.allreduce_sum(spread)
        return mean, (spread / max(total[-1], 1)).reshape(self.mean.shape)


def moments_of(data, shape, axes, check):
    """The mean and the variance of data over some axes; all ranks call it.

    Each rank reads its part of the rows of an array, or of what can be sliced like one. Of other data, every rank takes
    all batches, and each looks at its part of every batch.

    Args:
        data: Array, or iterable of batches.
        shape: Shape of the statistics.
        axes: Axes that they are taken over, the first among them.
        check: Function of the shape of a batch that raises if it does not fit.
    """
    world = ranks.get()
    moments = Moments(shape)
    with world.section("adapt"):
        if is_array(data):
            world.agree("adapt", [("data", f"{data.dtype} {tuple(data.shape)}")])
            first, last = _part(data.shape[0], world)
            rows = max(1, PIECE // max(prod(data.shape[1:]), 1))
            for start in range(first, last, rows):
                moments.add(data[start : min(start + rows, last)], axes)
        else:
            world.agree("adapt", [("data", "batches")])
            for batch in data:
                batch = np.asarray(first_of(batch))
                check(batch.shape)
                first, last = _part(len(batch), world)
                moments.add(batch[first:last], axes)
        return moments.over_ranks(world)


def is_array(data) -> bool:
    """Whether data can be sliced by rows: an array, a memory map, a data set of an open HDF5 file."""
    return hasattr(data, "shape") and hasattr(data, "dtype") and hasattr(data, "__getitem__")


def first_of(batch):
    """The inputs of a batch, which may be a tuple of inputs and targets."""
    return batch[0] if isinstance(batch, tuple) else batch


def _part(rows, world):
    return rows * world.rank // world.size, rows * (world.rank + 1) // world.size

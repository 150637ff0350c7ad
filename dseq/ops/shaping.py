"""Functions that change the shape or the order of axes."""

from math import prod

import numpy as np

from dseq.ops.function import Function, Spec, spec_of
from dseq.ops.moving import permuted
from dseq.ops.types import as_array


class _Shaping(Function):
    """The base of functions that see the same elements in another shape."""

    def infer(self, x):
        return Spec(self.shaped(x), x.dtype, x.shared)

    def shaped(self, x) -> tuple:
        """The full shape of the result, for a `Spec`."""
        raise NotImplementedError

    def write(self, plan, x):
        spec = spec_of(x)
        shape = self.shaped(spec)
        return x.reshape(shape[1:] if x.per_row else shape)


class Reshape(_Shaping):
    """Another shape for the same elements."""

    defaults = {"newshape": None}

    @staticmethod
    def compute(x, newshape):
        return as_array(x).reshape([-1 if n is None else n for n in _tuple(newshape)])

    def shaped(self, x):
        target = [-1 if n is None else int(n) for n in _tuple(self.newshape)]
        if x.shared:
            return self._filled(target, x.shape, x)
        if not target:
            raise self.error("the batch axis must stay first.", f"newshape={self.newshape} for shape {x.shape}")
        first, rest = target[0], target[1:]
        sample = x.shape[1:]
        if -1 in rest and first == -1:  # the batch, and a size to be found
            return (x.shape[0], *self._filled(rest, sample, x))
        if -1 in rest and first != x.shape[0]:
            raise self.error("the batch axis must stay first, as -1.", f"newshape={self.newshape} for shape {x.shape}")
        if first not in (-1, x.shape[0]) or (None not in sample and -1 not in rest and prod(rest) != prod(sample)):
            raise self.error(
                "the batch axis must stay first, and each sample keep its number of elements.",
                f"newshape={self.newshape} for shape {x.shape}",
                "Write -1 for the batch.",
            )
        return (x.shape[0], *self._filled(rest, sample, x))

    def _filled(self, target, shape, x):
        if None in shape:
            return tuple(None if n == -1 else n for n in target)
        total, known = prod(shape), prod(n for n in target if n != -1)
        fits = known == total if -1 not in target else known > 0 and total % known == 0
        if not fits or target.count(-1) > 1:
            raise self.error(
                "the number of elements must stay the same.", f"newshape={self.newshape} for shape {x.shape}"
            )
        return tuple(total // known if n == -1 else n for n in target)


def _tuple(value):
    return (value,) if isinstance(value, int | np.integer) or value is None else tuple(value)


def reshape(x, newshape):
    """The same elements in another shape; a tensor with a batch axis keeps it in front.

    Args:
        x: Tensor, variable, array or number.
        newshape: The full shape; one entry may be -1, and the batch's is -1 or None.
    """
    return Reshape.apply(x, newshape=newshape)


class Ravel(_Shaping):
    """All axes as one."""

    @staticmethod
    def compute(x):
        return as_array(x).ravel()

    def shaped(self, x):
        if not x.shared and prod(n or 1 for n in x.shape[1:]) != 1:
            raise self.error(
                "the axis of the samples, which lie on several ranks, must stay as it is.",
                f"shape {x.shape}",
                "Use `dseq.ops.reshape(x, (-1, size))` to flatten each sample.",
            )
        return (x.shape[0],) if not x.shared else (prod(x.shape),)


def ravel(x):
    """All elements in one axis, for values without a batch axis.

    Args:
        x: Tensor, variable, array or number.
    """
    return Ravel.apply(x)


class ExpandDims(_Shaping):
    """A new axis of size 1."""

    defaults = {"axis": None}
    function_name = "expand_dims"

    @staticmethod
    def compute(x, axis):
        return np.expand_dims(as_array(x), axis)

    def shaped(self, x):
        shape = list(x.shape)
        rank = x.ndim + len(_tuple(self.axis))
        for axis in sorted(a % rank for a in _tuple(self.axis)):
            if axis == 0 and not x.shared:
                raise self.error("no axis can come before that of the samples.", f"axis={self.axis}, shape {x.shape}")
            shape.insert(axis, 1)
        return tuple(shape)


def expand_dims(x, axis):
    """A new axis of size 1.

    Args:
        x: Tensor, variable, array or number.
        axis: Where it comes to stand, or a tuple of such.
    """
    return ExpandDims.apply(x, axis=axis)


class Squeeze(_Shaping):
    """Axes of size 1 left out."""

    defaults = {"axis": None}

    @staticmethod
    def compute(x, axis):
        return np.squeeze(as_array(x), axis)

    def shaped(self, x):
        first = 0 if x.shared else 1
        if self.axis is None:
            return (*x.shape[:first], *[n for n in x.shape[first:] if n != 1])
        axes = {axis % x.ndim for axis in _tuple(self.axis)}
        if any(x.shape[axis] != 1 or axis < first for axis in axes):
            raise self.error("only axes of size 1 can be left out.", f"axis={self.axis} for shape {x.shape}")
        return tuple(n for axis, n in enumerate(x.shape) if axis not in axes)


def squeeze(x, axis=None):
    """Axes of size 1 left out.

    Args:
        x: Tensor, variable, array or number.
        axis: Which, all of them if None; the axis of the samples stays.
    """
    return Squeeze.apply(x, axis=axis)


class _Ordering(Function):
    """The base of functions that put axes in another order."""

    def order(self, x) -> list:
        """The order for a `Spec`: `order[i]` is the axis that becomes axis i."""
        raise NotImplementedError

    def _checked(self, x):
        order = [int(axis) % x.ndim for axis in self.order(x)]
        if sorted(order) != list(range(x.ndim)):
            raise self.error("each axis must be named once.", f"{self.options} for shape {x.shape}")
        if not x.shared and order[:1] != [0]:
            raise self.error(
                "the axis of the samples, which lie on several ranks, must stay first.",
                f"{self.options} for shape {x.shape}",
                "Put the samples' own axes in order: axes=(0, ...).",
            )
        return order

    def infer(self, x):
        return Spec(tuple(x.shape[axis] for axis in self._checked(x)), x.dtype, x.shared)

    def write(self, plan, x):
        if not x.per_row:
            return permuted(plan, x, self._checked(spec_of(x)))
        return permuted(plan, x, [axis - 1 for axis in self._checked(spec_of(x))[1:]])


class Transpose(_Ordering):
    """Axes in another order."""

    defaults = {"axes": None}

    @staticmethod
    def compute(x, axes):
        return np.transpose(as_array(x), axes)

    def order(self, x):
        return list(range(x.ndim))[::-1] if self.axes is None else list(self.axes)


def transpose(x, axes=None):
    """Axes in another order.

    Args:
        x: Tensor, variable, array or number.
        axes: For each axis of the result that of x, batch included; the reverse order if None.
    """
    return Transpose.apply(x, axes=axes)


class Swapaxes(_Ordering):
    """Two axes exchanged."""

    defaults = {"axis1": None, "axis2": None}

    @staticmethod
    def compute(x, axis1, axis2):
        return np.swapaxes(as_array(x), axis1, axis2)

    def order(self, x):
        order = list(range(x.ndim))
        i, j = self.axis1 % x.ndim, self.axis2 % x.ndim
        order[i], order[j] = order[j], order[i]
        return order


def swapaxes(x, axis1, axis2):
    """Two axes exchanged.

    Args:
        x: Tensor, variable, array or number.
        axis1: The one.
        axis2: The other.
    """
    return Swapaxes.apply(x, axis1=axis1, axis2=axis2)


class Moveaxis(_Ordering):
    """Axes moved, the others stay in order."""

    defaults = {"source": None, "destination": None}

    @staticmethod
    def compute(x, source, destination):
        return np.moveaxis(as_array(x), source, destination)

    def order(self, x):
        sources = [axis % x.ndim for axis in _tuple(self.source)]
        order = [axis for axis in range(x.ndim) if axis not in sources]
        for to, axis in sorted(zip([a % x.ndim for a in _tuple(self.destination)], sources, strict=True)):
            order.insert(to, axis)
        return order


def moveaxis(x, source, destination):
    """Axes moved to other places, the others stay in order.

    Args:
        x: Tensor, variable, array or number.
        source: Axis, or axes.
        destination: Where each comes to stand.
    """
    return Moveaxis.apply(x, source=source, destination=destination)

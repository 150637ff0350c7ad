"""Functions of indices: elements taken by them, and indices found."""

from math import prod

import numpy as np

from dseq.kernels import gather
from dseq.ops.broadcasting import for_samples, spread
from dseq.ops.composite import Composite
from dseq.ops.function import Function, Literal, Spec
from dseq.ops.moving import moved, permuted
from dseq.ops.reading import as_type, planes, read, untouched, value
from dseq.ops.reductions import max
from dseq.ops.types import as_array, is_float, standard
from dseq.program.floatx import floatx
from dseq.program.operand import flat


def nothing(dtype):
    """What stands where an index leads nowhere: NaN, so that it is seen, or 0 among integers."""
    return float("nan") if is_float(dtype) else 0


class Take(Function):
    """Slices of a tensor by their number."""

    defaults = {"axis": None}

    @staticmethod
    def compute(x, indices, axis):
        return np.take(as_array(x), as_array(indices), axis)

    def infer(self, x, indices):
        if self.axis is None and not x.shared:
            raise self.error("`axis` must be given for a tensor with a batch axis.", f"shape {x.shape}")
        shape = (prod(x.shape),) if self.axis is None else x.shape
        axis = (self.axis or 0) % max_of(len(shape), 1)
        if not x.shared and axis == 0:
            raise self.error(
                "samples, which lie on several ranks, can't be taken by their number.",
                f"axis={self.axis} for shape {x.shape}",
            )
        if indices.value is not None:
            size = shape[axis]
            if indices.value.size and not (-size <= indices.value.min() and indices.value.max() < size):
                raise self.error(
                    "indices must lie within the axis.",
                    f"{indices.value} for axis {axis} of shape {x.shape}",
                    kind=IndexError,
                )
        elif not x.shared:
            raise self.error(
                "indices into a tensor with a batch axis must be constants.",
                f"shapes {x.shape} and {indices.shape}",
                "Use `dseq.ops.take_along_axis` for each sample's own indices.",
            )
        elif not indices.shared and axis != 0:
            raise self.error(
                "the batch axis must stay first, so each sample's own indices take along axis 0.",
                f"axis={self.axis} for shapes {x.shape} and {indices.shape}",
            )
        return Spec((*shape[:axis], *indices.shape, *shape[axis + 1 :]), x.dtype, x.shared and indices.shared)

    def write(self, plan, x, indices):
        rank = len(x.shape) + x.per_row
        axis = 0 if self.axis is None else self.axis % rank - x.per_row
        shape = (prod(x.shape),) if self.axis is None else x.shape
        if isinstance(indices, Literal):
            numbers = np.arange(prod(shape)).reshape(shape)
            return moved(plan, x, np.take(numbers, indices.value.astype(np.int64), axis))
        per_row = indices.per_row
        x = read(plan, as_type(plan, x, x.dtype), per_row)
        x = x.reshape(shape)
        if axis:
            x = permuted(plan, x, [axis, *range(axis), *range(axis + 1, len(shape))])
        size, inner = x.shape[0], prod(x.shape[1:])
        y = value(plan, "y", (*indices.shape, *x.shape[1:]), x.dtype, not per_row)
        rows = y.reshape((inner,) if per_row else (prod(indices.shape), inner))
        table = x.reshape((size, inner))
        filler = plan.constant(nothing(x.dtype), x.dtype)
        plan.forward(gather.lookup_forward, rows, table, flat(indices), filler)
        if y.grad is not None:
            slope = x.grad and x.grad.reshape((size, inner))
            rows = y.grad.reshape(rows.shape)
            plan.backward(gather.lookup_backward, slope, rows, flat(indices))
        if axis:
            n = len(indices.shape)
            y = permuted(plan, y, [*range(n, n + axis), *range(n), *range(n + axis, len(y.shape))])
        return y


def max_of(a, b):
    """The larger of two numbers."""
    return a if a > b else b


def take(x, indices, axis=None):
    """Slices of a tensor by their number.

    Args:
        x: Tensor, variable or array. Of weights and other tensors without a batch axis, each sample may take its own.
        indices: Array of integers, or a tensor. In a tensor, what leads beyond the axis gives NaN.
        axis: The axis that is indexed; the flattened array if None. It can't be that of the samples.
    """
    return Take.apply(x, indices, axis=axis)


class TakeAlongAxis(Function):
    """Elements by indices of their own along one axis."""

    defaults = {"axis": None}
    function_name = "take_along_axis"

    @staticmethod
    def compute(x, indices, axis):
        x, indices = as_array(x), as_array(indices)
        if axis is None:
            return np.take_along_axis(x, indices, None)
        shapes = [[1 if i == axis % x.ndim else n for i, n in enumerate(a.shape)] for a in (x, indices)]
        common = list(np.broadcast_shapes(*shapes))
        whole = [common[: axis % x.ndim] + [a.shape[axis]] + common[axis % x.ndim + 1 :] for a in (x, indices)]
        return np.take_along_axis(np.broadcast_to(x, whole[0]), np.broadcast_to(indices, whole[1]), axis)

    def infer(self, x, indices):
        if x.ndim != indices.ndim or self.axis is None:
            raise self.error(
                "`axis` must be given, and both tensors have as many axes.",
                f"axis={self.axis} for shapes {x.shape} and {indices.shape}",
            )
        shared, axis = x.shared and indices.shared, self.axis % x.ndim
        if axis == 0 and not shared:
            raise self.error(
                "samples, which lie on several ranks, can't be taken by their number.", f"axis={self.axis}"
            )
        sizes = []
        for i, (m, n) in enumerate(zip(x.shape, indices.shape, strict=True)):
            if i == axis:
                sizes.append(n)
            elif m != n and 1 not in (m, n) and None not in (m, n):
                raise self.error("shapes must broadcast but along the axis.", f"{x.shape} and {indices.shape}")
            else:
                sizes.append(n if m in (1, None) else m)
        if not shared:
            sizes[0] = None
        return Spec(tuple(sizes), x.dtype, shared)

    def write(self, plan, x, indices):
        per_row = x.per_row or indices.per_row
        axis = self.axis % (len(x.shape) + x.per_row)
        x = as_type(plan, x, x.dtype)
        index = as_type(
            plan, indices, "int32" if is_float(indices.dtype) or isinstance(indices, Literal) else indices.dtype
        )
        if per_row:
            x, index = (o if o.per_row else for_samples(plan, o, o.shape[1:]) for o in (x, index))
        else:
            x = read(plan, x, False)
        axis -= per_row
        common = [max_of(m, n) for m, n in zip(x.shape, index.shape, strict=True)]
        x = spread(plan, x, [*common[:axis], x.shape[axis], *common[axis + 1 :]])
        index = spread(plan, index, [*common[:axis], index.shape[axis], *common[axis + 1 :]])
        y = value(plan, "y", index.shape, x.dtype, not per_row)
        filler = plan.constant(nothing(x.dtype), x.dtype)
        here = axis, axis + 1
        plan.forward(gather.along_forward, planes(y, *here), planes(x, *here), planes(index, *here), filler)
        if y.grad is not None:
            plan.backward(gather.along_backward, planes(x.grad, *here), planes(y.grad, *here), planes(index, *here))
        return y


def take_along_axis(x, indices, axis=None):
    """Elements by indices of their own along one axis.

    Args:
        x: Tensor, variable or array.
        indices: Tensor or array of integers with as many axes. In a tensor, what leads beyond the axis gives NaN.
        axis: The axis; it can't be that of the samples.
    """
    return TakeAlongAxis.apply(x, indices, axis=axis)


class OneHot(Function):
    """Vectors with a 1 at the place of a class."""

    module = "keras.src.ops.nn"
    function_name = "one_hot"
    defaults = {"num_classes": None, "axis": -1, "dtype": None, "sparse": False}

    @staticmethod
    def compute(x, num_classes, axis, dtype, sparse):
        hot = as_array(x).astype(np.int64)[..., None] == np.arange(num_classes)
        return np.moveaxis(hot, -1, axis).astype(standard(dtype or floatx()))

    def infer(self, x):
        axis = self.axis % (x.ndim + 1)
        if axis == 0 and not x.shared:
            raise self.error("no axis can come before that of the samples.", f"axis={self.axis} for shape {x.shape}")
        shape = (*x.shape[:axis], self.num_classes, *x.shape[axis:])
        return Spec(shape, standard(self.dtype or floatx()), x.shared)

    def write(self, plan, x):
        dtype = standard(self.dtype or floatx())
        shared = not x.per_row
        kind = plan.dtype if is_float(dtype) else dtype
        y = untouched(plan, "y", (*x.shape, self.num_classes), shared, kind)
        last = (self.num_classes,) if x.per_row else (prod(x.shape), self.num_classes)
        plan.forward(gather.one_hot_forward, y.reshape(last), flat(x))
        axis = self.axis % (len(y.shape) + x.per_row) - x.per_row
        order = list(range(len(x.shape)))
        order.insert(axis, len(x.shape))
        return permuted(plan, y, order)


def one_hot(x, num_classes, axis=-1, dtype=None, sparse=False):
    """Vectors with a 1 at the place of a class, and zeros for what is no class.

    Args:
        x: Tensor or array of integers.
        num_classes: Length of the vectors.
        axis: Where their axis comes to stand.
        dtype: Type of the result, the default float type if None.
        sparse: Must be False.
    """
    if sparse:
        raise ValueError(f"`dseq.ops.one_hot` makes dense tensors. Received: sparse={sparse}")
    return OneHot.apply(x, num_classes=num_classes, axis=axis, dtype=dtype, sparse=False)


class MultiHot(Composite):
    """Vectors with a 1 at the place of each class."""

    module = "keras.src.ops.nn"
    function_name = "multi_hot"
    defaults = {"num_classes": None, "axis": -1, "dtype": None, "sparse": False}

    @staticmethod
    def expression(x, num_classes, axis, dtype, sparse):
        return max(one_hot(x, num_classes, axis, dtype), axis=1 if len(x.shape) > 1 else 0)


def multi_hot(inputs, num_classes=None, axis=-1, dtype=None, sparse=False, **kwargs):
    """Vectors with a 1 at the place of each of a sample's classes.

    Args:
        inputs: Tensor or array of integers `(batch, classes)`.
        num_classes: Length of the vectors.
        axis: Where their axis comes to stand.
        dtype: Type of the result, the default float type if None.
        sparse: Must be False.
    """
    num_classes = kwargs.pop("num_tokens", num_classes)
    if sparse or kwargs:
        raise ValueError(f"`dseq.ops.multi_hot` makes dense tensors. Received: sparse={sparse}, {kwargs}")
    return MultiHot.apply(inputs, num_classes=num_classes, axis=axis, dtype=dtype)


class Argsort(Function):
    """The places of elements in rising order."""

    defaults = {"axis": -1}

    @staticmethod
    def compute(x, axis):
        return np.argsort(as_array(x), axis=axis, kind="stable").astype(np.int32)

    def _axis(self, ndim, shared, shape):
        if self.axis is None or (not shared and self.axis % ndim == 0):
            raise self.error(
                "samples, which lie on several ranks, can't be sorted.", f"axis={self.axis}, shape {shape}"
            )
        return self.axis % ndim

    def infer(self, x):
        self._axis(x.ndim, x.shared, x.shape)
        return Spec(x.shape, "int32", x.shared)

    def write(self, plan, x):
        axis = self._axis(len(x.shape) + x.per_row, not x.per_row, x.shape) - x.per_row
        order = [*[i for i in range(len(x.shape)) if i != axis], axis]
        return permuted(plan, ordered(plan, permuted(plan, x, order), x.shape[axis], False), list(np.argsort(order)))


def ordered(plan, x, count, descending):
    """Writes the places of a vector's first elements in order into a plan; vectors lie along the last axis."""
    y = untouched(plan, "order", (*x.shape[:-1], count), not x.per_row, "int32")
    size, outer = x.shape[-1], prod(x.shape[:-1])
    shapes = [(count,), (size,)] if x.per_row else [(outer, count), (outer, size)]
    plan.forward(gather.order_forward, y.reshape(shapes[0]), x.reshape(shapes[1]), int(descending))
    return y


def argsort(x, axis=-1):
    """The places of elements in rising order, of equal ones the first first.

    Args:
        x: Tensor, variable or array.
        axis: The axis; it can't be that of the samples.
    """
    return Argsort.apply(x, axis=axis)


class Sort(Composite):
    """Elements in rising order."""

    defaults = {"axis": -1}

    @staticmethod
    def expression(x, axis):
        return take_along_axis(x, argsort(x, axis), axis)


def sort(x, axis=-1):
    """Elements in rising order; arguments as for `argsort`."""
    return Sort.apply(x, axis=axis)

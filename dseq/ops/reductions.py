"""Functions that make one number of those along some axes."""

import builtins

import numpy as np

from dseq.kernels import binary, reduce, rounding
from dseq.ops import over_rows
from dseq.ops.arithmetic import pair
from dseq.ops.elementwise import unary
from dseq.ops.function import Function, Literal, Spec
from dseq.ops.moving import permuted
from dseq.ops.reading import as_type, lines, planes, read, value
from dseq.ops.types import as_array, float_type, result_type, standard, type_of


class _Reduction(Function):
    """A reduction along axes, the batch's among them or not.

    Attributes:
        numpy: The function of an array, an axis and `keepdims`.
        kernels: `(forward, backward)` along the middle axis of (outer, k, inner).
        over_batch: Whether it can go along the axis of the samples.
        saves: Whether the backward kernel wants to see x and y, or x alone: `"xy"`, `"x"` or `""`.
    """

    defaults = {"axis": None, "keepdims": False}
    numpy = None
    kernels = None, None
    saves = ""
    over_batch = True

    @staticmethod
    def gives(dtype) -> str:
        """The type of the result for that of the data."""
        return result_type(dtype)

    @classmethod
    def compute(cls, x, axis, keepdims):
        x = as_array(x)
        axis = tuple(axis) if isinstance(axis, list) else axis
        return np.asarray(cls.numpy(x, axis=axis, keepdims=keepdims)).astype(cls.gives(type_of(x)))[()]

    def axes_of(self, ndim, shape) -> list:
        """The axes in rising order, counted from 0."""
        given = range(ndim) if self.axis is None else [self.axis] if isinstance(self.axis, int) else self.axis
        axes = sorted({int(axis) % ndim for axis in given}) if ndim else []
        if builtins.any(not -ndim <= axis < ndim for axis in given) or len(axes) != len(list(given)):
            raise self.error("`axis` must name axes of the tensor, each once.", f"axis={self.axis} for shape {shape}")
        return axes

    def infer(self, x):
        axes = self.axes_of(x.ndim, x.shape)
        if 0 in axes and not x.shared and not self.over_batch:
            raise self.error(
                "the axis of the samples, which lie on several ranks, can't be reduced by this function.",
                f"axis={self.axis} for shape {x.shape}",
            )
        shared = x.shared or 0 in axes
        if self.keepdims:
            shape = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
        else:
            shape = tuple(n for axis, n in enumerate(x.shape) if axis not in axes)
        return Spec(shape, self.gives(x.dtype), shared)

    def write(self, plan, x):
        axes = self.axes_of(len(x.shape) + x.per_row, x.shape)
        whole_batch = x.per_row and 0 in axes
        inner = [axis - 1 for axis in axes if axis > 0] if x.per_row else axes
        kept = tuple(1 if axis in inner else n for axis, n in enumerate(x.shape))
        y = self.along(plan, read(plan, x, x.per_row), inner)
        if whole_batch:
            y = self.over_rows(plan, y.reshape(kept))
            kept = (1, *kept)
            inner = [0, *[axis + 1 for axis in inner]]
        y = self.finish(plan, y)
        shape = kept if self.keepdims else tuple(n for axis, n in enumerate(kept) if axis not in inner)
        return y if y.shape == shape else y.reshape(shape)

    def along(self, plan, x, axes):
        """Writes the reduction along a sample's axes; x itself for no axes."""
        x = self.prepare(plan, x)
        if not axes:
            return x
        if axes != list(range(axes[0], axes[-1] + 1)):
            order = [axis for axis in range(len(x.shape)) if axis not in axes] + axes
            x = permuted(plan, x, order)
            axes = list(range(len(order) - len(axes), len(order)))
        first, last = axes[0], axes[-1] + 1
        shape = (*x.shape[:first], *x.shape[last:])
        forward, backward = self.kernels
        y = value(plan, "y", shape, self.kept_type(x), not x.per_row)
        plan.forward(forward, lines(y, first), planes(x, first, last))
        if backward is not None and y.grad is not None:
            saved = [planes(x, first, last)] if "x" in self.saves else []
            saved += [lines(y, first)] if "y" in self.saves else []
            plan.backward(backward, planes(x.grad, first, last), lines(y.grad, first), *saved)
        return y

    def kept_type(self, x) -> str:
        """The type in which values are kept between the steps."""
        return self.gives(x.dtype)

    def prepare(self, plan, x):
        """What happens to the data first."""
        return x

    def over_rows(self, plan, x):
        """Writes the reduction over samples."""
        raise NotImplementedError

    def finish(self, plan, y):
        """What happens to the result at last."""
        return y


def _summed(dtype):
    return (
        "int32"
        if dtype in ("bool", "int8", "int16")
        else {"uint8": "uint32", "uint16": "uint32"}.get(dtype, result_type(dtype))
    )


class Sum(_Reduction):
    """The sum."""

    numpy = staticmethod(np.sum)
    kernels = reduce.sum_forward, reduce.sum_backward
    gives = staticmethod(_summed)

    def prepare(self, plan, x):
        return as_type(plan, x, _summed(x.dtype))

    def over_rows(self, plan, x):
        return over_rows.total(plan, x, x.dtype)


class Mean(_Reduction):
    """The mean."""

    numpy = staticmethod(lambda x, **options: np.mean(x, dtype=np.float64, **options))
    kernels = reduce.mean_forward, reduce.mean_backward
    gives = staticmethod(float_type)

    def prepare(self, plan, x):
        return as_type(plan, x, float_type(x.dtype))

    def over_rows(self, plan, x):
        return over_rows.total(plan, x, x.dtype, mean=True)


class _Extreme(_Reduction):
    defaults = {"axis": None, "keepdims": False, "initial": None}
    saves = "xy"
    largest = True

    @classmethod
    def compute(cls, x, axis, keepdims, initial):
        y = super().compute(x, axis, keepdims)
        return y if initial is None else cls.bound(y, np.asarray(initial, y.dtype))

    def over_rows(self, plan, x):
        return over_rows.extreme(plan, x, self.largest)

    def finish(self, plan, y):
        if self.initial is None:
            return y
        either = binary.maximum_either if self.largest else binary.minimum_either
        kernels = binary.maximum_forward if self.largest else binary.minimum_forward, either, either
        return pair(plan, self, kernels, y, as_type(plan, Literal(self.initial), y.dtype), y.dtype)


class Max(_Extreme):
    """The largest."""

    numpy, bound = staticmethod(np.max), staticmethod(np.maximum)
    kernels = reduce.maximum_along, reduce.extreme_backward


class Min(_Extreme):
    """The smallest."""

    numpy, bound = staticmethod(np.min), staticmethod(np.minimum)
    kernels = reduce.minimum_along, reduce.extreme_backward
    largest = False


class Prod(_Reduction):
    """The product."""

    defaults = {"axis": None, "keepdims": False, "dtype": None}
    over_batch = False
    numpy = staticmethod(np.prod)
    kernels = reduce.product_forward, reduce.product_backward
    saves = "x"
    gives = staticmethod(_summed)

    @classmethod
    def compute(cls, x, axis, keepdims, dtype):
        y = super().compute(x, axis, keepdims)
        return y if dtype is None else y.astype(standard(dtype))

    def infer(self, x):
        made = super().infer(x)
        return made if self.dtype is None else made._replace(dtype=standard(self.dtype))

    def prepare(self, plan, x):
        return as_type(plan, x, _summed(x.dtype))

    def finish(self, plan, y):
        return y if self.dtype is None else as_type(plan, y, standard(self.dtype))


class CountNonzero(_Reduction):
    """How many are not 0."""

    defaults = {"axis": None}
    keepdims = False
    function_name = "count_nonzero"
    kernels = reduce.count_forward, None
    gives = staticmethod(lambda dtype: "int32")

    @staticmethod
    def compute(x, axis):
        axis = tuple(axis) if isinstance(axis, list) else axis
        return np.asarray(np.count_nonzero(as_array(x), axis=axis)).astype(np.int32)[()]

    def along(self, plan, x, axes):
        if axes:
            return super().along(plan, x, axes)
        return as_type(plan, as_type(plan, self.prepare(plan, x), "bool"), "int32")

    def over_rows(self, plan, x):
        return over_rows.total(plan, x, "int32")


class Any(CountNonzero):
    """Whether one is true."""

    defaults = {"axis": None, "keepdims": False}
    function_name = "any"
    numpy = staticmethod(np.any)
    gives = staticmethod(lambda dtype: "bool")
    compute = _Reduction.__dict__["compute"]

    def kept_type(self, x):
        return "int32"

    def finish(self, plan, y):
        return as_type(plan, y, "bool")


class All(Any):
    """Whether all are true."""

    function_name = "all"
    numpy = staticmethod(np.all)

    def prepare(self, plan, x):
        return unary(plan, rounding.falsehood_forward, None, x, "bool")

    def finish(self, plan, y):
        return unary(plan, rounding.falsehood_forward, None, y, "bool")


def sum(x, axis=None, keepdims=False):
    """The sum along axes.

    Args:
        x: Tensor, variable, array or number.
        axis: Axis, or a tuple of axes; all if None. Axis 0 of a tensor is that of the samples of the global batch:
            the result then belongs to no sample, and is the same on all ranks.
        keepdims: Whether the axes stay, with size 1.
    """
    return Sum.apply(x, axis=axis, keepdims=keepdims)


def mean(x, axis=None, keepdims=False):
    """The mean along axes; arguments as for `sum`."""
    return Mean.apply(x, axis=axis, keepdims=keepdims)


def max(x, axis=None, keepdims=False, initial=None):
    """The largest along axes; arguments as for `sum`, and `initial`, below which the result does not go.

    Equal ones share the gradient.
    """
    return Max.apply(x, axis=axis, keepdims=keepdims, initial=initial)


def min(x, axis=None, keepdims=False, initial=None):
    """The smallest along axes; arguments as for `sum`, and `initial`, above which the result does not go.

    Equal ones share the gradient.
    """
    return Min.apply(x, axis=axis, keepdims=keepdims, initial=initial)


amax, amin = max, min


def prod(x, axis=None, keepdims=False, dtype=None):
    """The product along axes other than that of the samples; arguments as for `sum`, and the type of the result."""
    return Prod.apply(x, axis=axis, keepdims=keepdims, dtype=dtype)


def count_nonzero(x, axis=None):
    """How many elements along axes are not 0; arguments as for `sum`."""
    return CountNonzero.apply(x, axis=axis)


def any(x, axis=None, keepdims=False):
    """Whether an element along axes is true; arguments as for `sum`."""
    return Any.apply(x, axis=axis, keepdims=keepdims)


def all(x, axis=None, keepdims=False):
    """Whether all elements along axes are true; arguments as for `sum`."""
    return All.apply(x, axis=axis, keepdims=keepdims)

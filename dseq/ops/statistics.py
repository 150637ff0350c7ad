"""Statistics and norms, made of sums and means."""

import numpy as np

from dseq.kernels import reduce
from dseq.ops.arithmetic import divide, maximum, multiply, not_equal, power, subtract
from dseq.ops.casting import cast, stop_gradient
from dseq.ops.composite import Composite
from dseq.ops.elementwise import absolute, exp, isfinite, log, rsqrt, sqrt, square
from dseq.ops.function import Function, Spec
from dseq.ops.reading import as_type, planes, read, value
from dseq.ops.reductions import max, mean, min, sum
from dseq.ops.selection import where
from dseq.ops.shaping import squeeze
from dseq.ops.types import as_array, float_type, result_type, type_of
from dseq.program.floatx import epsilon as default_epsilon


class Var(Composite):
    """The variance."""

    defaults = {"axis": None, "keepdims": False}

    @staticmethod
    def expression(x, axis, keepdims):
        return mean(square(subtract(x, mean(x, axis, keepdims=True))), axis, keepdims)


def var(x, axis=None, keepdims=False):
    """The variance along axes, with the number of elements as the divisor.

    Args:
        x: Tensor, variable, array or number.
        axis: Axis, or a tuple of axes; all if None. Axis 0 of a tensor is that of all samples of the global batch.
        keepdims: Whether the axes stay, with size 1.
    """
    return Var.apply(x, axis=axis, keepdims=keepdims)


class Std(Composite):
    """The standard deviation."""

    defaults = {"axis": None, "keepdims": False}

    @staticmethod
    def expression(x, axis, keepdims):
        return sqrt(var(x, axis, keepdims))


def std(x, axis=None, keepdims=False):
    """The standard deviation along axes; arguments as for `var`."""
    return Std.apply(x, axis=axis, keepdims=keepdims)


class Moments(Composite):
    """Mean and variance."""

    module = "keras.src.ops.nn"
    defaults = {"axes": None, "keepdims": False, "synchronized": False}

    @staticmethod
    def expression(x, axes, keepdims, synchronized):
        axes = tuple(axes) if isinstance(axes, list) else axes
        return mean(x, axes, keepdims), var(x, axes, keepdims)


def moments(x, axes, keepdims=False, synchronized=False):
    """Mean and variance along axes.

    Args:
        x: Tensor, variable, array or number.
        axes: Axis, or a tuple of axes.
        keepdims: Whether the axes stay, with size 1.
        synchronized: Accepted as in Keras: moments over samples are always those of the global batch.

    Returns:
        `(mean, variance)`.
    """
    return tuple(Moments.apply(x, axes=axes, keepdims=keepdims, synchronized=synchronized))


class Logsumexp(Composite):
    """The logarithm of a sum of exponentials."""

    module = "keras.src.ops.math"
    defaults = {"axis": None, "keepdims": False}

    @staticmethod
    def expression(x, axis, keepdims):
        x = cast(x, float_type(type_of(x)))
        largest = stop_gradient(max(x, axis, keepdims=True))
        largest = where(isfinite(largest), largest, 0.0)
        y = log(sum(exp(subtract(x, largest)), axis, keepdims))
        if not keepdims:
            axes = axis if axis is not None else tuple(range(largest.ndim))
            largest = squeeze(largest, axes)
        return y + largest


def logsumexp(x, axis=None, keepdims=False):
    """log(sum(exp(x))) along axes, without overflow; arguments as for `var`."""
    return Logsumexp.apply(x, axis=axis, keepdims=keepdims)


class Norm(Composite):
    """The norm of vectors, or of matrices."""

    module = "keras.src.ops.linalg"
    defaults = {"ord": None, "axis": None, "keepdims": False}

    @staticmethod
    def expression(x, ord, axis, keepdims):
        x = cast(x, float_type(type_of(x)))
        matrices = (
            isinstance(axis, tuple | list) and len(axis) == 2 or (axis is None and ord is not None and x.ndim == 2)
        )
        if ord is None or (ord == 2 and not matrices) or ord in ("fro", "euclidean"):
            return sqrt(sum(square(x), axis, keepdims))
        if matrices:
            rows, columns = (0, 1) if axis is None else (a % x.ndim for a in axis)
            inner = {1: rows, -1: rows, np.inf: columns, -np.inf: columns}.get(ord)
            if inner is None:
                raise ValueError(f"`dseq.ops.norm`: `ord` of matrices must be 'fro', 1 or inf. Received: ord={ord!r}")
            totals = sum(absolute(x), inner, keepdims=True)
            return (max if ord > 0 else min)(totals, (rows, columns), keepdims)
        if ord == np.inf:
            return max(absolute(x), axis, keepdims)
        if ord == -np.inf:
            return min(absolute(x), axis, keepdims)
        if ord == 0:
            return sum(cast(not_equal(x, 0.0), x.dtype), axis, keepdims)
        if ord == 1:
            return sum(absolute(x), axis, keepdims)
        if isinstance(ord, str):
            raise ValueError(f"`dseq.ops.norm`: `ord` of vectors must be a number. Received: ord={ord!r}")
        return power(sum(power(absolute(x), ord), axis, keepdims), 1 / ord)


def norm(x, ord=None, axis=None, keepdims=False):
    """The norm along an axis, or of matrices along two.

    Args:
        x: Tensor, variable or array.
        ord: 1, 2, inf, -inf, 0 or any number for vectors; None or `"fro"`, 1, -1, inf and -inf for matrices.
        axis: Axis, a pair of axes, or None for all elements.
        keepdims: Whether the axes stay, with size 1.
    """
    return Norm.apply(x, ord=ord, axis=axis, keepdims=keepdims)


class Normalize(Composite):
    """Vectors of length 1."""

    module = "keras.src.ops.nn"
    defaults = {"axis": -1, "order": 2, "epsilon": None}

    @staticmethod
    def expression(x, axis, order, epsilon):
        least = default_epsilon() if epsilon is None else epsilon
        x = cast(x, float_type(type_of(x)))
        if order == 2:
            return multiply(x, rsqrt(maximum(sum(square(x), axis, keepdims=True), least**2)))
        return divide(x, maximum(norm(x, order, axis, keepdims=True), least))


def normalize(x, axis=-1, order=2, epsilon=None):
    """Vectors scaled to length 1.

    Args:
        x: Tensor, variable or array.
        axis: The axis along which vectors lie.
        order: Of the norm.
        epsilon: The least length that is divided by; `dseq.config.epsilon()` if None.
    """
    return Normalize.apply(x, axis=axis, order=order, epsilon=epsilon)


class Cumsum(Function):
    """Sums of all up to each element."""

    defaults = {"axis": None, "dtype": None}

    @staticmethod
    def compute(x, axis, dtype):
        x = as_array(x)
        kept = dtype or ("int32" if x.dtype == bool else x.dtype)
        return np.cumsum(x, axis=axis, dtype=kept)

    def infer(self, x):
        if self.axis is None and x.ndim != 1:
            if not x.shared:
                raise self._no_samples(x)
            return Spec((int(np.prod(x.shape)),), self._type(x), True)
        axis = (self.axis or 0) % x.ndim
        if axis == 0 and not x.shared:
            raise self._no_samples(x)
        return Spec(x.shape, self._type(x), x.shared)

    def _no_samples(self, x):
        return self.error(
            "sums can't go along the axis of the samples, which lie on several ranks.", f"{self.axis=}, {x.shape=}"
        )

    def _type(self, x):
        return self.dtype or ("int32" if x.dtype == "bool" else result_type(x.dtype))

    def write(self, plan, x):
        x = read(plan, as_type(plan, x, self._type(x)), x.per_row)
        shape, axis = x.shape, self.axis
        if axis is None:
            shape, axis = (int(np.prod(shape)),), 0
            x = x.reshape(shape)
        axis = axis % (len(shape) + x.per_row) - x.per_row
        y = value(plan, "y", shape, x.dtype, not x.per_row)
        plan.forward(reduce.cumulate_forward, planes(y, axis, axis + 1), planes(x, axis, axis + 1))
        if y.grad is not None:
            plan.backward(reduce.cumulate_backward, planes(x.grad, axis, axis + 1), planes(y.grad, axis, axis + 1))
        return y


def cumsum(x, axis=None, dtype=None):
    """Sums of all up to each element.

    Args:
        x: Tensor, variable or array.
        axis: The axis along which they go; of the flattened array if None. It can't be that of the samples.
        dtype: Type of the result.
    """
    return Cumsum.apply(x, axis=axis, dtype=dtype)


class Argmax(Function):
    """Where the largest lies."""

    defaults = {"axis": None, "keepdims": False}
    kernel = staticmethod(reduce.argmax_along)
    numpy = staticmethod(np.argmax)

    @classmethod
    def compute(cls, x, axis, keepdims):
        return np.asarray(cls.numpy(as_array(x), axis=axis, keepdims=keepdims)).astype(np.int32)[()]

    def _axis(self, ndim, shared, shape):
        if not shared and (self.axis is None or self.axis % ndim == 0):
            raise self.error(
                "places can't be found along the axis of the samples, which lie on several ranks.",
                f"axis={self.axis} for shape {shape}",
            )
        return None if self.axis is None else self.axis % ndim

    def infer(self, x):
        axis = self._axis(x.ndim, x.shared, x.shape)
        gone = range(x.ndim) if axis is None else [axis]
        if self.keepdims:
            return Spec(tuple(1 if i in gone else n for i, n in enumerate(x.shape)), "int32", x.shared)
        return Spec(tuple(n for i, n in enumerate(x.shape) if i not in gone), "int32", x.shared)

    def write(self, plan, x):
        shape = tuple(x.shape)
        axis = self._axis(len(shape) + x.per_row, not x.per_row, shape)
        first, last = (0, len(shape)) if axis is None else (axis - x.per_row, axis - x.per_row + 1)
        kept = (*shape[:first], *([1] * (last - first) if self.keepdims else []), *shape[last:])
        y = value(plan, "y", kept, "int32", not x.per_row)
        inner = int(np.prod(shape[last:]))
        outer = int(np.prod(shape[:first]))
        plan.forward(self.kernel, y.reshape((inner,) if x.per_row else (outer, inner)), planes(x, first, last))
        return y


class Argmin(Argmax):
    """Where the smallest lies."""

    kernel = staticmethod(reduce.argmin_along)
    numpy = staticmethod(np.argmin)


def argmax(x, axis=None, keepdims=False):
    """Where along an axis the largest lies, the first of several.

    Args:
        x: Tensor, variable or array.
        axis: The axis; of the flattened array if None. It can't be that of the samples.
        keepdims: Whether the axis stays, with size 1.
    """
    return Argmax.apply(x, axis=axis, keepdims=keepdims)


def argmin(x, axis=None, keepdims=False):
    """Where along an axis the smallest lies, the first of several; arguments as for `argmax`."""
    return Argmin.apply(x, axis=axis, keepdims=keepdims)

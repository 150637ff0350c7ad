"""Constraints on the signs of weights, and on the norms of vectors of weights."""

from math import prod

import numpy as np

from dseq.constraints.constraint import Constraint
from dseq.kernels.constraint import limit_norms, non_negative, unit_norms
from dseq.program.floatx import epsilon
from dseq.program.operand import flat


class NonNeg(Constraint):
    """Negative weights become 0."""

    def __call__(self, w):
        return np.maximum(w, 0)

    def lower(self, plan, variable):
        plan.settle(non_negative, flat(variable))


class _Norms(Constraint):
    """What constraints on norms share: the axes of the vectors."""

    axis = 0

    def _norms(self, w):
        axis = tuple(self.axis) if isinstance(self.axis, list | tuple) else self.axis
        return np.sqrt(np.sum(np.square(w), axis=axis, keepdims=True))

    def _vectors(self, variable):
        """The weight as `(p, k, q)` with vectors along k, None if their axes do not lie side by side."""
        count = len(variable.shape)
        axes = self.axis if isinstance(self.axis, list | tuple) else range(count) if self.axis is None else [self.axis]
        if any(not -count <= axis < count for axis in axes):
            raise ValueError(
                f"`axis` of {type(self).__name__} must be axes of the weight. Received: axis={self.axis} for "
                f"{variable.label} of shape {variable.shape}"
            )
        axes = sorted(axis % count for axis in axes)
        if axes != list(range(axes[0], axes[0] + len(axes))):
            return None
        first, last = axes[0], axes[-1] + 1
        shape = variable.shape
        return variable.reshape((prod(shape[:first]), prod(shape[first:last]), prod(shape[last:])))

    def lower(self, plan, variable):
        vectors = self._vectors(variable)
        if vectors is None:
            super().lower(plan, variable)
            return
        squares = plan.value("squares", (vectors.shape[2],), "float64", shared=True)
        kernel, numbers = self._kernel()
        plan.settle(kernel, vectors, squares, *(plan.constant(x, "float64") for x in (*numbers, epsilon())))


class MinMaxNorm(_Norms):
    """Vectors of weights get norms between two bounds.

    Args:
        min_value: Least norm.
        max_value: Largest norm.
        rate: Share of the way to the nearest bound that each update goes: 1 enforces it at once.
        axis: Axis, or list of axes, along which norms are taken; 0 for the inputs of a `Dense` kernel, `[0, 1, 2]` for
            those of a `Conv2D` kernel.

    Example:
        >>> MinMaxNorm(1.0, 2.0)(np.array([[3.0], [4.0]])).round(3).tolist()
        [[1.2], [1.6]]
    """

    def __init__(self, min_value=0.0, max_value=1.0, rate=1.0, axis=0):
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w):
        w = np.asarray(w)
        norms = self._norms(w)
        desired = self.rate * np.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return w * (desired / (epsilon() + norms))

    def get_config(self):
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}

    def _kernel(self):
        return limit_norms, (self.min_value, self.max_value, self.rate)


class MaxNorm(_Norms):
    """Vectors of weights get norms of at most a bound.

    Args:
        max_value: Largest norm.
        axis: Axis, or list of axes, along which norms are taken, as for `MinMaxNorm`.
    """

    def __init__(self, max_value=2, axis=0):
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w):
        w = np.asarray(w)
        norms = self._norms(w)
        return w * (np.clip(norms, 0, self.max_value) / (epsilon() + norms))

    def get_config(self):
        return {"max_value": self.max_value, "axis": self.axis}

    def _kernel(self):
        return limit_norms, (0.0, self.max_value, 1.0)


class UnitNorm(_Norms):
    """Vectors of weights get norm 1.

    Args:
        axis: Axis, or list of axes, along which norms are taken, as for `MinMaxNorm`.
    """

    def __init__(self, axis=0):
        self.axis = axis

    def __call__(self, w):
        w = np.asarray(w)
        return w / (epsilon() + self._norms(w))

    def get_config(self):
        return {"axis": self.axis}

    def _kernel(self):
        return unit_norms, ()

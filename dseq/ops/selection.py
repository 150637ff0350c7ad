"""Functions that choose between values or bound them."""

import numpy as np

from dseq.kernels import binary, rectifier, rounding
from dseq.kernels.rounding import clip_backward, clip_whole, round_decimals
from dseq.ops.arithmetic import maximum, minimum
from dseq.ops.broadcasting import aligned, broadcast_specs, for_samples, layout, paired, sample_shape, spread
from dseq.ops.composite import Composite
from dseq.ops.elementwise import unary
from dseq.ops.function import Function, Spec
from dseq.ops.reading import as_type, read, untouched, value
from dseq.ops.types import as_array, exactly, is_float, result_type, type_of
from dseq.program.operand import flat


class Where(Function):
    """Values of one or another argument."""

    @staticmethod
    def compute(condition, x1, x2):
        dtype = result_type(type_of(x1), type_of(x2))
        return np.where(exactly(condition).astype(bool), exactly(x1).astype(dtype), exactly(x2).astype(dtype))

    def infer(self, condition, a, b):
        shape, shared = broadcast_specs(self, condition, a, b)
        return Spec(shape, result_type(a.dtype, b.dtype), shared)

    def write(self, plan, condition, a, b):
        dtype = result_type(a.dtype, b.dtype)
        c, a, b = as_type(plan, condition, "bool"), as_type(plan, a, dtype), as_type(plan, b, dtype)
        shape, per_row = sample_shape((c, a, b), self)
        a, b = read(plan, a, per_row), read(plan, b, per_row)
        c = _written_out(plan, aligned(c, shape, per_row), shape, per_row)
        a, b, length, left, right = paired(plan, shape, per_row, a, b)
        y = value(plan, "y", shape, dtype, not per_row)
        plan.forward(binary.where_forward, flat(y), flat(c), flat(a), flat(b), length, *left, *right)
        if y.grad is not None:
            for x, kernel in ((a, binary.where_first), (b, binary.where_second)):
                run, (own, other) = layout(shape, per_row, x, c)
                plan.backward(kernel, flat(x.grad), flat(y.grad), flat(x), flat(c), run, *own, *other)
        return y


def _written_out(plan, c, shape, per_row):
    """A condition as large as the result."""
    c = spread(plan, c, shape)
    return for_samples(plan, c, shape) if per_row and not c.per_row else c


def where(condition, x1=None, x2=None):
    """Elements of x1 where a condition holds, of x2 elsewhere.

    Args:
        condition: Tensor, variable, array or number; true where it is not 0.
        x1: What is taken where it holds.
        x2: What is taken elsewhere; shapes broadcast.

    Raises:
        ValueError: If x1 or x2 is missing: how many elements are true is known in the step only.
    """
    if x1 is None or x2 is None:
        raise ValueError(f"`dseq.ops.where` needs both `x1` and `x2`. Received: x1={x1!r}, x2={x2!r}")
    return Where.apply(condition, x1, x2)


class Clip(Function):
    """Values within bounds."""

    defaults = {"x_min": None, "x_max": None}

    @staticmethod
    def compute(x, x_min, x_max):
        x = as_array(x)
        x = x.astype(np.int32) if x.dtype == bool else x
        return np.clip(x, None if x_min is None else np.asarray(x_min, x.dtype), np.asarray(x_max, x.dtype))

    def infer(self, x):
        return x._replace(dtype="int32" if x.dtype == "bool" else x.dtype, value=None)

    def write(self, plan, x):
        if not is_float(x.dtype):
            y = untouched(plan, "y", x.shape, not x.per_row, "int32" if x.dtype == "bool" else x.dtype)
            bounds = [plan.constant(bound, y.dtype) for bound in (self.x_min, self.x_max)]
            plan.forward(clip_whole, flat(y), flat(x), *bounds)
            return y
        x = read(plan, x, x.per_row)
        y = value(plan, "y", x.shape, x.dtype, not x.per_row)
        numbers = [plan.constant(n) for n in (1.0, 0.0, self.x_min, self.x_max)]
        plan.forward(rectifier.clipped_line_forward, flat(y), flat(x), *numbers)
        if y.grad is not None:
            plan.backward(clip_backward, flat(x.grad), flat(y.grad), flat(x), *numbers[2:])
        return y


class _ClipBetween(Composite):
    """Values within bounds that are tensors or arrays."""

    @staticmethod
    def expression(x, x_min, x_max):
        return minimum(maximum(x, x_min), x_max)


def clip(x, x_min, x_max):
    """Bounds each element; no gradient flows where the bound is taken.

    Args:
        x: Tensor, variable, array or number.
        x_min: The lower bound.
        x_max: The upper bound.
    """
    if all(isinstance(bound, int | float | np.number) for bound in (x_min, x_max)):
        return Clip.apply(x, x_min=x_min, x_max=x_max)
    return _ClipBetween.apply(x, x_min, x_max)


class Round(Function):
    """Values rounded."""

    defaults = {"decimals": 0}

    @staticmethod
    def compute(x, decimals):
        return np.round(as_array(x), decimals)

    def infer(self, x):
        return x._replace(dtype="int32" if x.dtype == "bool" else x.dtype, value=None)

    def write(self, plan, x):
        if not is_float(x.dtype):
            return as_type(plan, x, "int32") if x.dtype == "bool" else x
        if self.decimals == 0:
            return unary(plan, rounding.round_forward, None, x)
        y = untouched(plan, "y", x.shape, not x.per_row)
        plan.forward(round_decimals, flat(y), flat(x), plan.constant(10.0**self.decimals))
        return y


def round(x, decimals=0):
    """The nearest number with this many decimals, the even one of two; no gradient.

    Args:
        x: Tensor, variable, array or number.
        decimals: How many digits behind the point are kept.
    """
    return Round.apply(x, decimals=decimals)

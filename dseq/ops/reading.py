"""How operations read values, so that gradients count once.

A weight's gradient is summed over ranks after the step. What comes from samples adds up to the whole that way. What
comes through values that all ranks hold alike must count on one of them: `replicated`. A value that all ranks hold
alike has a gradient that is likewise the same on all; where samples use it, each rank has a part of it, and the parts
are summed on the way: `local`.
"""

from math import prod

import numpy as np

from dseq.kernels.cast import cast_forward
from dseq.kernels.merge import accumulate
from dseq.kernels.reduce import add_once
from dseq.kernels.rounding import truth_forward
from dseq.ops.function import Literal
from dseq.ops.types import is_float
from dseq.program.operand import Operand, flat


def value(plan, name, shape, dtype, shared):
    """A new value of a type: floats are of the plan's type and carry gradients."""
    return plan.value(name, shape, None if is_float(dtype) else dtype, shared=shared)


def untouched(plan, name, shape, shared, dtype=None):
    """A new value that no gradient flows through."""
    return plan.value(name, shape, dtype or plan.dtype, shared=shared)


def as_type(plan, x, dtype):
    """An operand, variable or constant as an operand of a type; all floats are of the plan's."""
    target = plan.dtype if is_float(dtype) else np.dtype(dtype).name
    if isinstance(x, Literal):
        array = x.value.astype(target)
        return _constant(plan, array)
    if x.dtype == target:
        return x
    if target == plan.dtype and x.arena == "activations":
        return plan.floats(x)
    y = untouched(plan, "cast", x.shape, not x.per_row, target)
    plan.forward(truth_forward if target == "bool" else cast_forward, flat(y), flat(x))
    return y


def _constant(plan, array):
    block = plan.constant(np.ascontiguousarray(array).reshape(-1), array.dtype.name)
    return Operand(block.label, array.shape, block.arena, block.dtype, 1, block)


def read(plan, x, per_row):
    """An operand as an operation reads whose result is per sample, or shared."""
    return local(plan, x) if per_row else replicated(plan, x)


def local(plan, x):
    """An operand for an operation on samples."""
    if x.per_row or x.grad is None or x.arena == "params":
        return x
    view = _with_gradient(plan, x)
    plan.backward(accumulate, flat(x.grad), flat(view.grad))
    plan.exchange_backward(view.grad)
    return view


def replicated(plan, x):
    """An operand for an operation that all ranks do alike."""
    if x.arena != "params" or x.grad is None:
        return x
    view = _with_gradient(plan, x)
    plan.backward(add_once, flat(x.grad), flat(view.grad), plan.clock)
    return view


def _with_gradient(plan, x):
    view = Operand(x.label, x.shape, x.arena, x.dtype, 1, x.block)
    view.grad = Operand(f"d {x.label} here", x.shape, "shared_grads", x.dtype)
    plan.blocks.append(view.grad)
    return view


def stopped(x):
    """The same values without a gradient."""
    if x.grad is None:
        return x
    view = Operand(x.label, x.shape, x.arena, x.dtype, x.rows_per_sample, x.block)
    view.mask = x.mask
    return view


def vectors(x):
    """An operand as a matrix with one row for each sample, or one row in all; None stays None."""
    if x is None:
        return None
    size = prod(x.shape)
    return x.reshape((size,) if x.per_row else (1, size))


def planes(x, first, last):
    """An operand as (outer, k, inner), where the axes of a sample from first up to last are k; None stays None."""
    if x is None:
        return None
    outer, k, inner = prod(x.shape[:first]), prod(x.shape[first:last]), prod(x.shape[last:])
    return x.reshape((k, inner) if x.per_row else (outer, k, inner))


def lines(x, axis):
    """An operand as (outer, inner), where the axes of a sample from this one on are inner; None stays None."""
    if x is None:
        return None
    outer, inner = prod(x.shape[:axis]), prod(x.shape[axis:])
    return x.reshape((inner,) if x.per_row else (outer, inner))

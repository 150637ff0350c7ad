"""Products of matrices."""

from math import prod

import numpy as np

from dseq.kernels import batched, dense
from dseq.ops.broadcasting import broadcast_shapes, places, spread
from dseq.ops.function import Function, Spec, spec_of
from dseq.ops.reading import as_type, read, value
from dseq.ops.types import as_array, float_type, is_float, result_type, type_of
from dseq.program.operand import matrix


class Matmul(Function):
    """The product of two matrices, or of stacks of them."""

    @staticmethod
    def compute(x1, x2):
        dtype = result_type(type_of(x1), type_of(x2))
        return np.matmul(as_array(x1).astype(dtype, copy=False), as_array(x2).astype(dtype, copy=False))

    def infer(self, a, b):
        if 0 in (a.ndim, b.ndim):
            raise self.error("a factor must have at least one axis.", f"shapes {a.shape} and {b.shape}")
        for x, axis in ((a, a.ndim - 1), (b, max(b.ndim - 2, 0))):
            if not x.shared and axis == 0:
                raise self.error(
                    "no sum can go along the axis of the samples, which lie on several ranks.",
                    f"shapes {a.shape} and {b.shape}",
                    "Use `dseq.ops.sum(..., axis=0)` of products to sum over samples.",
                )
        inner = a.shape[-1], b.shape[-2] if b.ndim > 1 else b.shape[0]
        if None not in inner and inner[0] != inner[1]:
            raise self.error(
                "the last axis of the first must be as large as the last but one of the second.",
                f"shapes {a.shape} and {b.shape}",
            )
        shared = a.shared and b.shared
        if shared:
            stack = broadcast_shapes(self, [a.shape[:-2], b.shape[:-2]])
        elif not a.shared and a.ndim == 2:  # samples are the rows of one matrix
            if not b.shared or b.ndim > 2:
                raise self.error(
                    "tensors with a batch axis must have three axes or more, if both have one.",
                    f"shapes {a.shape} and {b.shape}",
                )
            stack = ()
        else:
            stack = self._stack(a, b)
        tail = (*a.shape[-2:-1], *(b.shape[-1:] if b.ndim > 1 else ()))
        return Spec((*stack, *tail), result_type(a.dtype, b.dtype), shared)

    def _stack(self, a, b):
        """The axes before the matrices, the batch first."""
        stacks = [x.shape[:-2] for x in (a, b)]
        lengths = [len(s) for x, s in zip((a, b), stacks, strict=True) if not x.shared]
        batch = next((x.shape[0] for x in (a, b) if not x.shared and x.shape[0] is not None), None)
        if len(set(lengths)) > 1 or any(
            len(s) >= lengths[0] + (s[:1] == (1,)) for x, s in zip((a, b), stacks, strict=True) if x.shared
        ):
            raise self.error("stacks of matrices must broadcast.", f"shapes {a.shape} and {b.shape}")
        parts = [s[1:] if not x.shared or len(s) == lengths[0] else s for x, s in zip((a, b), stacks, strict=True)]
        return (batch, *broadcast_shapes(self, [*parts, (1,) * (lengths[0] - 1)]))

    def write(self, plan, a, b):
        dtype = result_type(a.dtype, b.dtype)
        specs = [spec_of(x) for x in (a, b)]
        result = self.infer(*specs)
        kind = dtype if is_float(dtype) else float_type()
        a, b = as_type(plan, a, kind), as_type(plan, b, kind)
        y = self._product(plan, a, b, result)
        shape = result.shape if result.shared else result.shape[1:]
        y = y if y.shape == tuple(shape) else y.reshape(shape)
        return as_type(plan, y, dtype)

    def _product(self, plan, a, b, result):
        per_row = not result.shared
        a, b = read(plan, a, per_row), read(plan, b, per_row)
        one_matrix = not b.per_row and len([n for n in b.shape[:-2] if n != 1]) == 0
        if one_matrix:
            return self._with_one(plan, a, b)
        rows_are_samples = a.per_row and len(a.shape) == 1
        a = a.reshape((1, *a.shape)) if len(a.shape) == 1 and not rows_are_samples else a
        b = b.reshape((*b.shape, 1)) if len(b.shape) == 1 else b
        return self._stacked(plan, a, b, per_row)

    def _with_one(self, plan, a, b):
        """Any tensor times one matrix: all its axes but the last are rows of one product, as in `Dense`."""
        columns = b.shape[-1] if len(b.shape) > 1 else 1
        b = b.reshape((a.shape[-1], columns))
        y = value(plan, "y", (*a.shape[:-1], columns), a.dtype, not a.per_row)
        plan.forward(dense.dense_forward, matrix(y), matrix(a), b, None, 0)
        if y.grad is not None:
            plan.backward(dense.dense_backward_input, matrix(a.grad), matrix(y.grad), b, first=dense.dense_write_input)
            plan.backward(
                dense.dense_backward_kernel, b.grad, matrix(a), matrix(y.grad), first=dense.dense_write_kernel
            )
        return y

    def _stacked(self, plan, a, b, per_row):
        stacks = [x.shape[:-2] for x in (a, b)]
        if per_row:  # an axis of 1 in the place of the batch
            longest = max(len(s) for x, s in zip((a, b), stacks, strict=True) if x.per_row)
            stacks = [s[1:] if len(s) > longest else s for s in stacks]
        stack = broadcast_shapes(self, stacks)
        a, b = (
            x.reshape((*(1,) * (len(stack) - len(s)), *s, *x.shape[-2:])) for x, s in zip((a, b), stacks, strict=True)
        )
        numbers = _places(stack, per_row, a, b)
        if numbers[0] is None:
            a = spread(plan, a, (*stack, *a.shape[-2:]))
        if numbers[1] is None:
            b = spread(plan, b, (*stack, *b.shape[-2:]))
        if None in numbers:
            numbers = _places(stack, per_row, a, b)
        n, m = a.shape[-2], b.shape[-1]
        y = value(plan, "y", (*stack, n, m), a.dtype, not per_row)
        places = [number for pair in numbers for number in pair]
        plan.forward(batched.batched_forward, _pile(y), _pile(a), _pile(b), *places)
        if y.grad is not None:
            plan.backward(batched.batched_backward_first, _pile(a.grad), _pile(y.grad), _pile(b), *places)
            plan.backward(batched.batched_backward_second, _pile(b.grad), _pile(a), _pile(y.grad), *places)
        return y


def _pile(x):
    """An operand as (number, rows, columns) of matrices; None stays None."""
    if x is None:
        return None
    rows, columns = x.shape[-2:]
    return x.reshape((rows, columns) if x.per_row else (prod(x.shape[:-2]), rows, columns))


def _places(stack, per_row, a, b):
    """Which matrix of each belongs to one of the result, as `(every, count)`; None for one that must be spread out."""
    return [places(stack, per_row, x) for x in (a, b)]


def matmul(x1, x2):
    """The product of two matrices, or of stacks of them, by NumPy's rules.

    Args:
        x1: Tensor, variable or array `(..., n, k)`, or a vector.
        x2: Tensor, variable or array `(..., k, m)`, or a vector.
    """
    return Matmul.apply(x1, x2)

"""Functions that put tensors together and take them apart."""

from math import prod

import numpy as np

from dseq.kernels.merge import columns_backward, columns_forward
from dseq.ops.broadcasting import for_samples
from dseq.ops.function import Function, Spec, spec_of
from dseq.ops.moving import Moving, moved
from dseq.ops.reading import as_type, read, value
from dseq.ops.types import as_array, result_type, type_of
from dseq.program.operand import matrix


class Concatenate(Function):
    """Tensors side by side."""

    defaults = {"axis": 0}

    @staticmethod
    def data(args):
        return list(args[0])

    @staticmethod
    def compute(xs, axis):
        dtype = result_type(*map(type_of, xs))
        return np.concatenate([as_array(x).astype(dtype) for x in xs], axis)

    def _axis(self, specs):
        shapes = [x.shape for x in specs]
        ranks = {x.ndim for x in specs}
        if len(ranks) != 1 or not -specs[0].ndim <= self.axis < specs[0].ndim:
            raise self.error("all tensors must have as many axes, `axis` among them.", f"{shapes}, axis={self.axis}")
        axis = self.axis % specs[0].ndim
        if not all(x.shared for x in specs):
            if axis == 0:
                raise self.error(
                    "tensors can't be put together along the axis of the samples, which lie on several ranks.",
                    f"shapes {shapes}, axis={self.axis}",
                )
            if any(x.shared and x.shape[0] != 1 for x in specs):
                raise self.error("what has no batch axis must have a first axis of 1.", f"shapes {shapes}")
        return axis

    def infer(self, *specs):
        axis = self._axis(specs)
        shared = all(x.shared for x in specs)
        shapes = [x.shape if x.shared == shared else (None, *x.shape[1:]) for x in specs]
        others = [shape[:axis] + shape[axis + 1 :] for shape in shapes]
        if any(len(set(sizes) - {None}) > 1 for sizes in zip(*others, strict=True)):
            raise self.error("all axes but that of `axis` must be equal.", f"shapes {shapes}, axis={self.axis}")
        sizes = [shape[axis] for shape in shapes]
        first = next((s for s in shapes if None not in s[1:]), shapes[0])
        total = None if None in sizes else sum(sizes)
        return Spec((*first[:axis], total, *first[axis + 1 :]), result_type(*[x.dtype for x in specs]), shared)

    def write(self, plan, *operands):
        dtype = result_type(*[x.dtype for x in operands])
        per_row = any(x.per_row for x in operands)
        specs = [spec_of(x) for x in operands]
        axis = self._axis(specs) - per_row
        shape = self.infer(*specs).shape[per_row:]
        operands = [as_type(plan, x, dtype) for x in operands]
        if len(operands) == 1:
            return operands[0]
        y = value(plan, "y", shape, dtype, not per_row)
        outer = prod(shape[:axis])

        def columns(operand):
            """All up to the axis as rows, the axis and all behind it as columns."""
            return matrix(operand and operand.reshape((outer, prod(operand.shape[axis:]))))

        first = 0
        for x in operands:
            x = for_samples(plan, x, x.shape[1:]) if per_row and not x.per_row else read(plan, x, per_row)
            if x.size:
                plan.forward(columns_forward, columns(y), columns(x), first)
                if y.grad is not None:
                    plan.backward(columns_backward, columns(x.grad), columns(y.grad), first)
                first += prod(x.shape[axis:])
        return y


def concatenate(xs, axis=0):
    """Tensors side by side along an axis; along all others they have the same size.

    Args:
        xs: List of tensors, variables and arrays.
        axis: The axis; for tensors not 0, that of the samples.
    """
    return Concatenate.apply(list(xs), axis=axis)


class _Joined(Concatenate):
    """Stacked tensors: each gets a new axis of 1, along which they are put together."""

    def widened(self, x):
        """A `Spec` with the new axis."""
        axis = self.axis % (x.ndim + 1)
        return x._replace(shape=(*x.shape[:axis], 1, *x.shape[axis:]), value=None)


class Stack(_Joined):
    """Tensors along a new axis."""

    @staticmethod
    def compute(x, axis):
        dtype = result_type(*map(type_of, x))
        return np.stack([as_array(part).astype(dtype) for part in x], axis)

    def infer(self, *specs):
        if len({s.ndim for s in specs}) != 1 or not -specs[0].ndim - 1 <= self.axis <= specs[0].ndim:
            raise self.error("all tensors must have as many axes.", f"{[s.shape for s in specs]}, axis={self.axis}")
        if self.axis % (specs[0].ndim + 1) == 0 and not all(s.shared for s in specs):
            raise self.error("no axis can come before that of the samples.", f"axis={self.axis}")
        return super().infer(*map(self.widened, specs))

    def write(self, plan, *operands):
        widened = []
        for x in operands:
            axis = self.axis % (len(x.shape) + x.per_row + 1) - x.per_row
            widened.append(x.reshape((*x.shape[:axis], 1, *x.shape[axis:])))
        joined = Concatenate(self.name, axis=self.axis)
        return joined.write(plan, *widened)


def stack(x, axis=0):
    """Tensors of one shape along a new axis.

    Args:
        x: List of tensors, variables and arrays.
        axis: Where the new axis comes to stand; for tensors not 0.
    """
    return Stack.apply(list(x), axis=axis)


class Split(Moving):
    """A tensor in parts."""

    defaults = {"indices_or_sections": None, "axis": 0}

    @staticmethod
    def compute(x, indices_or_sections, axis):
        return np.split(as_array(x), indices_or_sections, axis)

    def parts(self, x):
        """`(axis, [(first, last), ...])` for a `Spec`."""
        axis = self.axis_of(self.axis, x)
        size, given = x.shape[axis], self.indices_or_sections
        if size is None:
            raise self.error("the size of the axis must be known.", f"shape {x.shape}, axis={self.axis}")
        if isinstance(given, int | np.integer):
            if given < 1 or size % given:
                raise self.error(
                    "the axis must be a multiple of the number of parts.",
                    f"indices_or_sections={given} for axis {axis} of shape {x.shape}",
                )
            bounds = [i * (size // given) for i in range(given + 1)]
        else:
            bounds = [0, *[int(n) for n in given], size]
        places = [range(size)[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]
        return axis, [(p.start, max(p.stop, p.start)) for p in places]

    def infer(self, x):
        axis, parts = self.parts(x)
        return [x._replace(shape=(*x.shape[:axis], b - a, *x.shape[axis + 1 :]), value=None) for a, b in parts]

    def write(self, plan, x):
        spec = spec_of(x)
        axis, parts = self.parts(spec)
        numbers = np.arange(prod(x.shape), dtype=np.int64).reshape(x.shape)
        lead = (slice(None),) * (axis - x.per_row)
        return [moved(plan, x, numbers[(*lead, slice(a, b))]) for a, b in parts]


def split(x, indices_or_sections, axis=0):
    """A tensor in parts along an axis.

    Args:
        x: Tensor, variable or array.
        indices_or_sections: The number of parts of equal size, or where each part but the first begins.
        axis: The axis; for tensors not 0, that of the samples.

    Returns:
        A list.
    """
    return Split.apply(x, indices_or_sections=indices_or_sections, axis=axis)


class Unstack(Split):
    """A tensor in parts of size 1, without the axis."""

    module = "keras.src.ops.core"
    defaults = {"num": None, "axis": 0}

    @staticmethod
    def compute(x, num, axis):
        x = as_array(x)
        return [np.take(x, i, axis) for i in range(x.shape[axis])]

    @property
    def indices_or_sections(self):
        return self.count

    def parts(self, x):
        self.count = x.shape[self.axis_of(self.axis, x)] or self.num
        return super().parts(x)

    def infer(self, x):
        axis = self.axis_of(self.axis, x)
        return [s._replace(shape=(*s.shape[:axis], *s.shape[axis + 1 :])) for s in super().infer(x)]

    def write(self, plan, x):
        axis = self.axis % (len(x.shape) + x.per_row) - x.per_row
        return [y.reshape((*y.shape[:axis], *y.shape[axis + 1 :])) for y in super().write(plan, x)]


def unstack(x, num=None, axis=0):
    """A list of the parts of a tensor along an axis, without that axis.

    Args:
        x: Tensor, variable or array.
        num: How many there are, where the shape does not say.
        axis: The axis; for tensors not 0, that of the samples.
    """
    return Unstack.apply(x, num=num, axis=axis)

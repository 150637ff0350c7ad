"""How two values broadcast, by NumPy's rules, where one axis is that of the samples."""

from math import prod

import numpy as np

from dseq.kernels.dense import dense_backward_bias
from dseq.kernels.gather import same_rows
from dseq.kernels.merge import spread_backward, spread_forward
from dseq.ops.function import spec_of
from dseq.ops.reading import local, value, vectors
from dseq.program.operand import flat


def broadcast_specs(operation, *specs):
    """What values broadcast to.

    Args:
        operation: The `Function`, for messages.
        *specs: A `Spec` for each value.

    Returns:
        `(shape, shared)`: the full shape, and whether it has no batch axis.

    Raises:
        ValueError: If they do not fit together.
    """
    samples = [s for s in specs if not s.shared]
    shapes = [s.shape for s in specs]
    if not samples:
        return broadcast_shapes(operation, shapes), True
    ndim = samples[0].ndim
    if any(s.ndim != ndim for s in samples):
        raise operation.error(
            "tensors with a batch axis must have the same number of axes.",
            f"shapes {shapes}",
            "Bring them to one number of axes with `dseq.ops.expand_dims` or `squeeze`.",
        )
    for s in specs:
        if s.shared and (s.ndim > ndim or (s.ndim == ndim and s.shape[0] != 1)):
            raise operation.error(
                "what has no batch axis (constants, weights, results over the batch) can't have as many axes as a "
                "tensor with one, unless its first is 1.",
                f"shapes {shapes}",
            )
    batch = next((s.shape[0] for s in samples if s.shape[0] is not None), None)
    parts = [s.shape if s.shared and s.ndim < ndim else s.shape[1:] for s in specs]
    return (batch, *broadcast_shapes(operation, [*parts, (1,) * (ndim - 1)])), False


def broadcast_shapes(operation, shapes):
    """The shape that shapes broadcast to; None for a size that is not known yet."""
    ndim = max(map(len, shapes), default=0)
    result = []
    for sizes in zip(*[(1,) * (ndim - len(shape)) + tuple(shape) for shape in shapes], strict=True):
        known = {n for n in sizes if n not in (1, None)}
        if len(known) > 1:
            raise operation.error("shapes must broadcast.", f"shapes {list(map(tuple, shapes))}")
        result.append(known.pop() if known else (None if None in sizes else 1))
    return tuple(result)


def aligned(x, shape, per_row):
    """An operand with the axes of a result's sample, sizes of 1 in front where it has fewer."""
    given = x.shape
    if per_row and not x.per_row and len(given) > len(shape):
        given = given[1:]  # an axis of 1 in the place of the batch
    full = (1,) * (len(shape) - len(given)) + tuple(given)
    return x if full == tuple(x.shape) else x.reshape(full)


def layout(shape, per_row, *operands):
    """How operands of as many axes broadcast to a shape, in the numbers of `dseq.kernels.broadcast`.

    Args:
        shape: Shape of the result, without the axis of rows.
        per_row: Whether it has one.
        *operands: What broadcasts.

    Returns:
        `(length, numbers)`: the length of runs, and `(step, every, count)` for each operand; None for one that must be
        spread out first.
    """
    axes = [(None, *(x.per_row for x in operands))] if per_row else []
    axes += [(n, *(x.shape[i] == n for x in operands)) for i, n in enumerate(shape)]
    groups = _merged([axis for axis in axes if axis[0] != 1])
    if not groups:
        return 1, [(1, 1, 0) for _ in operands]
    *outer, (length, *moves) = groups
    return length or 0, [_numbers([(n, kept[i]) for n, *kept in outer], moved) for i, moved in enumerate(moves)]


def places(shape, per_row, x):
    """`(every, count)` for an operand made of pieces, one for each place of a shape it broadcasts to in its first axes.

    None if it must be spread out first.
    """
    axes = [(None, x.per_row)] if per_row else []
    axes += [(n, x.shape[i] == n) for i, n in enumerate(shape) if n != 1]
    numbers = _numbers(axes, True)
    return numbers and numbers[1:]


def _merged(axes):
    groups = []
    for size, *kept in axes:
        if groups and groups[-1][1:] == kept:
            before = groups[-1][0]
            groups[-1][0] = None if None in (before, size) else before * size
        else:
            groups.append([size, *kept])
    return groups


def _numbers(outer, moved):
    groups = _merged(outer)
    every, count = 1, 0
    if not any(kept for _, kept in groups):
        return (int(moved), 1, 1) if groups else (int(moved), 1, 0)
    if not groups[-1][1]:
        every = groups.pop()[0]
    kept = groups.pop()[0]
    if groups:
        count = kept
        groups.pop()
    return None if groups else (int(moved), every, count)


def spread(plan, x, shape):
    """An operand broadcast to a shape of as many axes, all values written out."""
    if x.shape == tuple(shape):
        return x
    places = np.broadcast_to(np.arange(prod(x.shape)).reshape(x.shape), shape).ravel()
    length, step = _runs(x.shape, shape)
    index = plan.constant(places[::length].copy(), "int64")
    y = value(plan, "spread", shape, x.dtype, not x.per_row)
    plan.forward(spread_forward, vectors(y), vectors(x), index, length, step)
    if y.grad is not None:
        plan.backward(spread_backward, vectors(x.grad), vectors(y.grad), index, length, step)
    return y


def for_samples(plan, x, shape):
    """What all samples share, written out for each of them in a shape of as many elements."""
    x = local(plan, x)
    y = value(plan, "repeated", shape, x.dtype, False)
    plan.forward(same_rows, vectors(y), flat(x))
    if y.grad is not None:
        plan.backward(dense_backward_bias, flat(x.grad), vectors(y.grad))
    return y


def _runs(x_shape, y_shape):
    """`(length, step)` of the runs of y, along its last axes, that step through x (1) or stay at one value (0)."""
    length, step = 1, None
    for size, wanted in zip(reversed(x_shape), reversed(y_shape), strict=True):
        if wanted != 1:
            kind = int(size == wanted)
            if step not in (None, kind):
                break
            length, step = length * wanted, kind
    return max(length, 1), 1 if step is None else step


def paired(plan, shape, per_row, a, b):
    """Two operands with as many axes as a result has, and the numbers by which kernels walk them.

    Returns:
        `(a, b, length, a_numbers, b_numbers)`.
    """
    a, b = aligned(a, shape, per_row), aligned(b, shape, per_row)
    length, (first, second) = layout(shape, per_row, a, b)
    if first is None or second is None:
        a = spread(plan, a, shape) if first is None else a
        b = spread(plan, b, shape) if second is None else b
        length, (first, second) = layout(shape, per_row, a, b)
    return a, b, length, first, second


def sample_shape(operands, operation):
    """`(shape, per_row)` of what operands broadcast to, without the axis of rows."""
    specs = [spec_of(x) for x in operands]
    shape, shared = broadcast_specs(operation, *specs)
    return (shape, False) if shared else (shape[1:], True)

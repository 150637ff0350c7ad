"""How layers that normalise each row write themselves into a plan."""

from math import prod

import numpy as np

from dseq.kernels.layer_norm import add_sums, rows_backward, rows_forward, rows_slopes, rows_write
from dseq.program.operand import flat, matrix


def normalize_rows(plan, x, count, gamma, beta, epsilon, centred):
    """Normalises the last axes of an operand together.

    Args:
        plan: The `Plan`.
        x: The operand.
        count: How many of its axes.
        gamma: Factor of each element, a weight, or None.
        beta: Offset of each element, a weight, or None.
        epsilon: Number added to the variance.
        centred: Whether the mean is taken away.

    Returns:
        An operand of the same shape.
    """
    lead, size = x.shape[: len(x.shape) - count], prod(x.shape[len(x.shape) - count :])
    y = plan.value("y", x.shape)
    moments = matrix(plan.value("moments", (prod(lead), 3), plan.dtype))
    row_x, row_y = x.reshape((size,)), y.reshape((size,))
    factor = plan.constant(np.ones(size)) if gamma is None else flat(gamma)
    offset = plan.constant(np.zeros(size)) if beta is None else flat(beta)
    centred = int(centred)
    plan.forward(rows_forward, row_y, moments, row_x, factor, offset, plan.constant(epsilon, "float64"), centred)
    if y.grad is not None:
        weights = [(0, beta), (1, gamma)]
        sums = plan.value("sums", (2, size), "float64", shared=True)
        hat = plan.value("hat", (size,), plan.dtype, shared=True)
        for row, weight in weights:
            if weight is not None and weight.grad is not None:
                plan.backward(add_sums, flat(weight.grad), sums, row)
        parts = row_y.grad, row_x, moments
        if x.grad is not None:
            plan.backward(rows_backward, row_x.grad, *parts, factor, sums, hat, centred, first=rows_write)
        else:
            plan.backward(rows_slopes, sums, *parts, hat)
    return y

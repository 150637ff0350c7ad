"""Reductions over the samples of the global batch, which lie in several shards.

A sum is made in float64 over the rows here, then over shards; so is the number of rows, for a mean. An extremum is that
of all shards' extrema, each of which has a place of its own in what is summed.
"""

from math import prod

import numpy as np

from dseq.kernels import reduce
from dseq.ops.reading import untouched, value
from dseq.program.host import Exchange


class Gather(Exchange):
    """What all shards' blocks give together, in the place of each.

    The sum over shards is of a table with a line for each shard, where each fills its own.

    Args:
        combine: A function of NumPy with `reduce`, such as `np.maximum`.
    """

    def __init__(self, combine):
        self.combine = combine
        self.__name__ = f"exchange {combine.__name__}"

    def run(self, exchange, calls):
        """Makes the exchange.

        Args:
            exchange: As for `Exchange`.
            calls: For each shard that this rank holds its float64 block, and its clock, which knows the shard's number
                and how many there are.
        """
        if exchange is None:
            return
        tables = [np.zeros((int(clock[4]), *block.shape)) for block, clock in calls]
        for table, (block, clock) in zip(tables, calls, strict=True):
            table[clock[3]] = block
        exchange(tables)
        for table, (block, _) in zip(tables, calls, strict=True):
            block[...] = self.combine.reduce(table, axis=0)


def rows(x):
    """A per-sample operand as (n, m); None stays None."""
    return None if x is None else x.reshape((prod(x.shape),))


def row(y):
    """A shared operand as (m,); None stays None."""
    return None if y is None else y.reshape((prod(y.shape),))


def total(plan, x, dtype, mean=False):
    """Writes the sum or mean over all samples into a plan; the result is shared and of a sample's shape."""
    block = untouched(plan, "total", (prod(x.shape) + 1,), True, "float64")
    plan.forward(reduce.rows_total, block, rows(x))
    plan.exchange(block)
    y = value(plan, "y", x.shape, dtype, True)
    plan.forward(reduce.rows_mean if mean else reduce.rows_sum, row(y), block)
    if y.grad is not None:
        if mean:
            plan.backward(reduce.rows_mean_backward, rows(x.grad), row(y.grad), block)
        else:
            plan.backward(reduce.rows_sum_backward, rows(x.grad), row(y.grad))
    return y


def extreme(plan, x, largest):
    """Writes the largest or smallest over all samples into a plan; samples that tie share its gradient."""
    block = untouched(plan, "extreme", (prod(x.shape),), True, "float64")
    plan.forward(reduce.rows_maximum if largest else reduce.rows_minimum, block, rows(x))
    plan.forward(Gather(np.maximum if largest else np.minimum), block, plan.clock)
    y = value(plan, "y", x.shape, x.dtype, True)
    plan.forward(reduce.rows_cast, row(y), block)
    if y.grad is not None:
        ties = untouched(plan, "ties", (prod(x.shape),), True, "float64")
        plan.forward(reduce.rows_ties, ties, rows(x), row(y))
        plan.exchange(ties)
        plan.backward(reduce.rows_extreme_backward, rows(x.grad), row(y.grad), rows(x), row(y), ties)
    return y

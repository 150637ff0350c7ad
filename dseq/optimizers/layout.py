"""Where each weight lies in the flat arena of weights, and so in the arena of gradients and in every slot."""

from math import prod

import numpy as np

from dseq.program.floatx import floatx
from dseq.program.memory import aligned, offsets
from dseq.program.operand import Operand
from dseq.program.variable import Variable


class Layout:
    """The stretches of the arena that belong to weights.

    Args:
        variables: List of trainable `Variable`s.

    Attributes:
        dtype: Their float type.
        size: Elements of the arena.

    Raises:
        ValueError: If their float types differ.
    """

    def __init__(self, variables):
        self.variables = list(variables)
        dtypes = {v.dtype for v in self.variables} or {floatx()}
        if len(dtypes) > 1:
            raise ValueError(f"All trainable weights must have one float type. Received: {sorted(dtypes)}")
        self.dtype = np.dtype(dtypes.pop())
        starts, self.size = offsets([v.shape for v in self.variables], self.dtype)
        self._spans = [(start, start + prod(v.shape)) for v, start in zip(self.variables, starts, strict=True)]
        self._index = {id(v): i for i, v in enumerate(self.variables)}

    def __contains__(self, variable):
        return id(variable) in self._index

    def holds(self, variables) -> bool:
        """Whether these are the weights, in this order."""
        return list(map(id, variables)) == list(map(id, self.variables))

    def span(self, variable) -> tuple[int, int]:
        """First element of a weight, and the one behind its last."""
        return self._spans[self._index[id(variable)]]

    def array(self, value) -> np.ndarray:
        """A new array as large as the arena."""
        array = aligned(self.size * self.dtype.itemsize).view(self.dtype)
        array[:] = value
        return array

    def part(self, array, variable, name, owner) -> Variable:
        """The part of a slot that belongs to a weight, as a variable: assigning to it writes into the slot.

        Args:
            array: The slot.
            variable: The weight.
            name: Name of the slot.
            owner: Name of the optimizer.
        """
        name = f"{variable.path.replace('/', '_')}_{name}"
        found = Variable(np.zeros(variable.shape), variable.dtype, name, f"{owner}/{name}", trainable=False)
        start, stop = self.span(variable)
        found.array = array[start:stop].reshape(variable.shape)
        return found

    def runs(self, chosen) -> list[tuple[int, int, bool]]:
        """The arena in stretches of weights that are all chosen, or all not: (first, last, chosen)."""
        runs = []
        starts = [start for start, _ in self._spans]
        for variable, first, last in zip(self.variables, starts, [*starts[1:], self.size], strict=True):
            if runs and runs[-1][2] == chosen(variable):
                runs[-1] = runs[-1][0], last, runs[-1][2]
            else:
                runs.append((first, last, chosen(variable)))
        return runs


def section(operand, lo, hi):
    """Elements lo..hi-1 of a flat operand that has memory of its own."""
    if (lo, hi) == (0, operand.size):
        return operand
    found = Operand(f"{operand.label}[{lo}:{hi}]", (hi - lo,), operand.arena, operand.dtype)
    found.array = operand.array[lo:hi]
    return found

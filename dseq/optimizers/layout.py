"""Where each weight lies in the flat arena of weights, and so in the arena of gradients and in every slot."""

from math import prod

import numpy as np

from dseq.program.floatx import floatx
from dseq.program.memory import aligned, offsets
from dseq.program.variable import Variable

CHUNK = 16384  # elements of one call where several kernels follow each other on the same memory: they stay in L2


class Layout:
    """The stretches of the arena that belong to weights.

    Args:
        variables: List of trainable `Variable`s.

    Attributes:
        dtype: Their float type.
        size: Elements of the arena.
        largest: Elements of the largest weight.
        pieces: Number of pieces of at most CHUNK elements into which all weights fall, one after the other.

    Raises:
        ValueError: If their float types differ.
    """

    def __init__(self, variables):
        self.variables = list(variables)
        dtypes = {v.dtype for v in self.variables} or {floatx()}
        if len(dtypes) > 1:
            raise ValueError(f"All trainable weights must have one float type. Received: {sorted(dtypes)}")
        self.dtype = np.dtype(dtypes.pop())
        sizes = [prod(v.shape) for v in self.variables]
        starts, self.size = offsets([v.shape for v in self.variables], self.dtype)
        self._spans = [(start, start + size) for start, size in zip(starts, sizes, strict=True)]
        self._index = {id(v): i for i, v in enumerate(self.variables)}
        self.largest = max(sizes, default=0)
        ends = np.cumsum([0, *(-(-size // CHUNK) for size in sizes)]).tolist()
        self._pieces, self.pieces = list(zip(ends, ends[1:], strict=False)), ends[-1]
        self.boundaries = {*starts, self.size}

    def __contains__(self, variable):
        return id(variable) in self._index

    def holds(self, variables) -> bool:
        """Whether these are the weights, in this order."""
        return list(map(id, variables)) == list(map(id, self.variables))

    def index(self, variable) -> int:
        """The place of a weight in the list."""
        return self._index[id(variable)]

    def span(self, variable) -> tuple[int, int]:
        """First element of a weight, and the one behind its last."""
        return self._spans[self._index[id(variable)]]

    def pieces_of(self, variable) -> tuple[int, int]:
        """First piece of a weight, and the one behind its last, counted over all weights."""
        return self._pieces[self._index[id(variable)]]

    def array(self, value) -> np.ndarray:
        """A new array as large as the arena."""
        array = aligned(self.size * self.dtype.itemsize).view(self.dtype)
        if value:
            array[:] = value  # zeros are there already, and cost no memory before they are used
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
        found = Variable(np.zeros((), variable.dtype), variable.dtype, name, f"{owner}/{name}", trainable=False)
        start, stop = self.span(variable)
        found.shape = variable.shape
        found.array = array[start:stop].reshape(variable.shape)
        return found

    def runs(self, kind) -> list:
        """The arena in stretches of weights of the same kind: (first, last, kind)."""
        runs = []
        starts = [start for start, _ in self._spans]
        for variable, first, last in zip(self.variables, starts, [*starts, self.size][1:], strict=True):
            found = kind(variable)
            if runs and runs[-1][2] == found:
                runs[-1] = runs[-1][0], last, found
            else:
                runs.append((first, last, found))
        return runs

"""A worker's calls as a table of machine words, of which those that depend on numbers of rows are set anew."""

import numpy as np

from dseq.kernels import table
from dseq.kernels.base import address
from dseq.program.operand import Operand


class Words:
    """The calls that a worker makes, in order, for `dseq.kernels.table`.

    Args:
        turns: The worker's turns, see `dseq.program.shards`.
        calls: The calls of the plan.
        types: The argument types of each.
        place: Function of an operand with rows: `(address, bytes a row)` of its arena, and of its block's row there.
        value: Function of an argument without rows and a turn: the array, int or None that is passed.

    Attributes:
        table: The words.
    """

    def __init__(self, turns, calls, types, place, value):
        rows, factors, data = [], [], []
        for r, turn in enumerate(turns):
            (kernel, args), words = calls[turn.call], []
            for argument in args:
                at = table.HEADER + len(words)
                if isinstance(argument, Operand) and argument.per_row:
                    one = argument.size * np.dtype(argument.dtype).itemsize
                    data.append((r, at + 4, *place(argument), one, turn.first))
                    inner = np.empty((1, *argument.shape), argument.dtype)
                    for word, factor in ((2, argument.size), (5, argument.rows_per_sample)):
                        factors.append((r, at + word, factor, turn.first, turn.last))
                    words += table.words(inner)
                else:
                    words += table.words(value(argument, turn))
            rows.append(table.row(kernel.__name__, address(kernel, types[turn.call]), words))
        width = -(-max(map(len, rows), default=2) // 8) * 8
        self.table = np.zeros((len(rows), width), np.int64)
        for r, row in enumerate(rows):
            self.table[r, : len(row)] = row
        self._factors = np.array(factors, np.int64).reshape(-1, 5).T
        self._data = np.array(data, np.int64).reshape(-1, 6).T

    def set_rows(self, cuts, capacity) -> None:
        """Writes how many rows there are, and where.

        Args:
            cuts: Where each shard's rows begin, and the end of the last's.
            capacity: Rows that the memory has room for.
        """
        cuts = np.asarray(cuts)
        r, at, factor, first, last = self._factors
        self.table[r, at] = factor * (cuts[last] - cuts[first])
        r, at, base, before, one, first = self._data
        self.table[r, at] = base + before * capacity + one * cuts[first]

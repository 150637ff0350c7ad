"""Sums over shards along a fixed binary tree: the same bits however shards lie on ranks, nodes and engines.

A node of the tree is a run of shards [lo, hi). It is the sum of its two halves, cut at (lo + hi) // 2, and a leaf is
one shard's array. Whoever holds the shards of a whole node may sum it alone; `cover` says which nodes a run of shards
is made of, and `program` how arrays that belong to nodes become the one above them. The idea of adding by a tree that
depends on the data alone is that of reproducible summation (Demmel and Nguyen, "Fast reproducible floating-point
summation", 2013); a fixed number of shards makes it cheap.
"""

from itertools import pairwise

import numpy as np

from dseq.kernels.shared import BLOCK
from dseq.kernels.tree import ADD_ABOVE, ADD_ONE, ADD_TWO, TAKE, sum_tree
from dseq.program.memory import divided
from dseq.program.shards import Node

FEW = 1 << 14  # elements: less is sent whole to all ranks, more is cut so that each rank sums a part
UNIT = 16  # elements: such parts begin at lines of the cache, also in float32


def cover(lo: int, hi: int, shards: int) -> list[tuple[int, int]]:
    """The largest nodes of the tree that a run of shards is made of, in order.

    Args:
        lo: First shard.
        hi: The shard behind the last.
        shards: Leaves of the tree.
    """

    def inside(a, b):
        if hi <= a or b <= lo:
            return []
        if lo <= a and b <= hi:
            return [(a, b)]
        middle = (a + b) // 2
        return inside(a, middle) + inside(middle, b)

    return inside(0, shards)


def program(node: tuple[int, int], rows: dict) -> tuple[np.ndarray, int]:
    """How arrays of nodes become the sum of one above them, for `kernels.tree.sum_tree`.

    Args:
        node: The node that is wanted.
        rows: Which array holds which node: `{node: row}`.

    Returns:
        `(program, depth)`: int64 `(lines, 4)`, and how many places of the stack it takes.
    """
    lines = []

    def put(node, place):
        if node in rows:
            lines.append((TAKE, place, rows[node], 0))
            return place + 1
        lo, hi = node
        middle = (lo + hi) // 2
        left, right = (lo, middle), (middle, hi)
        if left in rows and right in rows:
            lines.append((ADD_TWO, place, rows[left], rows[right]))
            return place + 1
        depth = put(left, place)
        if right in rows:
            lines.append((ADD_ONE, place, rows[right], 0))
            return depth
        depth = max(depth, put(right, place + 1))
        lines.append((ADD_ABOVE, place, 0, 0))
        return depth

    depth = put(node, 0)
    return np.array(lines, np.int64).reshape(-1, 4), depth


def own_nodes(division) -> list[Node]:
    """The sums of shards that a rank can make alone, for steps that make them while they compute.

    Args:
        division: The `Division` of batches.
    """
    leaves = {(k, k + 1): k - division.first for k in range(division.first, division.last)}
    return [Node(node[0] - division.first, *program(node, leaves)) for node in division.nodes(division.rank)]


class Order:
    """A sum of rows of a matrix in the tree's order, ready to be made.

    Args:
        node: The node that is wanted.
        rows: `{node: row}`.
        dtype: Type of the rows.
    """

    def __init__(self, node, rows, dtype):
        self.program, depth = program(node, rows)
        self.stack = np.zeros((depth, BLOCK), dtype)

    def sum(self, total, rows, first=0) -> None:
        """Writes into `total` the sum of rows[:, first : first + total.size].

        Args:
            total: Flat array; it may be that part of one of the rows.
            rows: C-contiguous matrix.
            first: Where in the rows the sum begins.
        """
        sum_tree(total, rows, first, self.program, self.stack)


class Fold:
    """What one rank can sum alone: its shards become the nodes they are made of.

    Args:
        division: The `Division` of batches.
        dtype: Type of what is summed.
        offset: Row of the matrix in which this rank's first shard is.

    Attributes:
        nodes: The nodes, in order.
        rows: The row in which each of them is afterwards: that of its first shard.
    """

    def __init__(self, division, dtype, offset=0):
        self.nodes = division.nodes(division.rank)
        self.rows = [offset + lo - division.first for lo, _ in self.nodes]
        leaves = {(k, k + 1): offset + k - division.first for k in range(division.first, division.last)}
        self._orders = [
            (row, Order(node, leaves, dtype)) for row, node in zip(self.rows, self.nodes, strict=True)
            if node[1] - node[0] > 1
        ]  # fmt: skip

    def run(self, rows, size, made=()) -> None:
        """Makes the sums, in place.

        Args:
            rows: C-contiguous matrix.
            size: Elements of each row that count.
            made: Ranges (lo, hi) in which rows of nodes are sums already.
        """
        for lo, hi, done in divided(0, size, made):
            if not done:
                for row, order in self._orders:
                    order.sum(rows[row][lo:hi], rows, lo)


class Parts:
    """The part of a communicator that gives each rank another part of what all have, so that each sums one."""

    def exchange_parts(self, parts: list, counts: list[int]) -> np.ndarray:
        """Sends each rank a part of its own and returns what all ranks sent to this one, in rank order.

        Args:
            parts: C-contiguous arrays of one type, one for each rank.
            counts: Elements that come from each rank.

        Returns:
            A flat array.
        """
        self._connect()
        sent = np.concatenate([part.ravel() for part in parts])
        received = np.empty(sum(counts), sent.dtype)
        kind = self._mpi.Datatype.fromcode(sent.dtype.char)
        self._data.Alltoallv([sent, [part.size for part in parts], kind], [received, counts, kind])
        return received


class Exchange:
    """Sums of shards' arrays of any type in the tree's order, as a step's pauses take them.

    Args:
        communicator: From `communicator.get()`.
        division: The `Division` of batches.
    """

    def __init__(self, communicator, division):
        self._given = communicator, division
        self._sums = {}

    def __call__(self, arrays) -> None:
        """Makes each of a list of arrays, one for each shard that this rank holds, the sum over all shards."""
        dtype = arrays[0].dtype
        if dtype not in self._sums:
            self._sums[dtype] = TreeSum(*self._given, dtype)
        self._sums[dtype](arrays)


class TreeSum:
    """The sum of shards' arrays over all ranks, in the tree's order, by messages.

    Args:
        communicator: From `communicator.get()`.
        division: The `Division` of batches.
        dtype: Type of the arrays.
    """

    def __init__(self, communicator, division, dtype):
        self._communicator, self._fold = communicator, Fold(division, dtype)
        self._dtype = np.dtype(dtype)
        nodes = [division.nodes(rank) for rank in range(division.size)]
        self._counts = [len(own) for own in nodes]
        flat = {node: row for row, node in enumerate(node for own in nodes for node in own)}
        self._whole = Order((0, division.shards), flat, dtype)

    def __call__(self, arrays) -> None:
        """Makes each of a list of arrays, one for each shard that this rank holds, the sum over all shards.

        Args:
            arrays: List of C-contiguous arrays of one shape.
        """
        rows = np.stack([array.ravel() for array in arrays])
        self.matrix(rows, rows.shape[1])
        for array in arrays:
            array[...] = rows[0].reshape(array.shape)

    def matrix(self, rows, size, made=()) -> None:
        """Writes the sum over all shards into the first row of a matrix with a row for each shard of this rank.

        Args:
            rows: C-contiguous matrix, changed.
            size: Elements of each row that count.
            made: Ranges (lo, hi) in which rows of nodes are sums already.
        """
        self._fold.run(rows, size, made)
        total, world = rows[0][:size], self._communicator
        if world.size == 1:
            return
        mine = np.ascontiguousarray(rows[self._fold.rows, :size])
        if size <= FEW:
            self._whole.sum(total, world.allgather_rows(mine, self._counts))
            return
        # Each rank sums a part of all nodes' arrays and gives it to all.
        cuts = [size * rank // (world.size * UNIT) * UNIT for rank in range(world.size)] + [size]
        parts = [np.ascontiguousarray(mine[:, lo:hi]) for lo, hi in pairwise(cuts)]
        lengths = np.diff(cuts)
        here = np.zeros(lengths[world.rank], self._dtype)
        received = world.exchange_parts(parts, [count * here.size for count in self._counts])
        if here.size:
            self._whole.sum(here, received.reshape(sum(self._counts), here.size))
        total[:] = world.allgather_rows(here, lengths.tolist())

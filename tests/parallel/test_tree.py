"""Sums along a fixed tree: against a recursion in NumPy, for all ways in which ranks can hold the shards."""

import threading

import numpy as np
import pytest

from dseq.parallel.shard import Division
from dseq.parallel.tree import FEW, Exchange, Fold, Order, TreeSum, cover
from tests.parallel.threads import in_threads

SHARDS = (1, 2, 3, 5, 8, 13)


def tree(rows, lo=0, hi=None):
    """The definition."""
    hi = len(rows) if hi is None else hi
    if hi - lo == 1:
        return rows[lo]
    middle = (lo + hi) // 2
    return tree(rows, lo, middle) + tree(rows, middle, hi)


def wild(shards, size, dtype="float32"):
    """Numbers whose sum depends on the order."""
    rng = np.random.default_rng(shards)
    return (rng.standard_normal((shards, size)) * 10.0 ** rng.integers(-4, 5, (shards, size))).astype(dtype)


@pytest.mark.parametrize("shards", SHARDS)
def test_a_run_of_shards_is_made_of_few_nodes(shards):
    for lo in range(shards):
        for hi in range(lo + 1, shards + 1):
            nodes = cover(lo, hi, shards)
            assert [k for a, b in nodes for k in range(a, b)] == list(range(lo, hi))
            assert len(nodes) <= max(1, 2 * (shards - 1).bit_length())
    assert cover(0, shards, shards) == [(0, shards)]


@pytest.mark.parametrize("shards", SHARDS)
def test_the_order_is_that_of_the_tree(shards):
    rows = wild(shards, 2500)
    expected = tree(rows)
    order = Order((0, shards), {(k, k + 1): k for k in range(shards)}, "float32")
    for first, last in ((0, 2500), (16, 1056), (2400, 2500), (5, 5)):
        total = np.empty(last - first, "float32")
        order.sum(total, rows, first)
        np.testing.assert_array_equal(total, expected[first:last])
    order.sum(rows[0], rows)  # in place of a row
    np.testing.assert_array_equal(rows[0], expected)
    if shards > 3:
        assert (wild(shards, 2500).sum(0) != expected).any()  # other orders give other bits


@pytest.mark.parametrize("shards", (5, 8))
@pytest.mark.parametrize("size", (1, 2, 3, 5))
def test_ranks_fold_what_they_hold(shards, size):
    """Each rank's part is the sums of whole nodes; together they are the sum of all."""
    rows, nodes, partial = wild(shards, 40), {}, []
    for rank in range(size):
        division = Division(rank, size, shards)
        own = rows[division.first : division.last].copy()
        fold = Fold(division, "float32")
        fold.run(own, 40)
        for node, row in zip(fold.nodes, fold.rows, strict=True):
            np.testing.assert_array_equal(own[row], tree(rows, *node))
            nodes[node] = len(partial)
            partial.append(own[row])
    total = np.empty(40, "float32")
    Order((0, shards), nodes, "float32").sum(total, np.array(partial))
    np.testing.assert_array_equal(total, tree(rows))


class Ranks:
    """As a communicator, one rank of several that are threads."""

    def __init__(self, rank, size, barrier, board):
        self.rank, self.size, self._barrier, self._board = rank, size, barrier, board

    def _gather(self, value):
        self._barrier.wait(30)
        self._board[self.rank] = value
        self._barrier.wait(30)
        return list(self._board)

    def allgather_rows(self, local, counts):
        assert len(local) == counts[self.rank]
        return np.concatenate(self._gather(local))

    def exchange_parts(self, parts, counts):
        received = [sent[self.rank].ravel() for sent in self._gather(parts)]
        assert [part.size for part in received] == counts
        return np.concatenate(received)


@pytest.mark.parametrize("size", (1, 2, 3, 5))
@pytest.mark.parametrize("elements", (33, FEW + 100))
def test_ranks_sum_by_messages(size, elements):
    shards = 8
    rows = wild(shards, elements)
    small = [row[:6].astype("float64").reshape(2, 3) for row in rows]
    barrier, board = threading.Barrier(size), [None] * size

    def rank(number):
        world, division = Ranks(number, size, barrier, board), Division(number, size, shards)
        own = np.zeros((division.last - division.first, elements + 7), "float32")
        own[:, :elements] = rows[division.first : division.last]
        TreeSum(world, division, "float32").matrix(own, elements)
        mine = [part.copy() for part in small[division.first : division.last]]
        Exchange(world, division)(mine)
        return own[0, :elements], mine

    for total, mine in in_threads(rank, size):
        np.testing.assert_array_equal(total, tree(rows))
        for part in mine:
            np.testing.assert_array_equal(part, tree(small))

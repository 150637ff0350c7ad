"""Gradients summed over shards along a tree, against those of single shards added by a recursion."""

import numpy as np
import pytest

from dseq.kernels.dense import dense_write_bias, dense_write_kernel
from dseq.kernels.dense_tree import dense_tree_bias, dense_tree_kernel, places
from dseq.kernels.tree import ADD_ABOVE, ADD_ONE, ADD_TWO, TAKE
from dseq.parallel.tree import program
from dseq.program.memory import aligned

DTYPES = ("float32", "float64")


def tree(parts, lo, hi):
    """The definition."""
    if hi - lo == 1:
        return parts[lo]
    middle = (lo + hi) // 2
    return tree(parts, lo, middle) + tree(parts, middle, hi)


def summed(x, dy, cuts, node, dtype, workers=1):
    """The gradients of kernel and bias, each part of them written by a call of its own."""
    leaves = {(s, s + 1): s for s in range(len(cuts) - 1)}
    lines, depth = program(node, leaves)
    dw, db = np.full((x.shape[1], dy.shape[1]), np.nan, dtype), np.full(dy.shape[1], np.nan, dtype)
    stack = places(depth, dtype, aligned)
    for worker in range(workers):
        tree = np.array([worker, workers]), np.array(cuts), lines, stack
        dense_tree_kernel(dw, x, dy, *tree)
        dense_tree_bias(db, dy, *tree)
    return dw, db


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "k, m, cuts, each",
    [
        (1, 1, [0, 3], 1),
        (7, 10, [0, 4, 8, 11, 14], 1),
        (61, 33, [0, 5, 9, 9, 14, 18], 1),  # one shard has no rows
        (50, 32, [0, 0, 0, 0], 1),
        (20, 70, [0, 1, 2, 3, 4, 4, 4, 4, 4], 3),  # three rows a sample
        (600, 40, [0, 2, 300, 301], 1),  # rows and columns of more than one block
        (2, 1700, [0, 2, 5, 6], 1),
    ],
)
def test_bits_are_those_of_shards_added_along_the_tree(k, m, cuts, each, dtype):
    rng = np.random.default_rng(k)
    x = rng.standard_normal((cuts[-1] * each, k)).astype(dtype)
    dy = (rng.standard_normal((len(x), m)) * 10.0 ** rng.integers(-3, 4, (len(x), m))).astype(dtype)
    parts, sums = [], []
    for lo, hi in zip(cuts, cuts[1:], strict=False):
        parts.append(np.full((k, m), np.nan, dtype))
        dense_write_kernel(parts[-1], x[lo * each : hi * each], dy[lo * each : hi * each])
        sums.append(np.full(m, np.nan, dtype))
        dense_write_bias(sums[-1], dy[lo * each : hi * each])
    shards = len(parts)
    bound = (len(x) + 2) * np.finfo(dtype).eps * (np.abs(x.T).astype(np.float64) @ np.abs(dy))
    dw, db = summed(x, dy, cuts, (0, shards), dtype)
    assert (np.abs(dw - x.T.astype(np.float64) @ dy) <= bound).all()
    assert (np.abs(db - dy.sum(0, dtype=np.float64)) <= len(x) * np.finfo(dtype).eps * np.abs(dy).sum(0)).all()
    middle = shards // 2
    nodes = {(0, shards), (0, middle), (middle, shards), (shards - 1, shards)} - {(0, 0)}
    for node in nodes:
        for workers in (1, 3):
            dw, db = summed(x, dy, cuts, node, dtype, workers)
            np.testing.assert_array_equal(dw, tree(parts, *node))
            np.testing.assert_array_equal(db, tree(sums, *node))


def test_every_word_of_a_program():
    """Trees of few shards have no sum of a place and one shard, but programs may."""
    x, dy = np.array([[1.0], [2.0], [4.0]]), np.ones((3, 1))
    for lines, expected in (
        ([(TAKE, 0, 1, 0)], 2),
        ([(ADD_TWO, 0, 0, 2)], 5),
        ([(TAKE, 0, 2, 0), (ADD_ONE, 0, 0, 0)], 5),
        ([(TAKE, 0, 2, 0), (ADD_TWO, 1, 0, 1), (ADD_ABOVE, 0, 0, 0)], 7),
    ):
        dw, db = np.zeros((1, 1)), np.zeros(1)
        tree = np.array([0, 1]), np.arange(4), np.array(lines), places(2, "float64", aligned)
        dense_tree_kernel(dw, x, dy, *tree)
        dense_tree_bias(db, x, *tree)
        assert dw[0, 0] == db[0] == expected

"""Who makes which calls where a step holds several shards; kernels that may run over many shards at once."""

import numpy as np
import pytest

from dseq.kernels.base import JIT
from dseq.kernels.dense import dense_backward_bias, dense_forward
from dseq.kernels.dense_tree import dense_tree_bias
from dseq.kernels.epilogue import RELU
from dseq.program import shards
from dseq.program.host import Host
from dseq.program.memory import divided, merged
from dseq.program.operand import Operand
from dseq.program.rewriting.sums import tree_operands
from dseq.program.shards import Node, Schedule

ROWS = (1, 2, 3, 5, 12, 13, 24, 61)


def arguments(name, n, dtype):
    """What each of the kernels is called with: `(result, ..., those that have no rows)`."""
    rng = np.random.default_rng(1)
    k, m = 37, 45
    x, dy, dx = (rng.standard_normal((n, size)).astype(dtype) for size in (k, m, k))
    w, b = rng.standard_normal((k, m)).astype(dtype), rng.standard_normal(m).astype(dtype)
    y = np.maximum(rng.standard_normal((n, m)), 0).astype(dtype)
    return {
        "dense_forward": (dy, x, w, b, RELU),
        "dense_backward_input": (dx, dy, w),
        "dense_write_input": (dx, dy, w),
        "relu_forward": (y, dy),
        "relu_backward": (y.copy(), dy, y, y),
        "relu_in_place": (dy, dy, y, y),
    }[name]


@pytest.mark.skipif(not JIT, reason="NumPy's bits depend on the number of rows, and then each shard is by itself")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kernel", sorted(shards.ROW_BY_ROW, key=lambda kernel: kernel.__name__))
def test_rows_have_the_same_bits_in_any_company(kernel, dtype):
    flat = kernel.__name__.startswith("relu")
    n = max(ROWS)

    def run(lo, hi):
        args = [a[lo:hi].copy() if i < 4 and np.ndim(a) and len(a) == n else a for i, a in enumerate(whole)]
        if kernel.__name__ == "relu_in_place":
            args[1] = args[0]
        kernel(*[a.reshape(-1) for a in args] if flat else args)
        return args[0]

    whole = arguments(kernel.__name__, n, dtype)
    expected = run(0, n)
    for rows in ROWS:
        for lo in {0, 1, n - rows} & set(range(n - rows + 1)):
            np.testing.assert_array_equal(run(lo, lo + rows), expected[lo : lo + rows])


def rows(label):
    return Operand(label, (3,), "activations", "float32")


def test_the_order_of_calls():
    y, x, db = rows("y"), rows("x"), Operand("db", (3,), "grads", "float32")
    w, shared = (Operand("w", (3, 3), arena, "float32") for arena in ("params", "shared"))
    by_row, own = (dense_forward, (y, x, w, None, 0)), (dense_forward, (y, x, shared, None, 0))
    added, summed = (dense_backward_bias, (db, y)), (dense_tree_bias, (db, y, *tree_operands("float32")))
    calls = [by_row, own, added, (Host(print), (y,)), by_row, summed, by_row]
    nodes = [Node(0, None, 1), Node(2, None, 1)]
    one = Schedule(calls, 6, [3, 4, 6], 3, nodes)
    at_once = [(0, 0, 3)] if JIT else [(0, k, k + 1) for k in range(3)]
    again = [(4, lo, hi) for _, lo, hi in at_once]
    if JIT:
        each = [(call, k, k + 1) for k in range(3) for call in (1, 2)]
    else:  # nothing is between
        at_once, each = [], [(call, k, k + 1) for k in range(3) for call in (0, 1, 2)]
    assert [turn[:3] for turn in one.turns[0]] == at_once + each + again + [(5, 0, 3), (5, 0, 3), (6, 0, 1)]
    assert [turn.shard for turn in one.turns[0] if turn.call == 5] == [0, 2]
    starts, ends = one.starts[0], len(at_once + each)
    assert (starts[0], starts[3], starts[4], starts[7]) == (0, ends, ends, len(one.turns[0]))
    assert one.meeting is None

    two = Schedule(calls, 6, [3, 4, 6], 3, nodes, workers=2)
    assert two.meeting == 5  # sums of all rows wait for both
    first, second = ([turn[:3] for turn in turns if turn.call in (2, 5, 6)] for turns in two.turns)
    assert first == [(2, 0, 1), (5, 0, 3), (5, 0, 3), (6, 0, 1)]
    assert second == [(2, 1, 2), (2, 2, 3), (5, 0, 3), (5, 0, 3)]


def test_ranges():
    assert merged([(0, 4), (4, 6), (8, 9)]) == [[0, 6], [8, 9]] and merged([]) == []
    assert divided(2, 10, [(0, 3), (5, 6), (9, 12)]) == [
        (2, 3, True), (3, 5, False), (5, 6, True), (6, 9, False), (9, 10, True),
    ]  # fmt: skip
    assert divided(2, 4, [(5, 6)]) == [(2, 4, False)] and divided(3, 3, []) == []

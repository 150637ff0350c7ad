"""Who makes which calls of a plan on which rows, where a step holds several shards of the batch.

A call is made

- once for each shard, if it adds up over rows or has anything that is a shard's own;
- once for the rows of many shards, if it makes each row of the same row of its inputs (`ROW_BY_ROW`);
- once for each node of the tree over shards, if it sums along the tree: see `dseq.program.rewriting.sums`.

Bits do not tell which. Threads divide the shards, and of what is summed along the tree the result.
"""

from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np

from dseq.kernels.base import JIT
from dseq.kernels.dense import dense_backward_input, dense_forward, dense_write_input
from dseq.kernels.dense_tree import places
from dseq.kernels.rectifier import relu_backward, relu_forward, relu_in_place
from dseq.program.host import is_host
from dseq.program.memory import aligned
from dseq.program.operand import Operand, along_tree

# Kernels whose rows are tested to have the same bits however many there are. All kernels should; these are worth it:
# products read their matrix once, not for each shard. In plain Python products are NumPy's, which do depend on it.
ROW_BY_ROW = {dense_forward, dense_backward_input, dense_write_input, relu_forward, relu_backward, relu_in_place}
OF_ALL_SHARDS = ("params", "constants", "scales")  # arenas in which shards see the same

NEVER, EACH, ROWS, TREE, ONCE = range(5)  # how a call is made; the last: for no shard, as the update


class Node(NamedTuple):
    """A sum that this process can make alone, of shards that it holds.

    Attributes:
        shard: Number of its first shard among those held: the sum is written where that shard's part would be.
        program: How it is made of products, see `dseq.kernels.tree`; shards are numbered among those held.
        depth: Places that the program takes.
    """

    shard: int
    program: np.ndarray
    depth: int


class Turn(NamedTuple):
    """A call as it is made once: of which shards' rows, and whose it is what is not of rows."""

    call: int
    first: int
    last: int
    shard: int
    node: Node | None = None


class Schedule:
    """The order in which workers, one for each thread, make the calls of a step.

    Args:
        calls: The calls of the plan.
        compute_end: How many of them are made for shards; those behind are made once.
        breaks: Numbers of calls before which workers may have to stop.
        shards: Number of shards held.
        nodes: The `Node`s that they make.
        workers: Number of workers, at most one for each shard.

    Attributes:
        turns: For each worker its turns.
        starts: For each worker `{call: turn}`, where it begins with a call before which it may stop.
        meeting: Call before which all must have come to that place, None if there is none.
    """

    def __init__(self, calls, compute_end, breaks, shards, nodes=(), workers=1):
        kinds = [_kind(*call, shards) if i < compute_end else ONCE for i, call in enumerate(calls)]
        kinds = [NEVER if is_host(kernel) else kind for kind, (kernel, _) in zip(kinds, calls, strict=True)]
        self.meeting = kinds.index(TREE) if TREE in kinds and workers > 1 else None
        edges = sorted({0, len(calls), *breaks} | ({self.meeting} - {None}))
        cuts = [shards * worker // workers for worker in range(workers + 1)]
        self.turns, self.starts = [], []
        for first, last in pairwise(cuts):
            turns, starts = [], {}
            for begin, end in pairwise(edges):
                starts[begin] = len(turns)
                for kind, run in groupby(range(begin, end), kinds.__getitem__):
                    turns += _turns(kind, list(run), first, last, shards, nodes)
            starts[len(calls)] = len(turns)
            self.turns.append(turns)
            self.starts.append(starts)


def _kind(kernel, args, shards):
    if along_tree(args):
        return TREE
    if shards == 1 or not JIT or kernel not in ROW_BY_ROW or not args[0].per_row:
        return EACH
    operands = [a for a in args if isinstance(a, Operand)]
    shared = all(a.per_row or (a.arena in OF_ALL_SHARDS and a.block.copies is None) for a in operands)
    return ROWS if shared else EACH


def _turns(kind, calls, first, last, shards, nodes):
    if kind == EACH:  # all calls of a shard, then all of the next: what one leaves in the cache the next reads
        return [Turn(call, shard, shard + 1, shard) for shard in range(first, last) for call in calls]
    if kind == ROWS:
        return [Turn(call, first, last, first) for call in calls]
    if kind == TREE:
        return [Turn(call, 0, shards, node.shard, node) for call in calls for node in nodes]
    if kind == ONCE and first == 0:
        return [Turn(call, 0, 1, 0) for call in calls]
    return []


class Tree:
    """What sums along the tree are told besides their rows: the operands of arena "tree".

    Args:
        nodes: The nodes.
        shards: Number of shards held.
        worker: Which worker.
        workers: Of how many.
        dtype: The plan's float type.
    """

    def __init__(self, nodes, shards, worker, workers, dtype):
        self.cuts = np.zeros(shards + 1, np.int64)
        depth = max((node.depth for node in nodes), default=0)
        self._arrays = {"part": np.array([worker, workers]), "cuts": self.cuts, "stack": places(depth, dtype, aligned)}

    def array(self, label, node) -> np.ndarray:
        """An operand's memory.

        Args:
            label: Its label.
            node: For which node.
        """
        return node.program if label == "tree" else self._arrays[label]

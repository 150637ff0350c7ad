"""One copy of the parameters for all ranks of a node, in shared memory; each rank updates a slice of it.

Every rank writes its gradients into shared memory of its own. Then each sums its slice over the ranks, in their
order (or over shards, in that of strict mode's tree), and updates that slice in place: nothing is packed, sent or made
twice. Outside of an update nobody writes what
others may read: weights that a script sets leave the shared memory (`Parameters.release`) until all ranks bring them
back together.

Ranks on several nodes would exchange the sums of slices between `sum_rows` and the update in `gather`, each with the
ranks that have the same slice on the other nodes.
"""

import numpy as np

from dseq.kernels.shared import BLOCK, sum_rows
from dseq.kernels.tree import sum_tree
from dseq.parallel.engine import Engine
from dseq.parallel.tree import Fold, Order
from dseq.parallel.windows import Unavailable
from dseq.program.operand import Operand

UNIT = 16  # elements: slices begin at lines of the cache, also in float32
PIECE = 16384  # elements that are summed and at once updated: they stay in the cache between
MOST_PIECES = 512  # a plan stays short
ROW = 4096  # bytes: each rank's gradients begin on a page of their own


class Node(Engine):
    """The engine of ranks on one node that share its memory.

    Args:
        communicator: From `communicator.get()`, of several ranks.

    Raises:
        Unavailable: If the ranks can't have it; on every rank.
    """

    name = "node"
    shared = True

    def __init__(self, communicator, division=None):
        super().__init__(communicator, division)
        self.rank, self.size = communicator.rank, communicator.size
        self._meet = communicator.node_barrier()
        self._status = communicator.shared_bytes(8).view(np.int64)  # not 0: the rank that wrote for all has failed
        self._grads = self._sums = self._sum = self._fold = None
        self._settles = self._settles_weights = False

    def allocate(self, name, nbytes):
        return self.communicator.shared_bytes(nbytes)

    def gradients(self, nbytes):
        division, stride = self.division, -(-nbytes // ROW) * ROW
        self._rows = self.communicator.shared_bytes(division.shards * stride).reshape(division.shards, stride)
        return self._rows[division.first : division.last]

    def check(self, plan, optimizer, trainable, variables):
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        if optimizer.in_python:
            raise Unavailable(f"the optimizer {optimizer.name!r} is written in Python")
        if optimizer.has_own_variables:
            raise Unavailable(f"the optimizer {optimizer.name!r} has variables that a user's class added")
        if optimizer.needs_whole_weights and len(trainable) < 2:
            raise Unavailable(f"the optimizer {optimizer.name!r} needs whole weights, and there is only one")
        trained, shared = set(map(id, trainable)), {id(v) for v in variables if v.dtype == plan.dtype}
        for _, args in plan.settle_calls:
            if id(args[0].block) not in shared:
                raise Unavailable(f"each step changes {args[0].label!r}, which is not of the model's float type")
            self._settles = True
            self._settles_weights |= id(args[0].block) in trained

    def owned(self, total, cuts=None):
        return slices(total, self.size, cuts)[self.rank]

    def pieces(self, lo, hi, whole=False):
        if whole:
            return [(lo, hi)]
        most = max(PIECE, -(-(hi - lo) // (MOST_PIECES * UNIT)) * UNIT)
        return [(first, min(first + most, hi)) for first in range(lo, hi, most)]

    def gather(self, plan, grads, lo, hi):
        rows = self._bind(grads)
        whole = _operand("all gradients", rows)
        kernel, arrays = self._sum
        scratch = [_operand("scratch", array) for array in arrays]
        for first, last in self.pieces(lo, hi):
            total = _operand(f"grads[{first}:{last}]", grads[first:last])
            plan.update(kernel, total, whole, first, *scratch)

    def _bind(self, grads):
        """Gradients of all shards as one matrix, and in `_sum` how its rows are summed: a kernel and its scratch."""
        if self._grads is not grads:
            self._grads, self._typed = grads, self._rows.view(grads.dtype)
            self._sum = sum_rows, [np.zeros(BLOCK, grads.dtype)]
            if self.division.strict:
                self._fold = Fold(self.division, grads.dtype, self.division.first)
                nodes = {node: node[0] for rank in range(self.size) for node in self.division.nodes(rank)}
                order = Order((0, self.division.shards), nodes, grads.dtype)
                self._sum = sum_tree, [order.program, order.stack]
        return self._typed

    def reduce(self, grads, start=0):
        """Waits for all ranks' gradients, and sums what is not left to slices.

        Returns:
            This rank's own sums of what is in `grads` from `start` on.
        """
        rows = self._bind(grads)
        if self._sums is None or self._sums.size != grads.size - start:
            self._sums = np.zeros(grads.size - start, grads.dtype)
        if self._fold is not None:
            self._fold.run(rows, grads.size)
        self._meet()
        kernel, scratch = self._sum
        kernel(self._sums, rows, start, *scratch)
        return self._sums

    def settle(self, run):
        if self._settles:
            if self._settles_weights:
                self._meet()
            self._on_one_rank(run)

    def finish(self, params):
        self._meet()
        self._raise_together()

    def alone(self, function):
        self._meet()
        self._on_one_rank(function)
        self._meet()
        self._raise_together()

    def _on_one_rank(self, function):
        if self.rank == 0:
            try:
                function()
            except BaseException as error:
                self._error = error
                self._status[0] = 1

    def _raise_together(self):
        """Raises on every rank if what one did for all has failed there, between two barriers."""
        if not self._status[0]:
            return
        self._meet()
        if self.rank == 0:
            self._status[0] = 0
            error, self._error = self._error, None
        else:
            error = RuntimeError("Rank 0 could not change the weights for all ranks of its node; it says why.")
        self._meet()
        raise error


def slices(total, count, cuts=None):
    """A model's parameters divided into one slice for each rank.

    Args:
        total: Number of elements, a multiple of UNIT.
        count: Number of slices.
        cuts: Sorted places at which slices may begin and end, 0 and `total` among them; any multiple of UNIT if None.

    Returns:
        List of pairs (lo, hi), in order; some may be empty. No slice is everything if that can be helped.
    """
    if cuts is None:
        places = [total * i // (count * UNIT) * UNIT for i in range(count)]
    else:
        cuts = np.asarray(cuts)
        places = [int(cuts[np.abs(cuts * count - total * i).argmin()]) for i in range(count)]
        inner = cuts[(cuts > 0) & (cuts < total)]
        if count > 1 and len(inner) and not any(0 < place < total for place in places):
            middle = int(inner[np.abs(2 * inner - total).argmin()])
            places = [0] + [middle] * (count - 1)
    places = [0, *places[1:], total]
    return list(zip(places, places[1:], strict=False))


def _operand(label, array):
    operand = Operand(label, array.shape, "slots", array.dtype.name)
    operand.array = array
    return operand

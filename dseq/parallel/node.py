"""One copy of the parameters for all ranks of a node, in shared memory; each rank updates a slice of it.

Every rank writes its gradients into shared memory of its own, a row. Then each sums its slice over the rows, in the
order of the ranks (in strict mode: over a row for each shard, along the tree), and updates that slice in place: nothing
is packed, sent or made twice. Outside of an update nobody writes what others may read: weights that a script sets leave
the shared memory (`Parameters.release`) until all ranks bring them back together.

Ranks on several nodes exchange the sums of slices (`hop.py`): first the ranks of each node are added in their order,
then the nodes in theirs. All summing is `Node._sum`, of a stretch of a node's rows, and `Hop.add`, of nodes. What is
the same on all nodes, as moving statistics and constraints make it, the first rank of each node makes on its copy. On
one node, gradients that are products over few rows of a batch are made of all ranks' rows, not summed (`factors.py`).
"""

import numpy as np

from dseq.kernels.shared import BLOCK, sum_rows
from dseq.kernels.tree import sum_tree
from dseq.parallel.engine import Engine
from dseq.parallel.factors import Products, own_operand
from dseq.parallel.hop import UNIT, Hop, pieces_of
from dseq.parallel.tree import Order
from dseq.parallel.windows import Unavailable
from dseq.program.host import Among, Host
from dseq.program.memory import divided

PIECE = 16384  # elements that are summed and at once updated: they stay in the cache between
MOST_PIECES = 512  # a plan stays short
ROW = 4096  # bytes: each rank's gradients begin on a page of their own
NOTHING, WRITTEN, FAILED = 0, 1, 2  # what rank 0 tells the first ranks of other nodes when it has written for all


class Node(Engine):
    """The engine of ranks that share the memory of their node, on one node or several.

    Args:
        communicator: From `communicator.get()`, of several ranks.

    Raises:
        Unavailable: If the ranks can't have it; on every rank.
    """

    name = "node"
    shared = True
    _products, _expected = (), None

    def __init__(self, communicator, division=None):
        super().__init__(communicator, division)
        self.rank, self.size = communicator.local_rank, communicator.local_size
        self._several = len(communicator.nodes) > 1
        if self._several and self.division.strict:
            raise Unavailable("strict mode sums the shards of several nodes by messages")
        self._meet = communicator.node_barrier()
        self._status = communicator.shared_bytes(8).view(np.int64)  # not 0: the rank that wrote for all has failed
        self._grads = self._sums = self._block = self._error = None
        self._settles = self._settles_weights = False
        self._sent, self._hop = [], None

    @property
    def exchange(self):
        return Among(self.communicator.sum_on_node) if self.size > 1 else None

    def allocate(self, name, nbytes, blocks=()):
        share = [(size * self.rank // self.size, size * (self.rank + 1) // self.size) for _, size in blocks]
        parts = [(start + lo, start + hi) for (start, _), (lo, hi) in zip(blocks, share, strict=True)]
        return self.communicator.shared_bytes(nbytes, parts or None)

    def gradients(self, nbytes):
        count, first, last = self.size, self.rank, self.rank + 1
        if self.division.strict:
            count, first, last = self.division.shards, self.division.first, self.division.last
        stride = -(-nbytes // ROW) * ROW
        own = (first * stride, last * stride)
        self._rows = self.communicator.shared_bytes(count * stride, [own]).reshape(count, stride)
        return self._rows[first:last]

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

    def factor(self, plan, parameters, optimizer):
        if not self._several and not self.division.strict:
            self._products = Products(plan, parameters, optimizer, self.rank, self.size)
            self._bind(parameters.grads)

    def expect(self, rows):
        if rows != self._expected and self._products:
            self._expected = rows
            parts = [self.division.rows(rows, rank) for rank in range(self.size)]
            self._products.expect([hi - lo for lo, hi in parts], self._grads)

    def owned(self, total, cuts=None):
        world = self.communicator
        if self._several:
            parts = [slices(total, len(ranks), cuts) for ranks in world.nodes]
            self._sent = pieces_of(parts, world.nodes, world.rank)
        lo, hi = slices(total, self.size, cuts)[self.rank]
        if self._products:
            lo, hi = map(self._products.nearest, (lo, hi))
            self._products.keep(lo, hi)
        return lo, hi

    def pieces(self, lo, hi, whole=False):
        if whole:
            return [(lo, hi)]
        most = max(PIECE, -(-(hi - lo) // (MOST_PIECES * UNIT)) * UNIT)
        runs = [(piece.first, piece.last) for piece in self._sent] if self._several else [(lo, hi)]
        if self._products:
            return self._products.cut(lo, hi, most)
        return [(first, min(first + most, end)) for begin, end in runs for first in range(begin, end, most)]

    def gather(self, plan, grads, lo, hi):
        rows = self._bind(grads)
        made = self._products.make(plan, rows, lo, hi, self._block) if self._products else None
        if made is not None:
            return made
        if self._several:
            for number, piece in enumerate(self._sent):
                if lo <= piece.first < hi:
                    total = own_operand(f"grads[{piece.first}:{piece.last}]", grads[piece.first : piece.last])
                    plan.update(_Arrival(self._hop, number), total)
            return grads[lo:hi]
        whole = own_operand("all gradients", rows)
        shards, nodes = (
            [own_operand("scratch", array) for array in arrays] for arrays in (self._scratch, self._of_nodes)
        )
        for piece in self.pieces(lo, hi):
            for first, last, made in divided(*piece, self._made):
                total = own_operand(f"grads[{first}:{last}]", grads[first:last])
                plan.update(self._kernel, total, whole, first, *(nodes if made else shards))
        return grads[lo:hi]

    def _bind(self, grads):
        """The node's rows of gradients as one matrix; and the kernel that sums them, with its scratch."""
        if self._grads is not grads:
            self._grads, self._typed = grads, self._rows.view(grads.dtype)
            self._block = np.zeros(BLOCK, grads.dtype)
            self._kernel, self._scratch = sum_rows, [self._block]
            self._of_nodes = self._scratch
            if self.division.strict:
                # Folding what is this rank's first would read it once more. Sums of nodes are in their first shards'.
                shards, nodes = self.division.shards, sum(map(self.division.nodes, range(self.size)), [])
                each = Order((0, shards), {(k, k + 1): k for k in range(shards)}, grads.dtype)
                made = Order((0, shards), {node: node[0] for node in nodes}, grads.dtype)
                self._kernel, self._scratch = sum_tree, [each.program, each.stack]
                self._of_nodes = [made.program, made.stack]
            if self._several:
                self._hop = Hop(self.communicator, self._sent, grads, self._sum, self._block)
        return self._typed

    def _sum(self, total, first):
        """Sums what all rows of the node have from element `first` on."""
        self._kernel(total, self._typed, first, *self._scratch)

    def reduce(self, grads, start=0):
        """Waits for all ranks' gradients, and sums what is not left to slices.

        Returns:
            This rank's own sums of what is in `grads` from `start` on.
        """
        self._bind(grads)
        if self._sums is None or self._sums.size != grads.size - start:
            self._sums = np.zeros(grads.size - start, grads.dtype)
        self._meet()
        if self._several:
            self._reduce_over_nodes(start)
        else:
            self._sum(self._sums, start)
        return self._sums

    def _reduce_over_nodes(self, start):
        """Starts the exchange of slices, and brings the tail's sum from the first rank to the others."""
        hop = self._hop
        if self.rank == 0:
            self._sum(self._sums, start)
            hop.start_tail(self._sums)
        hop.start()
        tail = self._typed[0, start : start + self._sums.size]
        if self.rank == 0:
            tail[:] = hop.finish_tail()
        self._meet()
        self._sums[:] = tail

    def drop(self):
        if self._hop is not None:
            self._hop.drop()
        self._meet()  # others may still read what the next step of this rank writes over

    def broadcast(self, params):
        if self._several:
            self._meet()
            if self.rank == 0:
                self.communicator.to_first_ranks([params])
            self._meet()

    def settle(self, run):
        if self._settles:
            if self._settles_weights:
                self._meet()
            if self.rank == 0:
                self._try(run)

    def finish(self, params):
        self._meet()
        self._raise_together()

    def alone(self, function, memory=None, changed=True):
        self._meet()
        if self.rank == 0:
            if memory is None:
                self._try(function)
            else:
                self._write_for_all(function, memory, changed)
        self._meet()
        self._raise_together()

    def _write_for_all(self, function, memory, changed):
        """Rank 0 calls the function; the first ranks of other nodes get what it wrote."""
        world, told = self.communicator, np.array([NOTHING])
        if world.rank == 0 and changed:
            self._try(function)
            told[0] = FAILED if self._status[0] else WRITTEN
        if not self._several:
            return
        world.to_first_ranks([told])
        if told[0] == FAILED:
            self._status[0] = 1
        elif told[0] == WRITTEN:
            world.to_first_ranks(memory)

    def _try(self, function):
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
        error, self._error = self._error, None
        if self.rank == 0:
            self._status[0] = 0
        if error is None:
            error = RuntimeError("Rank 0 could not change the weights for all ranks; it says why.")
        self._meet()
        raise error


class _Arrival(Host):
    """The call of an update that waits for a piece's sum over nodes."""

    def __init__(self, hop, number):
        super().__init__(lambda total: hop.need(number))
        self.__name__ = "sum over nodes"


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

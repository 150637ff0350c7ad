"""What goes between nodes: the sums of each node's gradients, a piece at a time, while others are summed and updated.

Each rank exchanges its slice with the ranks that own the same parameters on the other nodes, so a node sends in as
many streams as it has ranks. Where nodes have different numbers of ranks, their slices begin at different places; a
segment is what lies between two such places and has one owner on each node. A rank's slice is a run of segments.

A piece of a segment goes directly to all its owners where there are two nodes, or little to send. Otherwise each owner
gets its own part of the piece from all others, sums it, and sends the sum to all: less than twice the piece's size
passes each node's link, whatever the number of nodes. Either way nodes are added in their order, by the same kernel
that adds the ranks of a node: the result has the same bits on all of them.
"""

import os
import time
from dataclasses import dataclass

import numpy as np

from dseq.kernels.shared import sum_rows
from dseq.parallel import abort, launcher
from dseq.parallel.agreement import ranks_text

UNIT = 16  # elements: pieces begin at lines of the cache, also in float32
PIECE = 1 << 18  # elements that are sent at a time
DIRECT = 1 << 16  # elements that a rank may get in all for a piece that goes to all its owners
SLOTS = 4  # pieces on their way at a time
SPIN, CROWDED_SPIN = 0.5, 2e-4  # seconds of looking before the first pause; where ranks outnumber cores
PAUSE = 5e-5  # seconds between looks: MPI moves data only when it is asked, and little fits in a socket
NOTICE = 60.0  # seconds of waiting after which a rank says so
FIRST, SECOND, TAIL = 0, 1, 2  # tags


@dataclass(frozen=True)
class Piece:
    """A run of parameters that one rank of each node sums over its node.

    Attributes:
        first: Its first element.
        last: The element behind its last.
        owners: That rank of each node.
    """

    first: int
    last: int
    owners: tuple


def pieces_of(parts, nodes, rank, largest=None) -> list[Piece]:
    """A rank's slice, cut where an owner on another node changes, and into pieces that are sent at a time.

    Args:
        parts: For each node the slices of its ranks, as `slices` gives them.
        nodes: The ranks of each node.
        rank: Which rank.
        largest: Elements of a piece at most, a multiple of `UNIT`; `PIECE` if None.

    Returns:
        List in the order of the parameters; the owners of a piece have the same one.
    """
    largest = largest or PIECE
    edges = sorted({edge for slices in parts for pair in slices for edge in pair})
    found = []
    for first, last in zip(edges, edges[1:], strict=False):
        owners = tuple(
            next(owner for owner, (lo, hi) in zip(ranks, slices, strict=True) if lo <= first and last <= hi)
            for ranks, slices in zip(nodes, parts, strict=True)
        )
        if rank in owners:
            found += [Piece(lo, min(lo + largest, last), owners) for lo in range(first, last, largest)]
    return found


class Hop:
    """The exchange of one rank's sums with those of other nodes.

    Args:
        world: The communicator.
        pieces: List of the rank's `Piece`s, in the order in which they are sent.
        grads: This rank's gradients; sums of its pieces take their place.
        node_sum: Function `(total, first)` that sums `total.size` elements from `first` on over the ranks of the node.
        block: Scratch of the kernel.
    """

    def __init__(self, world, pieces, grads, node_sum, block):
        self.world, self.pieces, self.grads = world, pieces, grads
        self._node_sum, self._block = node_sum, block
        self._count, self._node = len(world.nodes), world.node
        self._firsts = [ranks[0] for ranks in world.nodes]
        room = max((self._room(piece.last - piece.first) for piece in pieces), default=0)
        self._free = [np.zeros(room, grads.dtype) for _ in range(min(SLOTS, len(pieces)))]
        self._spin = CROWDED_SPIN if world.machine_size > launcher.cores_of_node() else SPIN
        self._under_way = []
        self._tail = None
        self._started = len(pieces)
        self._there = [True] * len(pieces)

    def goes_directly(self, size) -> bool:
        """Whether a piece of so many elements goes to all its owners."""
        return self._count == 2 or self._count * size <= DIRECT

    def _room(self, size):
        return self._count * size if self.goes_directly(size) else 2 * size + self._count * UNIT

    def start(self) -> None:
        """Begins a step: all ranks of the node have their gradients. Pieces follow each other by themselves."""
        self.drop()
        self._started = 0
        self._there = [False] * len(self.pieces)
        self._move()

    def drop(self) -> None:
        """Ends a step whose sums nobody wants any more; all ranks do. How far each came is not known: all go on."""
        for number in range(len(self.pieces)):
            self.need(number)

    def need(self, number: int) -> None:
        """Waits for the sum of a piece.

        Args:
            number: Its number.
        """
        if not self._there[number]:
            self._wait(lambda: self._move() or self._there[number], self.pieces[number].owners)

    def _move(self):
        """Moves on all that is under way; parts are shared in the order of pieces, by which they are told apart."""
        in_turn = True
        for transfer in self._under_way:
            in_turn = transfer.move(in_turn)
        for transfer in [one for one in self._under_way if one.done]:
            self._under_way.remove(transfer)
            self._free.append(transfer.slot)
            self._there[transfer.number] = True
        while self._started < len(self.pieces) and self._free:
            self._under_way.append(_Transfer(self, self._started, self._free.pop()))
            self._started += 1

    # The tail: the first ranks of nodes exchange it for all.

    def start_tail(self, own: np.ndarray) -> None:
        """Sends a node's sum of the tail to the first ranks of the others, who all call this.

        Args:
            own: The sum; it must not change until the tail is there.
        """
        rows = np.zeros((self._count, own.size), own.dtype)
        rows[self._node] = own
        self._tail = rows, self._to_all(rows, self._firsts, TAIL)

    def finish_tail(self) -> np.ndarray:
        """The sum of the tail over nodes, once it is there."""
        rows, requests = self._tail
        test = self.world._mpi.Request.Testall
        self._wait(lambda: self._move() or test(requests), self._firsts)
        self._tail = None
        total = np.empty_like(rows[0])
        self.add(total, rows)
        return total

    def add(self, total, rows):
        """Adds the rows of all nodes, in their order."""
        sum_rows(total, rows, 0, self._block)

    def _to_all(self, rows, owners, tag):
        """Requests that fill all rows but this node's, which goes to all others."""
        comm, kind = self.world._hop, self.world._mpi.Datatype.fromcode(rows.dtype.char)
        others = [node for node in range(self._count) if node != self._node]
        requests = [comm.Irecv([rows[node], kind], owners[node], tag) for node in others]
        return requests + [comm.Isend([rows[self._node], kind], owners[node], tag) for node in others]

    def _wait(self, test, owners):
        begin, noticed = time.monotonic(), False
        while not test():
            waited = time.monotonic() - begin
            if waited > NOTICE and not noticed:
                noticed = True
                others = ranks_text([owner for owner in owners if owner != self.world.rank])
                abort.say(f"has waited {NOTICE:.0f} s in a training step for what {others} must send it")
            if waited > self._spin:
                time.sleep(PAUSE)
            elif hasattr(os, "sched_yield"):
                os.sched_yield()


class _Transfer:
    """One piece on its way."""

    def __init__(self, hop, number, slot):
        self.hop, self.number, self.slot, self.done = hop, number, slot, False
        self.piece = piece = hop.pieces[number]
        count, node, size = hop._count, hop._node, piece.last - piece.first
        self._total = hop.grads[piece.first : piece.last]
        self._direct = hop.goes_directly(size)
        if self._direct:
            self._rows = slot[: count * size].reshape(count, size)
            hop._node_sum(self._rows[node], piece.first)
            self._requests = hop._to_all(self._rows, piece.owners, FIRST)
            return
        self._parts = [size * i // count // UNIT * UNIT for i in range(count)] + [size]
        lo, hi = self._parts[node : node + 2]
        own = slot[:size]
        self._rows = slot[size : size + count * (hi - lo)].reshape(count, hi - lo)
        hop._node_sum(own, piece.first)
        self._rows[node] = own[lo:hi]
        self._requests = self._exchange(own, self._rows)

    def _exchange(self, own, rows):
        """Requests that send each part of `own` to its owner, and fill the rows of other nodes."""
        comm, kind = self.hop.world._hop, self.hop.world._mpi.Datatype.fromcode(own.dtype.char)
        requests = []
        for node, owner in enumerate(self.piece.owners):
            if node != self.hop._node:
                requests.append(comm.Irecv([rows[node], kind], owner, FIRST))
                lo, hi = self._parts[node : node + 2]
                requests.append(comm.Isend([own[lo:hi], kind], owner, FIRST))
        return requests

    def move(self, in_turn):
        """Moves it on, if something has arrived.

        Args:
            in_turn: Whether it may share its part.

        Returns:
            Whether the next one may.
        """
        shared = self._direct or self._parts is None
        if not self.done and (shared or in_turn) and self.hop.world._mpi.Request.Testall(self._requests):
            if self._direct:
                self.hop.add(self._total, self._rows)
            if shared:
                self.done = True
            else:
                self._share()
                return in_turn
        return in_turn and shared

    def _share(self):
        """Sums this rank's part and sends it to all others, whose parts come."""
        comm, kind = self.hop.world._hop, self.hop.world._mpi.Datatype.fromcode(self._total.dtype.char)
        parts = [self._total[lo:hi] for lo, hi in zip(self._parts, self._parts[1:], strict=False)]
        own = parts[self.hop._node]
        self.hop.add(own, self._rows)
        self._requests, self._parts = [], None
        for node, owner in enumerate(self.piece.owners):
            if node != self.hop._node:
                self._requests.append(comm.Irecv([parts[node], kind], owner, SECOND))
                self._requests.append(comm.Isend([own, kind], owner, SECOND))

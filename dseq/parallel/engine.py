"""How the ranks of a job come to one sum of gradients and one set of parameters: the seam between training and MPI."""

import numpy as np

from dseq import config
from dseq.parallel import launcher
from dseq.parallel.shard import Division
from dseq.parallel.tree import TreeSum
from dseq.parallel.windows import Unavailable
from dseq.program.memory import aligned

ROW = 64  # bytes: each shard's gradients begin at a line of the cache

_said = set()


class Engine:
    """What one step needs of the other ranks. This base is also the answer for a single rank: nothing.

    A step computes gradients into the arena this engine allocated, calls `reduce`, updates the slice `owned`, calls
    `settle` and `finish`.

    Args:
        communicator: From `communicator.get()`.
        division: The `Division` of batches, None for one shard a rank.

    Attributes:
        name: What `DSEQ_ENGINE` calls it.
        shared: Whether ranks have one copy of the parameters together. Then all ranks write into it together only.
    """

    name = "solo"
    shared = False

    def __init__(self, communicator, division=None):
        self.communicator = communicator
        self.division = division or Division(communicator.rank, communicator.size)
        self._rows = self._tree = None
        self._made = ()

    def expect_sums(self, ranges) -> None:
        """Says which gradients steps add up over shards themselves, as far as this rank's shards make whole nodes.

        Args:
            ranges: Ranges (lo, hi) of the gradient arena, in order.
        """
        self._made = list(ranges)

    def check(self, plan, optimizer, trainable, variables) -> None:
        """Finds out whether this engine can train a model, and what it has to see to.

        Args:
            plan: The plan, complete but for the update.
            optimizer: The optimizer, built.
            trainable: List of the variables that are trained.
            variables: List of all variables of the model.

        Raises:
            Unavailable: If it cannot; on every rank.
        """

    exchange = None  # the call that sums over the ranks that update the other slices

    def allocate(self, name: str, nbytes: int, blocks=()) -> np.ndarray:
        """Zeroed memory for an arena; an engine may give memory that other ranks see too.

        Args:
            name: "params" or "slots".
            nbytes: Size in bytes.
            blocks: (start, size) of what is as long as the parameters and divided as they are; all of it if empty.

        Returns:
            A uint8 array that begins at a multiple of 64 bytes.

        Raises:
            Unavailable: If there is none; on every rank.
        """
        return aligned(nbytes)

    def gradients(self, nbytes: int) -> np.ndarray:
        """Zeroed memory for the gradients of each shard that this rank holds.

        Args:
            nbytes: Size of one shard's.

        Returns:
            A uint8 matrix with a row for each shard, which begins at a multiple of 64 bytes and may be longer.

        Raises:
            Unavailable: If there is none; on every rank.
        """
        count, stride = self.division.last - self.division.first, -(-nbytes // ROW) * ROW
        self._rows = aligned(count * stride).reshape(count, stride)
        return self._rows

    def broadcast(self, params: np.ndarray) -> None:
        """Gives all ranks rank 0's parameters.

        Args:
            params: The parameter arena, changed in place.
        """

    def reduce(self, grads: np.ndarray, start: int = 0) -> np.ndarray:
        """Sums over shards what every rank needs, gradients that it updates weights with aside if `gather` does that.

        Args:
            grads: The gradient arena of this rank's first shard with its tail, which takes the sum.
            start: Where the tail begins.

        Returns:
            The summed tail.
        """
        if self.division.strict:
            if self._tree is None:
                self._tree = TreeSum(self.communicator, self.division, grads.dtype)
            self._tree.matrix(self._rows.view(grads.dtype), grads.size, self._made)
        return grads[start:]

    def factor(self, plan, parameters, optimizer) -> None:
        """Finds gradients that need not be summed, as ranks can make them of less; called before `owned`.

        Args:
            plan: The plan, complete but for the update.
            parameters: The arenas.
            optimizer: The optimizer, built.
        """

    def expect(self, rows: int) -> None:
        """Before a step is computed: how many rows its batch has on all ranks."""

    def owned(self, total: int, cuts=None) -> tuple[int, int]:
        """The slice [lo, hi) of the trainable parameters that this rank's optimizer updates.

        Args:
            total: Number of trainable parameters in the arena.
            cuts: Sorted places where a slice may begin and end; any if None.
        """
        return 0, total

    def pieces(self, lo: int, hi: int, whole: bool = False) -> list:
        """The pieces (first, last) of a slice that are gathered and updated one after the other.

        Args:
            lo: First element of the slice.
            hi: The element behind its last.
            whole: Whether the update needs the whole slice's gradients at once.
        """
        return [(lo, hi)]

    def gather(self, plan, grads: np.ndarray, lo: int, hi: int) -> np.ndarray:
        """Writes into a plan's update what brings a slice's gradients together, if `reduce` does not.

        Args:
            plan: The plan.
            grads: The gradient arena.
            lo: First element of the slice, one of `pieces`.
            hi: The element behind its last.

        Returns:
            Where the slice's gradients then lie.
        """
        return grads[lo:hi]

    def settle(self, run) -> None:
        """Makes what follows the update on each copy of the parameters.

        Args:
            run: Function that makes it.
        """
        run()

    def finish(self, params: np.ndarray) -> None:
        """Makes every rank see the whole update.

        Args:
            params: The parameter arena.
        """

    def drop(self) -> None:
        """After `reduce`, if all ranks give its sums up: before others are computed, or at an error on all of them."""

    def alone(self, function, memory=None, changed=True) -> None:
        """Changes each copy of the parameters once, while nobody reads it.

        Args:
            function: Function that does.
            memory: List of the arrays it writes to, if it gives them rank 0's values of something; None if it does the
                same on every rank.
            changed: Whether there is something to write; rank 0's answer counts.

        Raises:
            RuntimeError: If it failed on the rank that called it.
        """
        function()


def get(name: str, communicator, division=None) -> Engine:
    """The engine of a name.

    Args:
        name: "auto", "solo", "flat" or "node".
        communicator: From `communicator.get()`.
        division: The `Division` of batches; None for one shard a rank.

    Returns:
        An engine. A single rank needs none of the others and gets `Solo`; "auto" is "node" if anywhere ranks share a
        node, else "flat".

    Raises:
        ValueError: If there is no such engine, or it is "solo" on several ranks.
        Unavailable: If it is "node" and the ranks have no shared memory.
    """
    if name not in ("auto", "solo", "flat", "node"):
        raise ValueError(f"The engine must be 'auto', 'solo', 'flat' or 'node'. Received: {name!r}")
    if communicator.size == 1:
        from dseq.parallel.solo import Solo as chosen
    elif name == "solo":
        raise ValueError(
            f"The engine 'solo' is for a single rank. Received: {communicator.size} ranks. Set DSEQ_ENGINE=auto, or to "
            "train each process by itself DSEQ_MPI=off."
        )
    elif name == "node" or (name == "auto" and len(communicator.nodes) < communicator.size):
        from dseq.parallel.node import Node as chosen
    else:
        from dseq.parallel.flat import Flat as chosen
    return chosen(communicator, division)


def of_exchange(exchange, communicator, division) -> Engine:
    """The engine of what travels in place of full gradients.

    Args:
        exchange: A `parallel.wire.Exchange`.
        communicator: From `communicator.get()`, of several ranks.
        division: The `Division` of batches.

    Raises:
        ValueError: In strict mode.
    """
    from dseq.parallel.flat import Apart, Flat

    if division.strict:
        raise ValueError(
            f"Strict mode, and several threads a rank, sum gradients in full. Received: exchange={exchange!r}. Leave "
            "out one of the two."
        )
    chosen = Apart(communicator, division) if exchange.every else Flat(communicator, division, exchange)
    _say_once(communicator, f"engine {chosen.name} on {places(communicator)}, {exchange!r}")
    return chosen


def first_possible(name: str, communicator, division, bind) -> Engine:
    """The engine of a name or, where that is not possible, `Flat`; rank 0 says which it is and why, once.

    Args:
        name: As for `get`.
        communicator: From `communicator.get()`.
        division: The `Division` of batches.
        bind: Function of an engine that makes it ready for a model; it may raise `Unavailable`, on all ranks.

    Returns:
        What `bind` returned.
    """
    chosen = None
    try:
        chosen = get(name, communicator, division)
        bound = bind(chosen)
    except Unavailable as reason:
        wanted = chosen.name if chosen is not None else "node"
        _say_once(communicator, f"the engine {wanted} is not possible, flat takes its place: {reason}")
        chosen = get("flat", communicator, division)
        bound = bind(chosen)
    if communicator.size > 1 or config.debug:
        _say_once(communicator, f"engine {chosen.name} on {places(communicator)}")
    return bound


def places(communicator) -> str:
    """How many ranks there are on how many nodes, as text; called by all ranks."""
    nodes = communicator.nodes
    ranks = "1 rank" if communicator.size == 1 else f"{communicator.size} ranks"
    return ranks if len(nodes) == 1 else f"{ranks} of {len(nodes)} nodes"


def expected(name: str, communicator) -> str:
    """The name of the engine that training will take; any rank may ask, as nothing has to be agreed on.

    Args:
        name: As for `get`.
        communicator: From `communicator.get()`.
    """
    if communicator.size == 1:
        return "solo"
    if name != "auto":
        return name
    launch = launcher.announced()
    together = (launch.local_size or launch.size) if launch is not None else communicator.size
    return "node" if together > 1 and config.node_ranks != 1 else "flat"


def _say_once(communicator, text):
    if communicator.rank == 0 and text not in _said:
        _said.add(text)
        print(f"dseq: {text}.", flush=True)

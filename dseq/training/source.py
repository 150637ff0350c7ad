"""Where a run's batches come from: the one thing the loop knows about data.

A source gives each global batch as `(feed, order, lo, hi)`: positions `lo..hi-1` of `order` in what `feed` holds, of
which every rank moves its own into its step. Arrays give the same feed for each batch; other sources give a `Local` one
that holds this rank's rows and nothing else.
"""

from itertools import islice

import numpy as np

from dseq.parallel import communicator
from dseq.training.data import extremes, label_range


class Source:
    """What `fit`, `evaluate` and `predict` draw batches from.

    Attributes:
        x: List of input arrays; what the step is made from, so a few rows or none suffice.
        y: List of target arrays.
        weights: List of arrays of sample weights, or None.
        steps: Batches until the data begin anew, None if only their end will tell.
        ended: Whether the data have run out and cannot begin anew.
    """

    kind = "data"
    steps = None
    ended = False

    def __init__(self, model):
        self.model = model
        self.x, self.y, self.weights = [], [], None
        self._session = None

    @property
    def first(self) -> list:
        """Inputs of the first batch, or of no sample: what errors about shapes show."""
        return self.x

    def facts(self, prefix="") -> list:
        """What must be equal on all ranks, as (label, value) pairs.

        Args:
            prefix: Begins each label.
        """
        facts = [(f"{prefix}data", self.kind)] if self.kind != "data" else []
        for name, arrays in (("x", self.x), ("y", self.y), ("sample_weight", self.weights or [])):
            facts.append((f"{prefix}{name}", f"{len(arrays)} arrays"))
            for i, array in enumerate(arrays):
                label = f"{prefix}{name}[{i}]" if len(arrays) > 1 else f"{prefix}{name}"
                facts += self._facts_of(label, array)
        return facts

    def _facts_of(self, label, array):
        return [(f"{label}.shape", ("rows", *array.shape[1:])), (f"{label}.dtype", array.dtype)]

    def check(self) -> None:
        """Raises what is wrong with the data, once all ranks are known to have the same."""

    def bind(self, session):
        """Makes the source ready for a session.

        Args:
            session: What will run the batches.

        Returns:
            A feed, by which the session knows which kernels move the data.
        """
        self._session = session
        return session.feed(self.x, self.y, self.weights)

    def epoch(self, number, steps=None, first=0):
        """The batches of one epoch.

        Args:
            number: Which epoch, counted over all calls of `fit`.
            steps: How many batches the epoch has; all if None.
            first: Which of them to begin with, after an interruption.

        Returns:
            An iterator of `(feed, order, lo, hi)`, or None if there are no data left.
        """
        raise NotImplementedError

    def split(self, share, batch_size):
        """Two sources: the first samples, and the last `share` of them to validate on."""
        raise ValueError(
            "`validation_split` is only supported for arrays, whose last samples can be told. Received: "
            f"validation_split={share} for {self.kind}. Pass `validation_data`."
        )


class Turns(Source):
    """A source that can begin anew: it is gone through turn after turn, each with as many batches."""

    def epoch(self, number, steps=None, first=0):
        steps = steps or self.steps
        return self._from(number * steps + first, steps - first)

    def _from(self, at, left):
        """Epochs go on where the last one ended; which batches they get depends on nothing but their number."""
        while left:
            turn, first = divmod(at, self.steps)
            count = min(left, self.steps - first)
            yield from islice(self.turn(turn, first, count), count)
            at, left = at + count, left - count

    def turn(self, turn, first, count):
        """Batches of one turn.

        Args:
            turn: Which turn; it decides on the order.
            first: Which batch of it to begin with.
            count: How many will be asked for.
        """
        raise NotImplementedError


class Local:
    """A feed that holds this rank's rows of one global batch only, wherever they stood in it.

    Args:
        feed: A `Feed` with this rank's rows.
        rows: Number of rows of the global batch.
        division: The `Division` of batches.
        order: Which rows of `feed`, or None for their own order.
        start: First position in `order`.
    """

    def __init__(self, feed, rows, division, order=None, start=0):
        self.feed, self.rows_of_all, self.order, self.start = feed, rows, order, start
        self.division = division
        self.kinds = feed.kinds

    def signatures(self, step):
        """As `Feed.signatures`."""
        return self.feed.signatures(step)

    def fill(self, step, order, lo, hi):
        """Copies this rank's rows, of which there are hi - lo, into the blocks of a step."""
        self.feed.fill(step, self.order, self.start, self.start + hi - lo)

    def rows(self, label, order, lo, hi):
        """One array's rows of the whole batch, from all ranks; None if there is no such array."""
        world = communicator.get()
        counts = [b - a for a, b in (self.division.rows(self.rows_of_all, rank) for rank in range(world.size))]
        mine = self.feed.rows(label, self.order, self.start, self.start + counts[world.rank])
        return None if mine is None else world.allgather_rows(mine, counts)

    def label_range(self):
        """As `Feed.label_range`, over all ranks."""
        found = communicator.get().allgather_object([extremes(array) for array in self.feed.labels()])
        pairs = zip(*found, strict=True)
        return label_range([(min(low for low, _ in p), max(high for _, high in p)) for p in pairs])


class Lockstep:
    """Keeps ranks together that each draw batches of their own copy of the data: before each step they compare."""

    def __init__(self):
        self.world = world = communicator.get()
        self._counts = np.zeros(world.size)
        self._sum = world.bound_sum(self._counts) if world.size > 1 else None

    def agree(self, rows) -> int:
        """The number of rows of the next batch on all ranks; 0 if any rank has none left.

        Args:
            rows: Those of this rank's, 0 if it has none left.

        Raises:
            ValueError: If ranks have batches of different lengths; the same on every rank.
        """
        if self._sum is None:
            return rows
        self._counts[:] = 0
        self._counts[self.world.rank] = rows
        self._sum()
        if self._counts.min() == self._counts.max() or not self._counts.all():
            return int(self._counts.min())
        listed = "; ".join(f"rank {rank}: {int(n)} samples" for rank, n in enumerate(self._counts))
        raise ValueError(
            "All ranks must draw the same global batches, of which dseq gives each rank its rows. "
            f"Received: {listed}. Make the data in the same way on every rank, whatever its number."
        )

    def ended_early(self) -> str:
        """Which ranks had no batch left when others still had one; empty if all ended together."""
        if self._sum is None or not self._counts.any():
            return ""
        return ", ".join(str(rank) for rank, n in enumerate(self._counts) if n == 0)

"""Which samples go where: pure functions of (samples, rank, size, seed, epoch)."""

import numpy as np

from dseq.parallel.tree import cover


def shard(count: int, rank: int, size: int) -> tuple[int, int]:
    """The run of rows [lo, hi) that one rank takes of `count` rows.

    Runs follow each other in rank order and cover all rows once; lengths differ by at most one, longer ones first.

    Args:
        count: Number of rows to share.
        rank: Which of the ranks.
        size: Number of ranks.

    Returns:
        `(lo, hi)`, with `lo == hi` where rows do not suffice.
    """
    rows, longer = divmod(count, size)
    lo = rank * rows + min(rank, longer)
    return lo, lo + rows + (rank < longer)


class Division:
    """How the rows of each global batch are divided: into shards, which the ranks hold in order.

    By default each rank holds one shard. In strict mode there is a fixed number of shards, whatever the number of
    ranks: what is computed of a shard, and the order in which shards are summed, is then the same in every job.

    Args:
        rank: This rank's number.
        size: Number of ranks.
        shards: Number of shards of strict mode, None for one a rank.

    Attributes:
        shards: Number of shards.
        strict: Whether it is fixed.
        first: Number of the first shard that this rank holds.
        last: The number behind that of its last.

    Raises:
        ValueError: If some rank would have no shard.
    """

    def __init__(self, rank: int, size: int, shards: int | None = None):
        if shards is not None and shards < size:
            raise ValueError(
                f"Strict mode divides each batch into a fixed number of shards, at least one for each rank. Received: "
                f"{shards} shards for {size} ranks. Set DSEQ_SHARDS, or `compile(strict=...)`, to {size} or more, in "
                "all jobs whose results are to be equal."
            )
        self.rank, self.size = rank, size
        self.strict = shards is not None
        self.shards = shards if self.strict else size
        self.first, self.last = self.held_by(rank)
        self._known = None, None  # a number of rows, and this rank's

    def held_by(self, rank: int) -> tuple[int, int]:
        """The shards [first, last) that a rank holds."""
        return shard(self.shards, rank, self.size)

    def nodes(self, rank: int) -> list[tuple[int, int]]:
        """The largest nodes of the tree over shards that a rank's shards make: see `parallel.tree`."""
        return cover(*self.held_by(rank), self.shards)

    def rows(self, count: int, rank: int | None = None) -> tuple[int, int]:
        """The rows [lo, hi) of a batch that a rank's shards have together.

        Args:
            count: Rows of the batch.
            rank: Which rank, this one if None.
        """
        if rank is not None:
            first, last = self.held_by(rank)
            return shard(count, first, self.shards)[0], shard(count, last - 1, self.shards)[1]
        if self._known[0] != count:
            self._known = count, self.rows(count, self.rank)
        return self._known[1]

    def cuts(self, count: int) -> list[int]:
        """Where each of this rank's shards begins among this rank's rows of a batch, and the end of the last.

        Args:
            count: Rows of the batch.
        """
        bounds = [shard(count, number, self.shards) for number in range(self.first, self.last)]
        return [lo - bounds[0][0] for lo, _ in bounds] + [bounds[-1][1] - bounds[0][0]]


def batch_slices(samples: int, batch_size: int) -> list[tuple[int, int]]:
    """The batches [lo, hi) of an epoch, in order; the last may be shorter.

    Args:
        samples: Number of samples.
        batch_size: Samples per batch over all ranks.
    """
    return [(lo, min(lo + batch_size, samples)) for lo in range(0, samples, batch_size)]


def epoch_order(samples: int, seed: int, epoch: int, shuffle=True, batch_size: int = 1):
    """The order in which an epoch visits the samples: the same on every rank, and after any resumption.

    Args:
        samples: Number of samples.
        seed: The run's seed, an integer.
        epoch: Number of the epoch.
        shuffle: True: any order; `"batch"`: whole batches change places, a short last one stays; False: as given.
        batch_size: Samples per batch, for `"batch"`.

    Returns:
        A permutation as an int64 array, or None for the samples' own order.

    Raises:
        ValueError: If `shuffle` is none of these.
    """
    if shuffle not in (True, False, "batch", None):
        raise ValueError(f"`shuffle` must be True, False or 'batch'. Received: shuffle={shuffle!r}")
    if not shuffle:
        return None
    # A bit generator by name: default_rng may change in a later NumPy, and a resumed run must not.
    generator = np.random.Generator(np.random.PCG64([seed % 2**64, epoch]))
    if shuffle != "batch":
        return generator.permutation(samples)
    batches = samples // batch_size
    order = np.arange(samples)
    whole = order[: batches * batch_size].reshape(batches, batch_size)
    whole[:] = whole[generator.permutation(batches)]
    return order

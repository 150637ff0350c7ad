"""Which samples go where: pure functions of (samples, rank, size, seed, epoch)."""

import numpy as np


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

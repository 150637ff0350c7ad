"""Data sets that make any sample by its number."""

import numpy as np

from dseq.data.py_dataset import PyDataset
from dseq.parallel import communicator
from dseq.parallel.shard import epoch_order
from dseq.program import seeds


class Samples(PyDataset):
    """Base of data sets that can make any of their samples: a subclass has `take`.

    Each rank makes the samples of its rows only. If it shuffles, all ranks must make it, at the same time.

    Args:
        count: Number of samples.
        batch_size: Samples of a global batch.
        shuffle: Whether each epoch takes the samples in another order.
        seed: Seed of the order; one that all ranks share if None.
        **options: `workers`, `use_multiprocessing` and `max_queue_size` of `PyDataset`.

    Raises:
        ValueError: If there is no sample, or `batch_size` is no positive integer.
    """

    def __init__(self, count, batch_size=32, shuffle=False, seed=None, **options):
        super().__init__(**options)
        if not isinstance(batch_size, int | np.integer) or batch_size < 1:
            raise ValueError(f"`batch_size` must be a positive integer. Received: batch_size={batch_size!r}")
        if count < 1:
            raise ValueError("A data set must have at least one sample. Received: none")
        if shuffle and seed is None:
            seed = communicator.get().broadcast_object(seeds.next_seed())
        self.count, self.batch_size, self.shuffle, self.seed = int(count), int(batch_size), bool(shuffle), seed
        self._epoch, self._order, self._ordered = 0, None, None

    def __len__(self):
        """The number of batches."""
        return -(-self.count // self.batch_size)

    def batch_length(self, index):
        """The number of samples in a batch."""
        if not 0 <= index < len(self):
            raise IndexError(f"Batches are counted from 0 to {len(self) - 1}. Received: {index}")
        return min(self.batch_size, self.count - index * self.batch_size)

    def rows(self, index, start, stop):
        """Rows start..stop-1 of a batch, as `take` makes them."""
        first = index * self.batch_size
        if not self.shuffle:
            return self.take(np.arange(first + start, first + stop))
        if self._ordered != self._epoch:
            self._order, self._ordered = epoch_order(self.count, self.seed, self._epoch), self._epoch
        return self.take(self._order[first + start : first + stop])

    def take(self, numbers):
        """Samples by their numbers: `(x,)`, `(x, y)` or `(x, y, sample_weight)`.

        Args:
            numbers: Array of numbers from 0 to `count` - 1.
        """
        raise NotImplementedError(f"{type(self).__name__} must have `take`.")

    def on_epoch_end(self):
        """Goes on to the next order."""
        self._epoch += 1

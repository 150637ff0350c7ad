"""A data set written in Python: batches by number."""

import itertools


class PyDataset:
    """Base of data sets that give whole batches by number; `dseq.utils.Sequence` is another name of it.

    A subclass has `__len__`, the number of batches, and `__getitem__`, which gives batch `index`: `(inputs,)`,
    `(inputs, targets)` or `(inputs, targets, sample_weights)`. Batches may differ in length.

    On several ranks each rank asks for the whole batch and uses its rows of it. A data set that can make less than a
    batch also has `batch_length` and `rows`, and is asked for its rank's rows alone.

    Args:
        workers: With more than 1, so many threads prepare batches ahead; their order is kept.
        use_multiprocessing: Whether the workers are processes: forked at the beginning of each epoch, so that they see
            what `on_epoch_begin` did. They must not call MPI or dseq's models.
        max_queue_size: Most batches to hold ready.

    Example:
        >>> class Squares(PyDataset):
        ...     def __len__(self):
        ...         return 10
        ...
        ...     def batch_length(self, index):
        ...         return 32
        ...
        ...     def rows(self, index, start, stop):
        ...         x = np.arange(32 * index + start, 32 * index + stop)[:, None]
        ...         return x, x**2
        >>> Squares()[1][0].shape
        (32, 1)
    """

    def __init__(self, workers=1, use_multiprocessing=False, max_queue_size=10):
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    # Of a subclass that forgot `super().__init__()`.
    workers = 1
    use_multiprocessing = False
    max_queue_size = 10

    def __getitem__(self, index):
        """Batch `index`."""
        length = self.batch_length(index)
        if length is None:
            raise NotImplementedError(f"{type(self).__name__} must have `__getitem__`, or `batch_length` and `rows`.")
        return self.rows(index, 0, length)

    def batch_length(self, index):
        """The number of samples in batch `index`, the same on every rank; None if only the batch itself tells."""
        return None

    def rows(self, index, start, stop):
        """Rows start..stop-1 of batch `index`; called if `batch_length` says how many there are.

        Args:
            index: Number of the batch.
            start: First row.
            stop: Row behind the last; it may be equal to `start`, and the arrays have no rows then.

        Returns:
            `(inputs,)`, `(inputs, targets)` or `(inputs, targets, sample_weights)` with `stop - start` samples.
        """
        raise NotImplementedError(f"{type(self).__name__} has `batch_length`, so it must have `rows`, too.")

    @property
    def num_batches(self):
        """The number of batches, None if there is no end; `len(self)` unless overridden."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(
            f"{type(self).__name__} must have `__len__`, or a property `num_batches` that may be None for no end."
        )

    def on_epoch_begin(self):
        """Called before each epoch."""

    def on_epoch_end(self):
        """Called after each epoch."""

    def __iter__(self):
        count = self.num_batches
        for index in itertools.count() if count is None else range(count):
            yield self[index]

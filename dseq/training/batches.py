"""Batches of a `PyDataset`, drawn by number; workers prepare them ahead if the data set asks for any."""

from functools import partial
from itertools import islice

from dseq.data import ahead
from dseq.parallel.shard import Division, epoch_order
from dseq.training.batch import Form, as_numpy, lists_of, part_of, rows_of, unpack
from dseq.training.source import Local, Lockstep, Source


class Batches(Source):
    """A source of a data set's batches.

    Args:
        model: The model.
        data: The `PyDataset`.
        shuffle: Whether epochs visit the batches in an order of their own.
        class_weight: `{class: weight}` or None.
        labelled: Whether targets and weights are wanted.

    Raises:
        ValueError: If it has no batch.
    """

    kind = "PyDataset"

    def __init__(self, model, data, shuffle=False, class_weight=None, labelled=True):
        super().__init__(model)
        self._data, self._shuffle, self._class_weight, self._labelled = data, shuffle, class_weight, labelled
        self.steps = data.num_batches
        if self.steps == 0:
            raise ValueError("A PyDataset must have at least one batch. Received: one of length 0")
        self._lockstep = Lockstep()
        self._form = form = Form(self._lists(first_row(data)))
        self.x, self.y, self.weights = form.x, form.y, form.weights

    def facts(self, prefix=""):
        return [*super().facts(prefix), (f"{prefix}number of batches", self.steps)]

    def epoch(self, number, steps=None, first=0):
        if steps is None and self.steps is None:
            raise ValueError(
                "A PyDataset without an end needs the number of steps: pass `steps_per_epoch` to `fit`, "
                "`validation_steps` for validation, `steps` to `evaluate` and `predict`."
            )
        steps = steps or self.steps
        return self._epoch(number * steps + first, steps - first)

    def _epoch(self, at, count):
        self._data.on_epoch_begin()
        indexes = list(islice(self._indexes(at), count))
        for index, (rows, batch) in zip(indexes, self._drawn(indexes), strict=True):
            rows = self._lockstep.agree(rows)
            lists = self._form.conform(self._lists(batch), index)
            yield Local(self._session.feed(*lists), rows, self._session.division), None, 0, rows
        self._data.on_epoch_end()

    def _indexes(self, at):
        """Numbers of batches without end, from position `at` of all that epochs visit."""
        if self.steps is None:
            yield from range(at, 2**63)
        while True:
            turn, first = divmod(at, self.steps)
            order = epoch_order(self.steps, self._session.seed, turn) if self._shuffle else range(self.steps)
            yield from map(int, order[first:])
            at += self.steps - first

    def _drawn(self, indexes):
        """This rank's rows of each batch and the number of all rows, in order."""
        data, division = self._data, self._session.division
        if data.use_multiprocessing and data.workers > 0:
            pool = ahead.processes(data.workers, data)
            function = partial(_in_process, division=division)
        elif data.workers > 1:
            pool = ahead.threads(data.workers)
            function = partial(draw, data, division=division)
        else:
            return (draw(data, index, division) for index in indexes)
        return ahead.in_order(pool, function, indexes, max(data.max_queue_size, 1))

    def _lists(self, batch):
        return lists_of(self.model, batch, self._class_weight, self._labelled)


def draw(data, index, division) -> tuple:
    """The number of rows of a batch, and one rank's rows.

    Args:
        data: The `PyDataset`.
        index: Number of the batch.
        division: The `Division` of batches, which knows the rank.

    Returns:
        `(rows, (x, y, sample_weight))`.

    Raises:
        ValueError: If the batch is none, or its arrays differ in length.
    """
    rows = data.batch_length(index) if hasattr(data, "batch_length") else None
    if rows is None:
        batch = _unpacked(data[index])
        rows = rows_of(batch)
        lo, hi = division.rows(rows)
        return rows, part_of(batch, lo, hi)
    lo, hi = division.rows(rows)
    batch = _unpacked(data.rows(index, lo, hi))
    if hi > lo and rows_of(batch) != hi - lo:
        raise ValueError(
            f"`rows(index, start, stop)` must give stop - start samples. Received: {rows_of(batch)} for rows {lo} to "
            f"{hi} of batch {index}"
        )
    return rows, batch


def first_row(data):
    """`(x, y, sample_weight)` of some rows, by which the shapes are known."""
    if getattr(data, "batch_length", lambda index: None)(0) is None:
        return draw(data, 0, Division(0, 1))[1]
    return _unpacked(data.rows(0, 0, 1))


def _unpacked(batch):
    return tuple(as_numpy(part) for part in unpack(batch, "PyDataset"))


def _in_process(index, division):
    return ahead.in_process(draw, index, division)

"""Batches from a generator, an iterator, or whatever else can be gone through, such as a loader of another library."""

import warnings

from dseq.training.arrays import fingerprint
from dseq.training.batch import Form, as_numpy, lists_of, part_of, rows_of, unpack
from dseq.training.source import Local, Lockstep, Source

RAN_OUT = (
    "Your input ran out of data; interrupting training. Make sure that your dataset or generator can generate at least "
    "`steps_per_epoch * epochs` batches."
)


class Stream(Source):
    """A source that is drawn batch after batch, by every rank from its own copy.

    Something that can be gone through again (it has `__iter__`, but not `__next__`) begins anew with each epoch, or
    with `steps_per_epoch` when it has ended; an iterator ends once and for all.

    Args:
        model: The model.
        data: The iterable of `(x,)`, `(x, y)` or `(x, y, sample_weight)`, global batches.
        class_weight: `{class: weight}` or None.
        labelled: Whether targets and weights are wanted.

    Raises:
        ValueError: If it gives no batch.
    """

    def __init__(self, model, data, class_weight=None, labelled=True):
        super().__init__(model)
        self._data, self._class_weight, self._labelled = data, class_weight, labelled
        self._restarts = not hasattr(data, "__next__")
        self.kind = "data set" if self._restarts else "generator"
        self.steps = _length(data) if self._restarts else None
        self._lockstep = Lockstep()
        self._drawn, self._told = 0, False
        self._begin_anew()
        self._next = self._draw()
        if self._next is None:
            raise ValueError(f"A {self.kind} must yield at least one batch. Received: an empty {self.kind}")
        lists = lists_of(model, self._next[1], class_weight, labelled)
        self._form = form = Form(lists)
        self.x, self.y, self.weights = form.x, form.y, form.weights
        self._first = " ".join(fingerprint(array) for part in lists for array in part or ())

    def check(self):
        world = self._lockstep.world
        if world.size > 1 and len(set(world.allgather_object(self._first))) > 1 and world.rank == 0:
            warnings.warn(
                f"The ranks' copies of the {self.kind} give different batches; each rank takes its rows of its own, so "
                "that the result depends on the number of ranks. Seed what is random in it alike on all ranks.",
                stacklevel=2,
            )

    def epoch(self, number, steps=None, first=0):
        if self.ended:
            return self._ran_out()
        if self._restarts and not self._fresh and (steps is None or number == 0):
            self._begin_anew()
        rows = self._advance()
        if not rows and self._restarts:
            self._begin_anew()
            rows = self._advance()
        for _ in range(first):  # done before an interruption
            self._next = None
            rows = rows and self._advance()
        self.ended = not rows and not self._restarts
        if first and (first == steps or not rows):
            return iter(())  # it was interrupted behind its last batch
        return self._epoch(rows, steps and steps - first) if rows else self._ran_out()

    def _epoch(self, rows, steps):
        done = 0
        while rows:
            (_, batch), self._next, self._fresh = self._next, None, False
            first, last = self._session.division.rows(rows)
            lists = lists_of(self.model, part_of(batch, first, last), self._class_weight, self._labelled)
            feed = self._session.feed(*self._form.conform(lists, self._drawn - 1))
            yield Local(feed, rows, self._session.division), None, 0, rows
            done += 1
            if done == steps:
                return
            rows = self._advance()
            if not rows and steps and self._restarts:
                self._begin_anew()
                rows = self._advance()
        self.ended = not self._restarts
        if steps:
            self._ran_out()

    def _begin_anew(self):
        self._batches, self._next, self._fresh = iter(self._data), None, True

    def _draw(self):
        """The next batch and its number of samples, or None."""
        for batch in self._batches:
            batch = tuple(as_numpy(part) for part in unpack(batch, self.kind))
            self._drawn += 1
            return rows_of(batch if self._labelled else (batch[0], None, None)), batch
        return None

    def _advance(self):
        """Draws the next batch unless there is one already; its number of samples, 0 if any rank has none."""
        if self._next is None:
            self._next = self._draw()
        rows = self._lockstep.agree(0 if self._next is None else self._next[0])
        ended = self._lockstep.ended_early()
        if ended and self._lockstep.world.rank == 0:
            warnings.warn(
                f"The {self.kind} ended on rank {ended} after {self._drawn - (self._next is not None)} batches, and "
                "not yet on the others: all ranks end here, and the batch that the others have drawn is not used. "
                "Make the data in the same way on every rank, whatever its number.",
                stacklevel=2,
            )
        if not rows:
            self._next = None
        return rows

    def _ran_out(self):
        """More was asked for than there is: some steps, or another epoch."""
        if self._lockstep.world.rank == 0 and not self._told:
            warnings.warn(RAN_OUT, stacklevel=2)
        self._told = True


def _length(data):
    """The number of batches, if the data know it."""
    try:
        return len(data)
    except TypeError:
        return None

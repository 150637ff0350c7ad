"""Batches of samples in a file: a window of them at a time, of which each rank reads its rows ahead of time."""

import time

from dseq.data import ahead
from dseq.data.order import Order
from dseq.training.arrays import fingerprint
from dseq.training.batch import lists_of
from dseq.training.data import split
from dseq.training.source import Local, Turns


class Blocks(Turns):
    """A source of the samples of a `dseq.data.HDF5`.

    Args:
        model: The model.
        data: The samples.
        batch_size: Samples of a global batch.
        shuffle: True, `"batch"` or False.
        class_weight: `{class: weight}` or None.
        labelled: Whether targets and weights are wanted.
    """

    kind = "HDF5"

    def __init__(self, model, data, batch_size, shuffle=False, class_weight=None, labelled=True):
        super().__init__(model)
        self._data, self.batch_size, self._shuffle = data, batch_size, shuffle
        self._class_weight, self._labelled = class_weight, labelled
        self.steps = -(-len(data) // batch_size)
        chunk = data.chunk_rows()
        block = max(1, data.block_size // data.row_bytes)
        self._block = -(-block // chunk) * chunk
        self._buffer = max(1, data.buffer_size // data.row_bytes)
        first = data.empty(1)
        data.read([(0, 1)], first)
        self._sampled = fingerprint(next(iter(first.values())))
        x, y, weights = self._lists(first)
        self.x, self.y = split(x, 0, 0), split(y, 0, 0)
        self.weights = None if weights is None else split(weights, 0, 0)

    def facts(self, prefix=""):
        rows = f"{self._data.start} to {self._data.stop}"
        sizes = f"{self._data.block_size} and {self._data.buffer_size}"
        return [
            *super().facts(prefix),
            (f"{prefix}rows of the file", rows),
            (f"{prefix}block_size and buffer_size", sizes),
            (f"{prefix}first row", self._sampled),
        ]

    def turn(self, turn, first, count):
        data = self._data
        seed = self._session.seed if self._shuffle else 0
        order = Order(len(data), self.batch_size, self._block, self._buffer, seed, turn, self._shuffle)
        windows = range(first // order.in_window, -(-(first + count) // order.in_window))
        slots = [{}, {}]

        def load(number, slot):
            runs, places, starts = order.window(number, self._session.division)
            rows = sum(b - a for a, b in runs)
            if not slot or len(next(iter(slot.values()))) < rows:
                slot |= data.empty(rows)
            read = {name: array[:rows] for name, array in slot.items()}
            data.read(runs, read)
            return read, places, starts

        loaded = ahead.double_buffered(load, windows, slots)
        batch = windows.start * order.in_window
        while True:
            begin = time.perf_counter()
            window = next(loaded, None)
            data.seconds_waited += time.perf_counter() - begin
            if window is None:
                return
            read, places, starts = window
            feed = self._session.feed(*self._lists(read))
            for start in starts[:-1]:
                if batch >= first:
                    rows = min(self.batch_size, len(data) - batch * self.batch_size)
                    yield Local(feed, rows, self._session.division, places, start), None, 0, rows
                batch += 1

    def _lists(self, rows):
        return lists_of(self.model, self._data.structure(rows), self._class_weight, self._labelled)

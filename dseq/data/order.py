"""The order in which samples of a file are visited: mixed well, read in large pieces, the same for any number of ranks.

The file's rows are cut into blocks, which change places, and laid end to end: the line. A window is a run of the line
that the buffer holds, and as long as a number of batches. Within it the samples are dealt to the batches like cards, in
rounds, each round in an order of its own: each batch gets one sample of every so many that stand side by side. Position
`p` of a batch so comes from the `p`-th part of the window, and a rank, which has a run of the positions of each batch,
needs a run of the window.
"""

import numpy as np


class Order:
    """One turn through the samples.

    Args:
        samples: Number of samples.
        batch_size: Samples per global batch.
        block: Rows of a block.
        buffer: Rows of a window, at least about.
        seed: The run's seed.
        turn: Number of the turn.
        shuffle: True, `"batch"` or False, as `fit` takes it.

    Attributes:
        batches: Number of batches.
        in_window: Batches of a window; the last may have fewer.
    """

    def __init__(self, samples, batch_size, block, buffer, seed=0, turn=0, shuffle=True):
        if shuffle not in (True, False, "batch", None):
            raise ValueError(f"`shuffle` must be True, False or 'batch'. Received: shuffle={shuffle!r}")
        self.samples, self.batch_size = samples, batch_size
        self.batches = -(-samples // batch_size)
        self.in_window = min(self.batches, max(1, buffer // batch_size))
        self._key = [seed % 2**64, turn]
        self._mixed = shuffle and shuffle != "batch"
        self._starts, lengths = self._blocks(min(block, samples), shuffle)
        self._ends = np.cumsum(lengths)

    def _generator(self, *more):
        # A bit generator by name: default_rng may change in a later NumPy, and a resumed run must not.
        return np.random.Generator(np.random.PCG64([*self._key, *more]))

    def _blocks(self, block, shuffle):
        if not shuffle:
            return np.zeros(1, np.int64), np.array([self.samples])
        if shuffle == "batch":
            block = self.batch_size
        starts = np.arange(0, self.samples, block)
        lengths = np.minimum(block, self.samples - starts)
        if shuffle == "batch":  # exactly as `parallel.shard.epoch_order` has it: a short last one stays
            order = np.arange(len(starts))
            whole = self.samples // block
            order[:whole] = self._generator().permutation(whole)
        else:
            order = self._generator().permutation(len(starts))
        return starts[order], lengths[order]

    def window(self, number, division) -> tuple:
        """What one rank needs of a window.

        Args:
            number: Which window.
            division: The `Division` of batches, which knows the rank.

        Returns:
            `(runs, order, starts)`: runs of the file's rows `(first, behind the last)` to be read one behind the other;
            for each of the rank's samples, batch by batch, its place among what is read; and where in `order` each
            batch begins, with the end as the last.
        """
        first = number * self.in_window
        sizes = [self._size(batch) for batch in range(first, min(first + self.in_window, self.batches))]
        places = self._places(sizes, number)
        at, mine = 0, []
        for rows in sizes:
            lo, hi = division.rows(rows)
            mine.append(places[at + lo : at + hi])
            at += rows
        starts = np.concatenate([[0], np.cumsum([len(part) for part in mine])])
        mine = np.concatenate(mine)
        wanted = np.sort(mine)
        order = np.searchsorted(wanted, mine)
        return self._runs(wanted + first * self.batch_size), order, starts

    def _size(self, batch):
        return min(self.batch_size, self.samples - batch * self.batch_size)

    def _places(self, sizes, number):
        """Where in the window the samples of its batches stand, batch by batch."""
        rows = sum(sizes)
        if not self._mixed:
            return np.arange(rows)
        # Position p of n draws a lot between p/n and (p+1)/n; who draws less stands further to the front.
        lots = self._generator(number).random(rows)
        lots += np.concatenate([np.arange(n) for n in sizes])
        lots /= np.repeat(sizes, sizes)
        places = np.empty(rows, np.int64)
        places[np.argsort(lots, kind="stable")] = np.arange(rows)
        return places

    def _runs(self, line):
        """Rising places on the line as runs of rows in the file."""
        if not len(line):
            return []
        block = np.searchsorted(self._ends, line, side="right")
        lengths = np.diff(self._ends, prepend=0)
        rows = line - (self._ends - lengths)[block] + self._starts[block]
        cuts = np.flatnonzero((np.diff(rows) != 1) | (np.diff(block) != 0)) + 1
        bounds = np.concatenate([[0], cuts, [len(rows)]])
        return [(int(rows[a]), int(rows[b - 1]) + 1) for a, b in zip(bounds, bounds[1:], strict=False)]

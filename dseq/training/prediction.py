"""Outputs of all ranks in the order of the samples."""

import numpy as np


class Collected:
    """The rows of outputs that this rank predicts, batch by batch, and in the end those of all ranks.

    Args:
        world: The communicator.
        division: The `Division` of batches.
        shared: For each output, whether it belongs to no sample: all ranks then have the same of each batch.
    """

    def __init__(self, world, division, shared):
        self.world, self._division, self._shared = world, division, shared
        self._rows = []
        self._parts = []

    def add(self, rows, outputs) -> list:
        """Keeps this rank's rows of a batch.

        Args:
            rows: Number of rows of the global batch.
            outputs: List of arrays, which are copied.

        Returns:
            The copies.
        """
        self._rows.append(rows)
        self._parts.append([output.copy() for output in outputs])
        return self._parts[-1]

    def results(self) -> list:
        """All rows of each output, on every rank."""
        outputs = [np.concatenate([np.atleast_1d(part) for part in parts]) for parts in zip(*self._parts, strict=True)]
        self._parts.clear()
        size = self.world.size
        if size == 1:
            return outputs
        bounds = np.array([[self._division.rows(rows, rank) for rows in self._rows] for rank in range(size)])
        counts = bounds[:, :, 1] - bounds[:, :, 0]  # (rank, batch)
        # What is gathered stands rank by rank, then batch by batch; what is wanted, batch by batch, then rank by rank.
        before = np.cumsum(counts).reshape(counts.shape) - counts
        lengths = counts.T.ravel()
        shift = before.T.ravel() - (np.cumsum(lengths) - lengths)
        order = np.repeat(shift, lengths) + np.arange(lengths.sum())
        totals = counts.sum(1).tolist()
        return [
            output if shared else self.world.allgather_rows(output, totals)[order]
            for output, shared in zip(outputs, self._shared, strict=True)
        ]

"""Batches of arrays in memory, or of memory maps: each rank moves its rows straight into its step."""

import zlib

import numpy as np

from dseq.parallel.shard import batch_slices, epoch_order
from dseq.training.data import samples, split
from dseq.training.source import Turns
from dseq.training.weights import weights_for


class Arrays(Turns):
    """A source of batches of arrays.

    Args:
        model: The model.
        x: List of input arrays.
        y: List of target arrays.
        weights: List of arrays of sample weights, empty for none.
        batch_size: Samples of a global batch; all if None.
        shuffle: True, `"batch"` or False.
        class_weight: `{class: weight}` or None.
    """

    def __init__(self, model, x, y=(), weights=(), batch_size=None, shuffle=False, class_weight=None):
        super().__init__(model)
        self.x, self.y, self.weights = x, y, weights
        self.batch_size, self.shuffle, self.class_weight = batch_size, shuffle, class_weight

    @property
    def first(self):
        return split(self.x, 0, self.batch_size)

    def _facts_of(self, label, array):
        if array is None:
            return [(label, "none")]
        facts = [(f"{label}.shape", array.shape), (f"{label}.dtype", array.dtype)]
        return [*facts, (f"{label} (sampled)", fingerprint(array))]

    def check(self):
        given = [weights for weights in self.weights if weights is not None]
        self.count = samples(x=self.x, y=self.y, sample_weight=given)
        if self.batch_size is None:
            self.batch_size = self.count
        self.weights = weights_for(self.weights, self.class_weight, self.y)
        self._slices = batch_slices(self.count, self.batch_size)
        self.steps = len(self._slices)

    def bind(self, session):
        if session is not self._session:  # or validation would convert its arrays after each epoch
            self._session, self._feed = session, session.feed(self.x, self.y, self.weights)
        return self._feed

    def turn(self, turn, first, count):
        order = None
        if self.shuffle:
            order = epoch_order(self.count, self._session.seed, turn, self.shuffle, self.batch_size)
        feed = self._feed
        for lo, hi in self._slices[first:]:
            yield feed, order, lo, hi

    def split(self, share, batch_size):
        if not 0 < share < 1:
            raise ValueError(f"`validation_split` must be between 0 and 1. Received: validation_split={share}")
        at = int(np.floor(self.count * (1 - share)))
        if at == 0 or at == self.count:
            raise ValueError(
                f"Training data contains {self.count} samples, which is not sufficient to split it into a validation "
                f"and training set as specified by `validation_split={share}`. Either provide more data, or another "
                f"value."
            )
        weights = [] if self.class_weight is not None else self.weights or []  # class weights are for training only
        parts = []
        for lo, hi in ((0, at), (at, self.count)):
            arrays = split(self.x, lo, hi), split(self.y, lo, hi), split(weights, lo, hi)
            trains = lo == 0
            part = Arrays(
                self.model, *arrays, batch_size=self.batch_size if trains else batch_size,
                shuffle=self.shuffle and trains, class_weight=self.class_weight if trains else None,
            )  # fmt: skip
            part.check()
            parts.append(part)
        return tuple(parts)


def fingerprint(array, rows=64) -> str:
    """A checksum of rows spread over an array: ranks that loaded other data differ in it."""
    picked = array[:: max(1, len(array) // rows)][: rows + 1]
    return f"crc32 {zlib.crc32(np.ascontiguousarray(picked).view(np.uint8)):08x}" if picked.size else "empty"

"""The sessions in which a model only looks at data: testing and predicting."""

import numpy as np

from dseq.parallel import whereabouts
from dseq.training.session import Scored, Session


class Testing(Scored):
    """Forward, loss and metrics; the sums of each shard are reduced once, at the end."""

    def test(self, feed, lo, hi) -> None:
        """Adds the sums over this rank's rows of the global batch lo..hi-1."""
        self._scale(feed, None, lo, hi)
        self._run_batch(feed, None, lo, hi)
        self.step.settle()
        self._parts += self.step.tails * self._factors
        whereabouts.beats += 1

    def reset(self):
        super().reset()
        self._parts = np.zeros((self.division.last - self.division.first, self.plan.tail_size))

    def reduced_logs(self) -> dict:
        """The logs over all shards so far, without disturbing the sums."""
        parts = self._parts.copy()
        if self.division.shards > 1:
            self.step.exchange(list(parts))
        self._totals = parts[0]
        return self.logs()

    def finish(self, feed) -> dict:
        """The logs over all shards."""
        logs = self.reduced_logs()
        self._check_faults(self._totals, feed)
        return logs


class Predicting(Session):
    """Forward."""

    def outputs(self, rows) -> list:
        """Empty arrays for this rank's rows of each output."""
        return [np.empty((rows, *operand.shape), operand.dtype) for operand in self.operands]

    def predict(self, feed, lo, hi) -> list:
        """The outputs for this rank's rows of the batch lo..hi-1, valid until the next call."""
        self._run_batch(feed, None, lo, hi, lo)
        self.step.settle()
        self._totals += self.step.tails.sum(0)
        whereabouts.beats += 1
        return [self.step.array(operand) for operand in self.operands]

    def check(self, world, feed) -> None:
        """Raises on all ranks if a kernel of any rank met data it cannot use, as an index outside of a table."""
        if self.plan.faults:
            self._check_faults(world.allreduce_sum(self._totals), feed)

"""One Allreduce over the whole gradient arena; every rank then makes the same update."""

from dseq.parallel.engine import Engine


class Flat(Engine):
    """The simplest engine of several ranks: the arenas are flat, so nothing is packed and one call sums everything."""

    name = "flat"

    def __init__(self, communicator, division=None):
        super().__init__(communicator, division)
        self._grads = self._start = self._sum = self._tail = None

    def broadcast(self, params):
        self.communicator.broadcast(params)

    def reduce(self, grads, start=0):
        if self.division.strict:
            return super().reduce(grads, start)
        if grads is not self._grads or start != self._start:
            self._grads, self._start, self._tail = grads, start, grads[start:]
            self._sum = self.communicator.bound_sum(grads)
        self._sum()
        return self._tail

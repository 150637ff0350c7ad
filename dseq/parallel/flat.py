"""One Allreduce over the whole gradient arena; every rank then makes the same update."""

from dseq.parallel.engine import Engine


class Flat(Engine):
    """The simplest engine of several ranks: the arenas are flat, so nothing is packed and one call sums everything."""

    def __init__(self, communicator):
        super().__init__(communicator)
        self._grads = self._sum = None

    def broadcast(self, params):
        self.communicator.broadcast(params)

    def reduce(self, grads):
        if grads is not self._grads:
            self._grads, self._sum = grads, self.communicator.bound_sum(grads)
        self._sum()

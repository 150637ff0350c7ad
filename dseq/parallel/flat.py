"""One Allreduce over the whole gradient arena; every rank then makes the same update."""

from dseq.parallel.engine import Engine


class Flat(Engine):
    """The simplest engine of several ranks: the arenas are flat, so nothing is packed and one call sums everything.

    Args:
        communicator: From `communicator.get()`.
        division: The `Division` of batches.
        exchange: What travels in place of full gradients, a `parallel.wire.Exchange`; None for full ones.
    """

    name = "flat"

    def __init__(self, communicator, division=None, exchange=None):
        super().__init__(communicator, division)
        self._grads = self._start = self._sum = self._tail = None
        self.wire = None if exchange is None else exchange.over(communicator)

    def broadcast(self, params):
        self.communicator.broadcast(params)

    def reduce(self, grads, start=0):
        if self.division.strict:
            return super().reduce(grads, start)
        if grads is not self._grads or start != self._start:
            self._grads, self._start, self._tail = grads, start, grads[start:]
            self._sum = self.communicator.bound_sum(grads if self.wire is None else self._tail)
        if self.wire is not None:
            self.wire.sum(grads[:start])
        self._sum()
        return self._tail


class Apart(Flat):
    """Each rank updates weights of its own by its own gradients; `unite` makes all have the mean of them."""

    name = "apart"

    def __init__(self, communicator, division=None):
        super().__init__(communicator, division)
        self._params = None

    def reduce(self, grads, start=0):
        return grads[start:]

    def unite(self, params) -> None:
        """Makes the weights of all ranks their mean.

        Args:
            params: The parameter arena.
        """
        if params is not self._params:
            self._params, self._mean = params, self.communicator.bound_sum(params)
        params /= self.communicator.size
        self._mean()

"""One rank: nothing to sum, nothing to send. Large gradients are made where they are used."""

import numpy as np

from dseq.parallel.engine import Engine
from dseq.parallel.factors import Products


class Solo(Engine):
    """The engine of a job of one rank."""

    _products = None

    def factor(self, plan, parameters, optimizer):
        if not self.division.strict:
            self._products = Products(plan, parameters, optimizer)
            self._products.keep(0, parameters.trainable_size)

    def pieces(self, lo, hi, whole=False):
        return self._products.cut(lo, hi, max(1, hi - lo)) if self._products and not whole else [(lo, hi)]

    def gather(self, plan, grads, lo, hi):
        made = None
        if self._products:
            made = self._products.make(plan, grads.reshape(1, -1), lo, hi, np.zeros(1, grads.dtype))
        return grads[lo:hi] if made is None else made

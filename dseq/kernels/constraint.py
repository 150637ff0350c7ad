"""Weights brought back to where they may be, after an update. Real parameters are arrays of one element."""

from numpy import float64

from dseq.kernels.base import kernel


@kernel
def non_negative(w):
    # w (n,)
    zero = w.dtype.type(0)
    for i in range(w.size):
        w[i] = zero if w[i] < zero else w[i]


@kernel
def limit_norms(w, squares, low, high, rate, epsilon):
    # w (p, k, q): vectors along k get norms in [low, high], by the share `rate`; squares (q,) float64 scratch
    for i in range(w.shape[0]):
        block = w[i]
        _squares(squares, block)
        for j in range(squares.size):
            norm = squares[j] ** 0.5
            nearest = min(max(norm, low[0]), high[0])
            squares[j] = (rate[0] * nearest + (1.0 - rate[0]) * norm) / (epsilon[0] + norm)
        _multiply(block, squares)


@kernel
def unit_norms(w, squares, epsilon):
    # w (p, k, q): vectors along k get norm 1; squares (q,) float64 scratch
    for i in range(w.shape[0]):
        block = w[i]
        _squares(squares, block)
        for j in range(squares.size):
            squares[j] = 1.0 / (epsilon[0] + squares[j] ** 0.5)
        _multiply(block, squares)


@kernel
def _squares(squares, block):
    # squares (q,), block (k, q)
    for j in range(squares.size):
        squares[j] = 0.0
    for c in range(block.shape[0]):
        for j in range(squares.size):
            value = float64(block[c, j])
            squares[j] += value * value


@kernel
def _multiply(block, factors):
    # block (k, q), factors (q,)
    for c in range(block.shape[0]):
        for j in range(factors.size):
            block[c, j] = block.dtype.type(block[c, j] * factors[j])

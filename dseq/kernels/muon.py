"""Muon on one whole matrix: momentum, made orthogonal by Newton-Schulz iterations on the microkernel.

x (n, m) with n <= m: a = x x', b = B a + C a a, x = A x + b x, so that x's singular values tend to 1. hyper and clip
are those of `dseq.kernels.optimizer`, hyper[2]: momentum, hyper[3]: 1 for Nesterov's, hyper[4:7]: A, B, C.
"""

import math

from dseq.kernels.base import kernel
from dseq.kernels.gemm import matmul, matmul_nt
from dseq.kernels.optimizer import clipped


@kernel
def muon_momentum(x, g, m, hyper, clip):
    # x (n,) scratch: what the step is made of
    if clip[0] == 0:
        return
    factor, limit = x.dtype.type(clip[1]), x.dtype.type(clip[2])
    keep, now, ahead = x.dtype.type(hyper[2]), x.dtype.type(0), x.dtype.type(1)
    if hyper[3] != 0:
        now, ahead = x.dtype.type(1), keep
    for i in range(x.size):
        fresh = clipped(g[i], factor, limit)
        m[i] += fresh + m[i] * (keep - x.dtype.type(1))
        x[i] = now * fresh + ahead * m[i]


@kernel
def normalise(y, x, squares, clip):
    # y = x over its norm; x (n, m), y (n, m) or (m, n): then turned; squares (k,) sums of squares of x
    if clip[0] == 0:
        return
    total = 0.0
    for i in range(squares.size):
        total += squares[i]
    inverse = y.dtype.type(1 / (math.sqrt(total) + 1e-7))
    n, m = x.shape
    if n <= m:
        for i in range(n):
            to, given = y[i], x[i]
            for j in range(m):
                to[j] = given[j] * inverse
    else:
        _turn(y, x, inverse)


@kernel
def _turn(y, x, factor):
    # y (m, n) = factor * x (n, m) transposed, in squares that stay in L1
    n, m = x.shape
    for i0 in range(0, n, 32):
        for j0 in range(0, m, 32):
            for j in range(j0, min(j0 + 32, m)):
                to = y[j]
                for i in range(i0, min(i0 + 32, n)):
                    to[i] = x[i, j] * factor


@kernel
def newton_schulz(y, z, a, b, hyper, clip):
    # one iteration on y (n, m); z (n, m), a (n, n) and b (n, n) are scratch
    if clip[0] == 0:
        return
    linear, cubic, quintic = y.dtype.type(hyper[4]), y.dtype.type(hyper[5]), y.dtype.type(hyper[6])
    matmul_nt(a, y, y)
    matmul(b, a, a)
    given, product = a.reshape(a.size), b.reshape(b.size)
    for i in range(given.size):
        product[i] = cubic * given[i] + quintic * product[i]
    matmul(z, b, y)
    old, new = y.reshape(y.size), z.reshape(z.size)
    for i in range(old.size):
        old[i] = linear * old[i] + new[i]


@kernel
def muon(p, y, x, hyper, clip):
    # p (n, m), y (n, m) or turned (m, n), x (n, m) scratch; hyper[1] is the rate with the matrix' own factor
    if clip[0] == 0:
        return
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    step = y
    if p.shape[0] > p.shape[1]:
        _turn(x, y, p.dtype.type(1))
        step = x
    changed, by = p.reshape(p.size), step.reshape(p.size)
    for i in range(changed.size):
        changed[i] = (changed[i] - changed[i] * decay) - rate * by[i]

"""Products of each row's own matrices or vectors, and vectors scaled to length 1. Forward writes, backward adds."""

import math

import numpy as np

from dseq.kernels.base import JIT, kernel
from dseq.kernels.gemm import ITSELF, multiply
from dseq.kernels.vector import address_of


@kernel
def product(c, a, b, a_transposed, b_transposed, adds):
    # c (n, m) = or += a (n, k) @ b (k, m); a is (k, n) if transposed, b is (m, k)
    if JIT:
        n, m = c.shape
        k, lda, ka, ldb, start = a.shape[1], a.shape[1], 1, m, 0
        if a_transposed != 0:
            k, lda, ka = a.shape[0], 1, n
        if b_transposed != 0:
            ldb = k
        if adds != 0:
            start = ITSELF
        multiply(c, address_of(a), lda, ka, address_of(b), ldb, b_transposed, start, n, m, k, 0)
    else:
        result = np.matmul(a.T if a_transposed else a, b.T if b_transposed else b)
        c[...] = c + result if adds else result


@kernel
def products(c, a, b, a_transposed, b_transposed, adds):
    # as `product`, for c (rows, n, m), a (rows, n, k), b (rows, k, m) row by row
    for r in range(c.shape[0]):
        product(c[r], a[r], b[r], a_transposed, b_transposed, adds)


# reassoc: a sum over one row's features, so its order does not depend on the number of rows.
@kernel(fastmath={"reassoc"})
def inner_forward(z, x, y):
    # z (rows, 1), x, y (rows, k)
    for r in range(x.shape[0]):
        total = z.dtype.type(0)
        for j in range(x.shape[1]):
            total += x[r, j] * y[r, j]
        z[r, 0] = total


@kernel
def inner_backward(dx, dz, y):
    # dx (rows, k), dz (rows, 1), y (rows, k): the other vector
    for r in range(dx.shape[0]):
        slope = dz[r, 0]
        for j in range(dx.shape[1]):
            dx[r, j] += slope * y[r, j]


@kernel
def normalize_forward(y, inverse, x, epsilon):
    # y, x (rows, p, k, q), inverse (rows, p, q): 1 / max(norm along k, epsilon), epsilon (1,)
    least, one = epsilon[0], x.dtype.type(1)
    for r in range(x.shape[0]):
        for i in range(x.shape[1]):
            for j in range(x.shape[3]):
                total = x.dtype.type(0)
                for c in range(x.shape[2]):
                    total += x[r, i, c, j] * x[r, i, c, j]
                norm = math.sqrt(total)
                factor = one / (least if norm < least else norm)
                inverse[r, i, j] = factor
                for c in range(x.shape[2]):
                    y[r, i, c, j] = x[r, i, c, j] * factor


@kernel
def normalize_backward(dx, dy, y, inverse, epsilon):
    # dx, dy, y (rows, p, k, q), inverse (rows, p, q), epsilon (1,)
    zero = dx.dtype.type(0)
    most = dx.dtype.type(1) / epsilon[0]
    for r in range(dx.shape[0]):
        for i in range(dx.shape[1]):
            for j in range(dx.shape[3]):
                factor, along = inverse[r, i, j], zero
                if factor < most:  # else the length is too small to count and the factor is a constant
                    for c in range(dx.shape[2]):
                        along += dy[r, i, c, j] * y[r, i, c, j]
                for c in range(dx.shape[2]):
                    dx[r, i, c, j] += factor * (dy[r, i, c, j] - along * y[r, i, c, j])

"""What contractions need besides the product of matrices: sums over axes, weights of their own for each place, offsets.

Forward writes, backward adds.
"""

from numpy import float64

from dseq.kernels.base import kernel


@kernel
def sum_last_forward(y, x):
    # y (n,), x (n, m)
    for i in range(x.shape[0]):
        total = 0.0
        for j in range(x.shape[1]):
            total += float64(x[i, j])
        y[i] = y.dtype.type(total)


@kernel
def sum_last_backward(dx, dy):
    # dx (n, m), dy (n,)
    for i in range(dx.shape[0]):
        for j in range(dx.shape[1]):
            dx[i, j] += dy[i]


@kernel
def placed_forward(y, x, w):
    # y (n, p, m), x (n, p, k), w (p, k, m): y[:, i] = x[:, i] @ w[i]
    zero = y.dtype.type(0)
    for r in range(y.shape[0]):
        for i in range(y.shape[1]):
            to = y[r, i]
            for j in range(to.size):
                to[j] = zero
            for c in range(x.shape[2]):
                value, row = x[r, i, c], w[i, c]
                for j in range(to.size):
                    to[j] += value * row[j]


# reassoc: a sum over one row's features, so its order does not depend on the number of rows.
@kernel(fastmath={"reassoc"})
def _product(a, b):
    # a, b (m,)
    total = a.dtype.type(0)
    for j in range(a.size):
        total += a[j] * b[j]
    return total


@kernel
def placed_backward_input(dx, dy, w):
    # dx (n, p, k), dy (n, p, m), w (p, k, m)
    for r in range(dx.shape[0]):
        for i in range(dx.shape[1]):
            for c in range(dx.shape[2]):
                dx[r, i, c] += _product(dy[r, i], w[i, c])


@kernel
def placed_backward_kernel(dw, x, dy):
    # dw (p, k, m), x (n, p, k), dy (n, p, m)
    for r in range(x.shape[0]):
        for i in range(x.shape[1]):
            slope = dy[r, i]
            for c in range(x.shape[2]):
                value, to = x[r, i, c], dw[i, c]
                for j in range(to.size):
                    to[j] += value * slope[j]


@kernel
def offset_forward(y, x, bias, index):
    # y, x (n, m), bias (k,), index (m,) of ints in [0, k): y = x + bias[index]
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            y[i, j] = x[i, j] + bias[index[j]]


@kernel
def offset_backward_input(dx, dy):
    # dx, dy (n,)
    for i in range(dy.size):
        dx[i] += dy[i]


@kernel
def offset_backward_bias(dbias, dy, index):
    # dbias (k,), dy (n, m), index (m,)
    for i in range(dy.shape[0]):
        for j in range(dy.shape[1]):
            dbias[index[j]] += dy[i, j]

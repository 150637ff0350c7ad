"""Activations of whole rows: softmax, log_softmax, sparsemax and glu.

Pairs `name_forward(y, x)` and `name_backward(dx, dy, x, y)` on arrays (rows, features). NaN or inf in a row makes
that row NaN. Sums over features go in order and in float64: a row's bits don't depend on the other rows.
"""

from dseq.kernels.base import kernel
from dseq.kernels.math import exp, log, sigmoid


@kernel
def softmax_forward(y, x):
    # y, x (n, m)
    zero = x.dtype.type(0)
    n, m = x.shape
    for i in range(n):
        largest = x[i, 0] if m > 0 else zero
        for j in range(1, m):
            largest = x[i, j] if x[i, j] > largest else largest
        for j in range(m):
            y[i, j] = exp(x[i, j] - largest)
        total = 0.0
        for j in range(m):
            total += y[i, j]
        inverse = x.dtype.type(1.0 / total)
        for j in range(m):
            y[i, j] *= inverse


@kernel
def softmax_backward(dx, dy, x, y):
    # dx, dy, y (n, m)
    for i in range(y.shape[0]):
        total = 0.0
        for j in range(y.shape[1]):
            total += dy[i, j] * y[i, j]
        mean = y.dtype.type(total)
        for j in range(y.shape[1]):
            dx[i, j] += y[i, j] * (dy[i, j] - mean)


@kernel
def log_softmax_forward(y, x):
    # y, x (n, m)
    zero = x.dtype.type(0)
    n, m = x.shape
    for i in range(n):
        largest = x[i, 0] if m > 0 else zero
        for j in range(1, m):
            largest = x[i, j] if x[i, j] > largest else largest
        for j in range(m):
            y[i, j] = exp(x[i, j] - largest)
        total = 0.0
        for j in range(m):
            total += y[i, j]
        logarithm = log(x.dtype.type(total))
        for j in range(m):
            y[i, j] = (x[i, j] - largest) - logarithm


@kernel
def log_softmax_backward(dx, dy, x, y):
    # dx, dy, y (n, m)
    for i in range(y.shape[0]):
        total = 0.0
        for j in range(y.shape[1]):
            total += dy[i, j]
        gradient = y.dtype.type(total)
        for j in range(y.shape[1]):
            dx[i, j] += dy[i, j] - exp(y[i, j]) * gradient


@kernel
def sparsemax_forward(y, x):
    # y, x (n, m): x - tau where positive, with the tau that makes rows sum to 1
    zero = x.dtype.type(0)
    n, m = x.shape
    for i in range(n):
        largest = x[i, 0] if m > 0 else zero
        for j in range(1, m):
            largest = x[i, j] if x[i, j] > largest else largest
        total = -1.0
        for j in range(m):
            y[i, j] = x[i, j] - largest
            total += y[i, j]
        tau, count = total / m, m
        # Leaving out what is not above tau raises tau; it ends when nothing more drops out, after m rounds at most.
        for _ in range(m):
            total, kept = -1.0, 0
            for j in range(m):
                if not y[i, j] <= tau:  # kept if NaN
                    total += y[i, j]
                    kept += 1
            if kept == count:
                break
            tau, count = total / kept, kept
        shift = x.dtype.type(tau)
        for j in range(m):
            y[i, j] = zero if y[i, j] <= shift else y[i, j] - shift


@kernel
def sparsemax_backward(dx, dy, x, y):
    # dx, dy, y (n, m)
    zero, one = y.dtype.type(0), y.dtype.type(1)
    for i in range(y.shape[0]):
        total, count = zero, zero
        for j in range(y.shape[1]):
            total += zero if y[i, j] == zero else dy[i, j]
            count += zero if y[i, j] == zero else one
        mean = total / count
        for j in range(y.shape[1]):
            dx[i, j] += zero if y[i, j] == zero else dy[i, j] - mean


@kernel
def glu_forward(y, x):
    # y (n, m), x (n, 2 m): the first half of x times the sigmoid of the second
    m = y.shape[1]
    for i in range(y.shape[0]):
        for j in range(m):
            y[i, j] = x[i, j] * sigmoid(x[i, m + j])


@kernel
def glu_backward(dx, dy, x, y):
    # dx, x (n, 2 m), dy, y (n, m)
    one = x.dtype.type(1)
    m = y.shape[1]
    for i in range(y.shape[0]):
        for j in range(m):
            gate = sigmoid(x[i, m + j])
            dx[i, j] += dy[i, j] * gate
            dx[i, m + j] += dy[i, j] * (y[i, j] * (one - gate))

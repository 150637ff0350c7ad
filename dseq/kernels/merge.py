"""Several arrays made one: sums, products and extremes by element, columns side by side, values spread over axes.

Forward writes (`accumulate`, `divide` and a sum's further terms change y in place), backward adds.
"""

from dseq.kernels.base import kernel
from dseq.kernels.epilogue import bounds


@kernel
def add_forward(y, a, b, activation):
    # y, a, b (n,); the activation's code is one of dseq.kernels.epilogue
    bottom, top = bounds(y, activation)
    for i in range(y.size):
        value = a[i] + b[i]
        value = bottom if value <= bottom else value
        y[i] = top if value > top else value


@kernel
def accumulate(total, x):
    # total, x (n,)
    for i in range(total.size):
        total[i] += x[i]


@kernel
def assign(y, x):
    # y, x (n,)
    for i in range(y.size):
        y[i] = x[i]


@kernel
def subtract_forward(y, a, b):
    # y, a, b (n,)
    for i in range(y.size):
        y[i] = a[i] - b[i]


@kernel
def subtract_backward(db, dy):
    # db, dy (n,): the gradient of what is taken away
    for i in range(db.size):
        db[i] -= dy[i]


@kernel
def multiply_forward(y, a, b):
    # y, a, b (n,)
    for i in range(y.size):
        y[i] = a[i] * b[i]


@kernel
def multiply_backward(da, dy, b):
    # da, dy, b (n,): the gradient of one factor, b is the other
    for i in range(da.size):
        da[i] += dy[i] * b[i]


@kernel
def divide(y, count):
    # y (n,) in place, count (1,)
    n = count[0]
    for i in range(y.size):
        y[i] = y[i] / n


@kernel
def divide_backward(dx, dy, count):
    # dx, dy (n,), count (1,)
    n = count[0]
    for i in range(dx.size):
        dx[i] += dy[i] / n


@kernel
def maximum_forward(y, a, b):
    # y, a, b (n,); NaN if either is
    for i in range(y.size):
        y[i] = b[i] if b[i] > a[i] or b[i] != b[i] else a[i]


@kernel
def minimum_forward(y, a, b):
    # y, a, b (n,); NaN if either is
    for i in range(y.size):
        y[i] = b[i] if b[i] < a[i] or b[i] != b[i] else a[i]


@kernel
def choice_backward(dx, dy, high, low):
    # dx, dy, high, low (n,): dy where high > low, half of it where they are equal
    zero, half = dx.dtype.type(0), dx.dtype.type(0.5)
    for i in range(dx.size):
        tied = half * dy[i] if high[i] == low[i] else zero
        dx[i] += dy[i] if high[i] > low[i] else tied


# Slices, as an index that adds a number from elsewhere could be negative: a test for each element, and no vectors.


@kernel
def columns_forward(y, x, first):
    # y (n, m), x (n, k): the k columns of y from `first` on
    k = x.shape[1]
    for r in range(x.shape[0]):
        part = y[r, first : first + k]
        for j in range(k):
            part[j] = x[r, j]


@kernel
def columns_backward(dx, dy, first):
    # dx (n, k), dy (n, m)
    k = dx.shape[1]
    for r in range(dx.shape[0]):
        part = dy[r, first : first + k]
        for j in range(k):
            dx[r, j] += part[j]


@kernel
def spread_forward(y, x, index, length, step):
    # y (rows, runs * length), x (rows, f), index (runs,): where a run begins in x; step 1: it copies, 0: it repeats
    for r in range(y.shape[0]):
        for k in range(index.size):
            start = index[k]
            run = y[r, k * length : (k + 1) * length]
            if step == 1:
                part = x[r, start : start + length]
                for i in range(length):
                    run[i] = part[i]
            else:
                value = x[r, start]
                for i in range(length):
                    run[i] = value


# reassoc: a sum over one row's features, so its order does not depend on the number of rows.
@kernel(fastmath={"reassoc"})
def spread_backward(dx, dy, index, length, step):
    # dx (rows, f), dy (rows, runs * length), index and runs as in forward
    for r in range(dy.shape[0]):
        for k in range(index.size):
            start = index[k]
            run = dy[r, k * length : (k + 1) * length]
            if step == 1:
                part = dx[r, start : start + length]
                for i in range(length):
                    part[i] += run[i]
            else:
                total = dx.dtype.type(0)
                for i in range(length):
                    total += run[i]
                dx[r, start] += total

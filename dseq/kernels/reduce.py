"""Axes made one number: sums, means, products and extremes along the middle axis of (outer, k, inner), and over rows.

Forward writes, backward adds. Sums along an axis go in a fixed order within a row, in float64 where they are one
number's; sums over rows go in order and in float64.
"""

from dseq.kernels.base import inlined, kernel
from dseq.kernels.broadcast import total_of


@inlined
def _value(x):
    return x


@inlined
def _counts(x):
    return 1.0 if x != 0 else 0.0


@inlined
def _sum_along(f, y, x, divisor):
    for r in range(x.shape[0]):
        if x.shape[2] == 1:
            y[r, 0] = y.dtype.type(total_of(f, x[r].reshape(x.shape[1])) / divisor)
        else:
            out = y[r]
            for j in range(out.size):
                out[j] = 0
            for i in range(x.shape[1]):
                row = x[r, i]
                for j in range(out.size):
                    out[j] += y.dtype.type(f(row[j]))
            if divisor != 1.0:
                for j in range(out.size):
                    out[j] = y.dtype.type(out[j] / divisor)


@kernel
def sum_forward(y, x):
    # y (outer, inner), x (outer, k, inner)
    _sum_along(_value, y, x, 1.0)


@kernel
def mean_forward(y, x):
    # y (outer, inner), x (outer, k, inner)
    _sum_along(_value, y, x, float(x.shape[1]))


@kernel
def count_forward(y, x):
    # y (outer, inner): how many x (outer, k, inner) are not 0
    _sum_along(_counts, y, x, 1.0)


@kernel
def sum_backward(dx, dy):
    # dx (outer, k, inner), dy (outer, inner)
    for r in range(dx.shape[0]):
        row = dy[r]
        if dx.shape[2] == 1:
            to, value = dx[r].reshape(dx.shape[1]), row[0]
            for i in range(to.size):
                to[i] += value
        else:
            for i in range(dx.shape[1]):
                to = dx[r, i]
                for j in range(to.size):
                    to[j] += row[j]


@kernel
def mean_backward(dx, dy):
    # dx (outer, k, inner), dy (outer, inner)
    share = dx.dtype.type(1.0 / dx.shape[1]) if dx.shape[1] > 0 else dx.dtype.type(0)
    for r in range(dx.shape[0]):
        row = dy[r]
        for i in range(dx.shape[1]):
            to = dx[r, i]
            for j in range(to.size):
                to[j] += share * row[j]


@kernel
def maximum_along(y, x):
    # y (outer, inner), x (outer, k, inner); NaN if one is
    for r in range(x.shape[0]):
        out = y[r]
        for i in range(x.shape[1]):
            row = x[r, i]
            for j in range(out.size):
                out[j] = row[j] if i == 0 or row[j] > out[j] or row[j] != row[j] else out[j]


@kernel
def minimum_along(y, x):
    # y (outer, inner), x (outer, k, inner); NaN if one is
    for r in range(x.shape[0]):
        out = y[r]
        for i in range(x.shape[1]):
            row = x[r, i]
            for j in range(out.size):
                out[j] = row[j] if i == 0 or row[j] < out[j] or row[j] != row[j] else out[j]


@kernel
def extreme_backward(dx, dy, x, y):
    # dx, x (outer, k, inner), dy, y (outer, inner): equal ones share the gradient
    zero, one = dx.dtype.type(0), dx.dtype.type(1)
    for r in range(x.shape[0]):
        for j in range(x.shape[2]):
            ties = zero
            for i in range(x.shape[1]):
                ties += one if x[r, i, j] == y[r, j] else zero
            share = dy[r, j] / (ties if ties > zero else one)
            for i in range(x.shape[1]):
                dx[r, i, j] += share if x[r, i, j] == y[r, j] else zero


@kernel
def product_forward(y, x):
    # y (outer, inner), x (outer, k, inner)
    for r in range(x.shape[0]):
        out = y[r]
        for j in range(out.size):
            out[j] = 1
        for i in range(x.shape[1]):
            row = x[r, i]
            for j in range(out.size):
                out[j] *= row[j]


@kernel
def product_backward(dx, dy, x):
    # dx, x (outer, k, inner), dy (outer, inner): the product of all others, right where some are 0
    one = dx.dtype.type(1)
    k = x.shape[1]
    for r in range(x.shape[0]):
        for j in range(x.shape[2]):
            for i in range(k):
                others = one
                for m in range(k):
                    others *= one if m == i else x[r, m, j]
                dx[r, i, j] += dy[r, j] * others


@kernel
def argmax_along(y, x):
    # y (outer, inner) of integers, x (outer, k, inner): the first of the largest, or the first NaN
    for r in range(x.shape[0]):
        for j in range(x.shape[2]):
            best = 0
            for i in range(1, x.shape[1]):
                now, before = x[r, i, j], x[r, best, j]
                best = i if before == before and (now > before or now != now) else best
            y[r, j] = best


@kernel
def argmin_along(y, x):
    # y (outer, inner) of integers, x (outer, k, inner): the first of the smallest, or the first NaN
    for r in range(x.shape[0]):
        for j in range(x.shape[2]):
            best = 0
            for i in range(1, x.shape[1]):
                now, before = x[r, i, j], x[r, best, j]
                best = i if before == before and (now < before or now != now) else best
            y[r, j] = best


@kernel
def cumulate_forward(y, x):
    # y, x (outer, k, inner): the sum of all up to each
    for r in range(x.shape[0]):
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                y[r, i, j] = x[r, i, j] if i == 0 else y[r, i - 1, j] + x[r, i, j]


@kernel
def cumulate_backward(dx, dy):
    # dx, dy (outer, k, inner)
    for r in range(dx.shape[0]):
        for j in range(dx.shape[2]):
            total = dx.dtype.type(0)
            for i in range(dx.shape[1] - 1, -1, -1):
                total += dy[r, i, j]
                dx[r, i, j] += total


# Over rows, for the sum over ranks that follows: float64.


@kernel
def rows_total(total, x):
    # total (m + 1,), x (n, m): sums over rows, and their number
    m = x.shape[1]
    for j in range(total.size):
        total[j] = 0.0
    for r in range(x.shape[0]):
        row = x[r]
        for j in range(m):
            total[j] += row[j]
    total[m] = float(x.shape[0])


@kernel
def rows_sum(y, total):
    # y (m,) of any type, total (m + 1,)
    for j in range(y.size):
        y[j] = total[j]


@kernel
def rows_cast(y, x):
    # y, x (m,)
    for j in range(y.size):
        y[j] = x[j]


@kernel
def rows_mean(y, total):
    # y (m,), total (m + 1,)
    for j in range(y.size):
        y[j] = total[j] / total[y.size]


@kernel
def rows_sum_backward(dx, dy):
    # dx (n, m), dy (m,)
    for r in range(dx.shape[0]):
        to = dx[r]
        for j in range(to.size):
            to[j] += dy[j]


@kernel
def rows_mean_backward(dx, dy, total):
    # dx (n, m), dy (m,), total (m + 1,)
    share = dx.dtype.type(1.0 / total[dy.size])
    for r in range(dx.shape[0]):
        to = dx[r]
        for j in range(to.size):
            to[j] += share * dy[j]


@kernel
def rows_maximum(extreme, x):
    # extreme (m,), x (n, m): -inf if there are no rows
    low = -float("inf")
    for j in range(extreme.size):
        extreme[j] = low
    for r in range(x.shape[0]):
        row = x[r]
        for j in range(extreme.size):
            extreme[j] = row[j] if row[j] > extreme[j] or row[j] != row[j] else extreme[j]


@kernel
def rows_minimum(extreme, x):
    # extreme (m,), x (n, m): inf if there are no rows
    high = float("inf")
    for j in range(extreme.size):
        extreme[j] = high
    for r in range(x.shape[0]):
        row = x[r]
        for j in range(extreme.size):
            extreme[j] = row[j] if row[j] < extreme[j] or row[j] != row[j] else extreme[j]


@kernel
def rows_ties(ties, x, y):
    # ties (m,) float64, x (n, m), y (m,): how many rows have the extreme
    for j in range(ties.size):
        ties[j] = 0.0
    for r in range(x.shape[0]):
        row = x[r]
        for j in range(ties.size):
            ties[j] += 1.0 if row[j] == y[j] else 0.0


@kernel
def rows_extreme_backward(dx, dy, x, y, ties):
    # dx, x (n, m), dy, y (m,), ties (m,) of all ranks
    zero = dx.dtype.type(0)
    for r in range(dx.shape[0]):
        to, row = dx[r], x[r]
        for j in range(to.size):
            to[j] += dx.dtype.type(dy[j] / ties[j]) if row[j] == y[j] else zero


@kernel
def add_once(total, x, clock):
    # total, x (n,): on the first shard only, where x is the same on all
    if clock[3] == 0:
        for i in range(total.size):
            total[i] += x[i]

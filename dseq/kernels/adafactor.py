"""Adafactor on one whole weight: means of squares along rows and columns in the place of one number per element.

Weights of two and more axes are (b, n, m), the last two axes factored; r (b, n) and c (b, m) are decaying means of
the squares along them. hyper: [decay * rate, rate, epsilon_1, epsilon_2, 1 - beta_2, clip threshold]; sums are
float64 and in one order. clip is that of `dseq.kernels.optimizer`.
"""

import math

import numpy as np

from dseq.kernels.base import inlined, kernel
from dseq.kernels.optimizer import clipped


# reassoc: sums along contiguous elements, whose order depends on their number alone.
@kernel(fastmath={"reassoc"})
def _row_squares(columns, g, factor, limit, little):
    # adds the squares of g (m,) to columns (m,), float64, and returns their sum
    total = 0.0
    for j in range(g.size):
        x = clipped(g[j], factor, limit)
        square = np.float64(x * x + little)
        columns[j] += square
        total += square
    return total


@kernel(fastmath={"reassoc"})
def _row_steps(roots, g, factor, limit):
    # the sum of squares of g (m,) times roots (m,)
    total = 0.0
    for j in range(g.size):
        x = clipped(g[j], factor, limit) * roots[j]
        total += np.float64(x * x)
    return total


@kernel
def _inverse_roots(roots, x):
    # 1 / sqrt(x) for x (m,): a division and a root for each column, and none for each element
    for j in range(x.size):
        roots[j] = 1 / math.sqrt(x[j])


@kernel
def factored_moments(r, c, g, columns, hyper, clip):
    # columns (m,) is float64 scratch
    if clip[0] == 0:
        return
    b, n, m = g.shape
    factor, limit, little = g.dtype.type(clip[1]), g.dtype.type(clip[2]), g.dtype.type(hyper[2])
    fresh = hyper[4]
    for k in range(b):
        for j in range(m):
            columns[j] = 0.0
        for i in range(n):
            total = _row_squares(columns, g[k, i], factor, limit, little)
            r[k, i] = (1 - fresh) * r[k, i] + fresh * (total / m)
        means = c[k]
        for j in range(m):
            means[j] = (1 - fresh) * means[j] + fresh * (columns[j] / n)


@kernel
def factored_squares(total, r, c, g, roots, clip):
    # total (1,) = sum of squares of the step before its length; roots (m,) is scratch
    if clip[0] == 0:
        return
    b, n, m = g.shape
    factor, limit = g.dtype.type(clip[1]), g.dtype.type(clip[2])
    result = 0.0
    for k in range(b):
        mean = _mean(r[k])
        _inverse_roots(roots, c[k])
        for i in range(n):
            result += _row_steps(roots, g[k, i], factor, limit) / (r[k, i] / mean)
    total[0] = result


@inlined
def _mean(x):
    total = 0.0
    for i in range(x.size):
        total += np.float64(x[i])
    return total / max(x.size, 1)


@inlined
def _step(hyper, weights, steps, size):
    """The rate of the step: longer for large weights, shorter where the step itself is long."""
    length = 0.0
    for i in range(weights.size):
        length += weights[i]
    size = max(size, 1)
    length = abs(1 - hyper[0]) * math.sqrt(length / size)
    long = math.sqrt(steps[0] / size) / hyper[5]
    return hyper[1] * (hyper[3] if length < hyper[3] else length) / (1.0 if long < 1.0 else long)


@kernel
def factored(p, r, c, g, roots, weights, steps, hyper, clip):
    # p (b, n, m); weights (k,) and steps (1,): sums of squares of p before its decay and of the step
    if clip[0] == 0:
        return
    b, n, m = g.shape
    factor, limit = g.dtype.type(clip[1]), g.dtype.type(clip[2])
    decay, rate = p.dtype.type(hyper[0]), _step(hyper, weights, steps, p.size)
    for k in range(b):
        mean = _mean(r[k])
        _inverse_roots(roots, c[k])
        for i in range(n):
            own = p.dtype.type(rate / math.sqrt(r[k, i] / mean))
            _row_update(p[k, i], g[k, i], roots, own, decay, factor, limit)


@kernel
def _row_update(p, g, roots, rate, decay, factor, limit):
    for j in range(p.size):
        p[j] = (p[j] - p[j] * decay) - rate * (clipped(g[j], factor, limit) * roots[j])


@kernel
def plain_moments(u, v, g, hyper, clip):
    # weights of at most one axis: v (n,) mean of squares of g (n,), u (n,) scratch for the step before its length
    if clip[0] == 0:
        return
    factor, limit = u.dtype.type(clip[1]), u.dtype.type(clip[2])
    little, fresh, keep = u.dtype.type(hyper[2]), u.dtype.type(hyper[4]), u.dtype.type(1 - hyper[4])
    for i in range(u.size):
        x = clipped(g[i], factor, limit)
        v[i] = keep * v[i] + fresh * (x * x + little)
        u[i] = x / math.sqrt(v[i])


@kernel
def plain(p, v, g, weights, steps, hyper, clip):
    # steps (k,): sums of squares of u; p, v, g (n,)
    if clip[0] == 0:
        return
    factor, limit = p.dtype.type(clip[1]), p.dtype.type(clip[2])
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(_step(hyper, weights, steps, p.size))
    for i in range(p.size):
        x = clipped(g[i], factor, limit)
        p[i] = (p[i] - p[i] * decay) - rate * x / math.sqrt(v[i])

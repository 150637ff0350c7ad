"""Updates of weights: one pass over any slice of the flat arenas.

`name(p, g, slots..., hyper)`: p weights, g gradients, slots what the optimizer remembers, all (n,) and of one layout,
hyper float64 numbers refilled for each step. hyper[0] is always the weight decay times the learning rate, by which
weights shrink before the update; hyper[1] is the rate of the step. Every element is computed alone, so a slice's
update has the same bits as the whole's.
"""

import math

from dseq.kernels.base import inlined, kernel


@kernel
def sgd(p, g, hyper):
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    for i in range(p.size):
        p[i] = (p[i] - p[i] * decay) - rate * g[i]


@kernel
def momentum(p, g, m, hyper):
    decay, rate, keep = p.dtype.type(hyper[0]), p.dtype.type(hyper[1]), p.dtype.type(hyper[2])
    for i in range(p.size):
        m[i] = m[i] * keep - rate * g[i]
        p[i] = (p[i] - p[i] * decay) + m[i]


@kernel
def nesterov(p, g, m, hyper):
    decay, rate, keep = p.dtype.type(hyper[0]), p.dtype.type(hyper[1]), p.dtype.type(hyper[2])
    for i in range(p.size):
        m[i] = m[i] * keep - rate * g[i]
        p[i] = (p[i] - p[i] * decay) + (m[i] * keep - rate * g[i])


@kernel
def adam(p, g, m, v, hyper):
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    first, second, epsilon = p.dtype.type(hyper[2]), p.dtype.type(hyper[3]), p.dtype.type(hyper[4])
    for i in range(p.size):
        m[i] += (g[i] - m[i]) * first
        v[i] += (g[i] * g[i] - v[i]) * second
        p[i] = (p[i] - p[i] * decay) - rate * m[i] / (math.sqrt(v[i]) + epsilon)


@kernel
def adam_amsgrad(p, g, m, v, largest, hyper):
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    first, second, epsilon = p.dtype.type(hyper[2]), p.dtype.type(hyper[3]), p.dtype.type(hyper[4])
    for i in range(p.size):
        m[i] += (g[i] - m[i]) * first
        v[i] += (g[i] * g[i] - v[i]) * second
        largest[i] = largest[i] if largest[i] > v[i] else v[i]
        p[i] = (p[i] - p[i] * decay) - rate * m[i] / (math.sqrt(largest[i]) + epsilon)


@kernel
def rmsprop(p, g, v, hyper):
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    rho, rest, epsilon = p.dtype.type(hyper[2]), p.dtype.type(1 - hyper[2]), p.dtype.type(hyper[3])
    for i in range(p.size):
        v[i] = rho * v[i] + rest * (g[i] * g[i])
        p[i] = (p[i] - p[i] * decay) - rate * g[i] / math.sqrt(v[i] + epsilon)


@kernel
def rmsprop_momentum(p, g, v, m, hyper):
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    rho, rest, epsilon = p.dtype.type(hyper[2]), p.dtype.type(1 - hyper[2]), p.dtype.type(hyper[3])
    keep = p.dtype.type(hyper[4])
    for i in range(p.size):
        v[i] = rho * v[i] + rest * (g[i] * g[i])
        m[i] = keep * m[i] + rate * g[i] / math.sqrt(v[i] + epsilon)
        p[i] = (p[i] - p[i] * decay) - m[i]


@inlined
def _deviation(v, a, epsilon):
    """Root of the variance of gradients with mean square v and mean a; rounding may make their difference negative."""
    variance = v - a * a + epsilon
    return math.sqrt(epsilon if variance < epsilon else variance)


@kernel
def rmsprop_centered(p, g, v, a, hyper):
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    rho, rest, epsilon = p.dtype.type(hyper[2]), p.dtype.type(1 - hyper[2]), p.dtype.type(hyper[3])
    for i in range(p.size):
        v[i] = rho * v[i] + rest * (g[i] * g[i])
        a[i] = rho * a[i] + rest * g[i]
        p[i] = (p[i] - p[i] * decay) - rate * g[i] / _deviation(v[i], a[i], epsilon)


@kernel
def rmsprop_centered_momentum(p, g, v, m, a, hyper):
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    rho, rest, epsilon = p.dtype.type(hyper[2]), p.dtype.type(1 - hyper[2]), p.dtype.type(hyper[3])
    keep = p.dtype.type(hyper[4])
    for i in range(p.size):
        v[i] = rho * v[i] + rest * (g[i] * g[i])
        a[i] = rho * a[i] + rest * g[i]
        m[i] = keep * m[i] + rate * g[i] / _deviation(v[i], a[i], epsilon)
        p[i] = (p[i] - p[i] * decay) - m[i]


@kernel
def adagrad(p, g, a, hyper):
    decay, rate, epsilon = p.dtype.type(hyper[0]), p.dtype.type(hyper[1]), p.dtype.type(hyper[2])
    for i in range(p.size):
        a[i] += g[i] * g[i]
        p[i] = (p[i] - p[i] * decay) - rate * g[i] / math.sqrt(a[i] + epsilon)


@kernel
def adadelta(p, g, a, d, hyper):
    # a mean square of gradients, d of steps
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    rho, rest, epsilon = p.dtype.type(hyper[2]), p.dtype.type(1 - hyper[2]), p.dtype.type(hyper[3])
    for i in range(p.size):
        a[i] = rho * a[i] + rest * (g[i] * g[i])
        step = math.sqrt(d[i] + epsilon) / math.sqrt(a[i] + epsilon) * g[i]
        d[i] = rho * d[i] + rest * (step * step)
        p[i] = (p[i] - p[i] * decay) - rate * step


@kernel
def adamax(p, g, m, u, hyper):
    # hyper[1] is the rate divided by 1 - beta_1 ** t
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    first, keep, epsilon = p.dtype.type(hyper[2]), p.dtype.type(hyper[3]), p.dtype.type(hyper[4])
    for i in range(p.size):
        m[i] += (g[i] - m[i]) * first
        size = abs(g[i])
        u[i] = size if not keep * u[i] > size else keep * u[i]
        p[i] = (p[i] - p[i] * decay) - rate * m[i] / (u[i] + epsilon)


@kernel
def nadam(p, g, m, v, hyper):
    # hyper[5], hyper[6]: what m and g are multiplied by in the step; hyper[7]: 1 - beta_2 ** t
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    first, second, epsilon = p.dtype.type(hyper[2]), p.dtype.type(hyper[3]), p.dtype.type(hyper[4])
    past, present, correction = p.dtype.type(hyper[5]), p.dtype.type(hyper[6]), p.dtype.type(1 / hyper[7])
    for i in range(p.size):
        m[i] += (g[i] - m[i]) * first
        v[i] += (g[i] * g[i] - v[i]) * second
        step = past * m[i] + present * g[i]
        p[i] = (p[i] - p[i] * decay) - rate * step / (math.sqrt(v[i] * correction) + epsilon)


@kernel
def lion(p, g, m, hyper):
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    first, first_rest = p.dtype.type(hyper[2]), p.dtype.type(1 - hyper[2])
    second, second_rest = p.dtype.type(hyper[3]), p.dtype.type(1 - hyper[3])
    zero, one = p.dtype.type(0), p.dtype.type(1)
    for i in range(p.size):
        step = first * m[i] + first_rest * g[i]
        below = -one if step < zero else step  # 0 at 0, and NaN stays NaN
        p[i] = (p[i] - p[i] * decay) - rate * (one if step > zero else below)
        m[i] = second * m[i] + second_rest * g[i]

"""Updates of weights: one pass over any slice of the flat arenas.

`name(p, g, slots..., hyper, clip)`: p weights, g gradients, slots what the optimizer remembers, all (n,) and of one
layout. hyper are float64 numbers refilled for each step: hyper[0] is always the weight decay times the learning rate,
by which weights shrink before the update; hyper[1] is the rate of the step. clip is the gate in front of the update,
`[go, factor, limit]`: nothing happens where go is 0, else gradients count times factor and within the limit
(`dseq.kernels.clip`). Every element is computed alone, so a slice's update has the same bits as the whole's.
"""

import math

from dseq.kernels.base import inlined, kernel
from dseq.kernels.math import exp, log


@inlined
def clipped(g, factor, limit):
    """A gradient times a factor and within a limit; NaN stays NaN."""
    x = g * factor
    x = limit if x > limit else x
    return -limit if x < -limit else x


@kernel
def sgd(p, g, hyper, clip):
    if clip[0] == 0:
        return
    factor, limit = p.dtype.type(clip[1]), p.dtype.type(clip[2])
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    for i in range(p.size):
        x = clipped(g[i], factor, limit)
        p[i] = (p[i] - p[i] * decay) - rate * x


@kernel
def momentum(p, g, m, hyper, clip):
    if clip[0] == 0:
        return
    factor, limit = p.dtype.type(clip[1]), p.dtype.type(clip[2])
    decay, rate, keep = p.dtype.type(hyper[0]), p.dtype.type(hyper[1]), p.dtype.type(hyper[2])
    for i in range(p.size):
        x = clipped(g[i], factor, limit)
        m[i] = m[i] * keep - rate * x
        p[i] = (p[i] - p[i] * decay) + m[i]


@kernel
def nesterov(p, g, m, hyper, clip):
    if clip[0] == 0:
        return
    factor, limit = p.dtype.type(clip[1]), p.dtype.type(clip[2])
    decay, rate, keep = p.dtype.type(hyper[0]), p.dtype.type(hyper[1]), p.dtype.type(hyper[2])
    for i in range(p.size):
        x = clipped(g[i], factor, limit)
        m[i] = m[i] * keep - rate * x
        p[i] = (p[i] - p[i] * decay) + (m[i] * keep - rate * x)


@kernel
def adam(p, g, m, v, hyper, clip):
    if clip[0] == 0:
        return
    factor, limit = p.dtype.type(clip[1]), p.dtype.type(clip[2])
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    first, second, epsilon = p.dtype.type(hyper[2]), p.dtype.type(hyper[3]), p.dtype.type(hyper[4])
    for i in range(p.size):
        x = clipped(g[i], factor, limit)
        m[i] += (x - m[i]) * first
        v[i] += (x * x - v[i]) * second
        p[i] = (p[i] - p[i] * decay) - rate * m[i] / (math.sqrt(v[i]) + epsilon)


@kernel
def adam_amsgrad(p, g, m, v, largest, hyper, clip):
    if clip[0] == 0:
        return
    factor, limit = p.dtype.type(clip[1]), p.dtype.type(clip[2])
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    first, second, epsilon = p.dtype.type(hyper[2]), p.dtype.type(hyper[3]), p.dtype.type(hyper[4])
    for i in range(p.size):
        x = clipped(g[i], factor, limit)
        m[i] += (x - m[i]) * first
        v[i] += (x * x - v[i]) * second
        largest[i] = largest[i] if largest[i] > v[i] else v[i]
        p[i] = (p[i] - p[i] * decay) - rate * m[i] / (math.sqrt(largest[i]) + epsilon)


@kernel
def rmsprop(p, g, v, hyper, clip):
    if clip[0] == 0:
        return
    factor, limit = p.dtype.type(clip[1]), p.dtype.type(clip[2])
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    rho, rest, epsilon = p.dtype.type(hyper[2]), p.dtype.type(1 - hyper[2]), p.dtype.type(hyper[3])
    for i in range(p.size):
        x = clipped(g[i], factor, limit)
        v[i] = rho * v[i] + rest * (x * x)
        p[i] = (p[i] - p[i] * decay) - rate * x / math.sqrt(v[i] + epsilon)


@kernel
def rmsprop_momentum(p, g, v, m, hyper, clip):
    if clip[0] == 0:
        return
    factor, limit = p.dtype.type(clip[1]), p.dtype.type(clip[2])
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    rho, rest, epsilon = p.dtype.type(hyper[2]), p.dtype.type(1 - hyper[2]), p.dtype.type(hyper[3])
    keep = p.dtype.type(hyper[4])
    for i in range(p.size):
        x = clipped(g[i], factor, limit)
        v[i] = rho * v[i] + rest * (x * x)
        m[i] = keep * m[i] + rate * x / math.sqrt(v[i] + epsilon)
        p[i] = (p[i] - p[i] * decay) - m[i]


@inlined
def _deviation(v, a, epsilon):
    """Root of the variance of gradients with mean square v and mean a; rounding may make their difference negative."""
    variance = v - a * a + epsilon
    return math.sqrt(epsilon if variance < epsilon else variance)


@kernel
def rmsprop_centered(p, g, v, a, hyper, clip):
    if clip[0] == 0:
        return
    factor, limit = p.dtype.type(clip[1]), p.dtype.type(clip[2])
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    rho, rest, epsilon = p.dtype.type(hyper[2]), p.dtype.type(1 - hyper[2]), p.dtype.type(hyper[3])
    for i in range(p.size):
        x = clipped(g[i], factor, limit)
        v[i] = rho * v[i] + rest * (x * x)
        a[i] = rho * a[i] + rest * x
        p[i] = (p[i] - p[i] * decay) - rate * x / _deviation(v[i], a[i], epsilon)


@kernel
def rmsprop_centered_momentum(p, g, v, m, a, hyper, clip):
    if clip[0] == 0:
        return
    factor, limit = p.dtype.type(clip[1]), p.dtype.type(clip[2])
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    rho, rest, epsilon = p.dtype.type(hyper[2]), p.dtype.type(1 - hyper[2]), p.dtype.type(hyper[3])
    keep = p.dtype.type(hyper[4])
    for i in range(p.size):
        x = clipped(g[i], factor, limit)
        v[i] = rho * v[i] + rest * (x * x)
        a[i] = rho * a[i] + rest * x
        m[i] = keep * m[i] + rate * x / _deviation(v[i], a[i], epsilon)
        p[i] = (p[i] - p[i] * decay) - m[i]


@kernel
def adagrad(p, g, a, hyper, clip):
    if clip[0] == 0:
        return
    factor, limit = p.dtype.type(clip[1]), p.dtype.type(clip[2])
    decay, rate, epsilon = p.dtype.type(hyper[0]), p.dtype.type(hyper[1]), p.dtype.type(hyper[2])
    for i in range(p.size):
        x = clipped(g[i], factor, limit)
        a[i] += x * x
        p[i] = (p[i] - p[i] * decay) - rate * x / math.sqrt(a[i] + epsilon)


@kernel
def adadelta(p, g, a, d, hyper, clip):
    # a mean square of gradients, d of steps
    if clip[0] == 0:
        return
    factor, limit = p.dtype.type(clip[1]), p.dtype.type(clip[2])
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    rho, rest, epsilon = p.dtype.type(hyper[2]), p.dtype.type(1 - hyper[2]), p.dtype.type(hyper[3])
    for i in range(p.size):
        x = clipped(g[i], factor, limit)
        a[i] = rho * a[i] + rest * (x * x)
        step = math.sqrt(d[i] + epsilon) / math.sqrt(a[i] + epsilon) * x
        d[i] = rho * d[i] + rest * (step * step)
        p[i] = (p[i] - p[i] * decay) - rate * step


@kernel
def adamax(p, g, m, u, hyper, clip):
    # hyper[1] is the rate divided by 1 - beta_1 ** t
    if clip[0] == 0:
        return
    factor, limit = p.dtype.type(clip[1]), p.dtype.type(clip[2])
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    first, keep, epsilon = p.dtype.type(hyper[2]), p.dtype.type(hyper[3]), p.dtype.type(hyper[4])
    for i in range(p.size):
        x = clipped(g[i], factor, limit)
        m[i] += (x - m[i]) * first
        size = abs(x)
        u[i] = size if not keep * u[i] > size else keep * u[i]
        p[i] = (p[i] - p[i] * decay) - rate * m[i] / (u[i] + epsilon)


@kernel
def nadam(p, g, m, v, hyper, clip):
    # hyper[5], hyper[6]: what m and g are multiplied by in the step; hyper[7]: 1 - beta_2 ** t
    if clip[0] == 0:
        return
    factor, limit = p.dtype.type(clip[1]), p.dtype.type(clip[2])
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    first, second, epsilon = p.dtype.type(hyper[2]), p.dtype.type(hyper[3]), p.dtype.type(hyper[4])
    past, present, correction = p.dtype.type(hyper[5]), p.dtype.type(hyper[6]), p.dtype.type(1 / hyper[7])
    for i in range(p.size):
        x = clipped(g[i], factor, limit)
        m[i] += (x - m[i]) * first
        v[i] += (x * x - v[i]) * second
        step = past * m[i] + present * x
        p[i] = (p[i] - p[i] * decay) - rate * step / (math.sqrt(v[i] * correction) + epsilon)


@kernel
def lion(p, g, m, hyper, clip):
    if clip[0] == 0:
        return
    factor, limit = p.dtype.type(clip[1]), p.dtype.type(clip[2])
    decay, rate = p.dtype.type(hyper[0]), p.dtype.type(hyper[1])
    first, first_rest = p.dtype.type(hyper[2]), p.dtype.type(1 - hyper[2])
    second, second_rest = p.dtype.type(hyper[3]), p.dtype.type(1 - hyper[3])
    zero, one = p.dtype.type(0), p.dtype.type(1)
    for i in range(p.size):
        x = clipped(g[i], factor, limit)
        step = first * m[i] + first_rest * x
        below = -one if step < zero else step  # 0 at 0, and NaN stays NaN
        p[i] = (p[i] - p[i] * decay) - rate * (one if step > zero else below)
        m[i] = second * m[i] + second_rest * x


@inlined
def _follow(z, limit, quadratic):
    """The weight whose regularised losses so far are least: z clipped to the limit, minus z, over the curvature."""
    inside = limit if z > limit else z
    inside = -limit if inside < -limit else inside
    return (inside - z) / quadratic


@kernel
def ftrl(p, g, n, z, hyper, clip):
    # n sum of squares, z linear term; hyper[2]: l1, hyper[3]: twice l2 + beta / (2 rate), hyper[4]: twice the shrinkage
    if clip[0] == 0:
        return
    factor, limit = p.dtype.type(clip[1]), p.dtype.type(clip[2])
    decay, over = p.dtype.type(hyper[0]), p.dtype.type(1 / hyper[1])
    lasso, ridge, shrink = p.dtype.type(hyper[2]), p.dtype.type(hyper[3]), p.dtype.type(hyper[4])
    for i in range(p.size):
        x = clipped(g[i], factor, limit)
        w = p[i] - p[i] * decay
        total = n[i] + x * x
        now = math.sqrt(total) * over
        z[i] += (x + shrink * w) - (now - math.sqrt(n[i]) * over) * w
        n[i] = total
        p[i] = _follow(z[i], lasso, now + ridge)


@inlined
def _power(x, exponent, zero, of_zero):
    """x ** exponent for x >= 0 and exponent >= 0, given 0 and its power."""
    y = exp(log(x) * exponent)
    return of_zero if x == zero else y


@kernel
def ftrl_power(p, g, n, z, hyper, clip):
    # as ftrl, with another power than the square root: hyper[5]
    if clip[0] == 0:
        return
    factor, limit = p.dtype.type(clip[1]), p.dtype.type(clip[2])
    decay, over = p.dtype.type(hyper[0]), p.dtype.type(1 / hyper[1])
    lasso, ridge, shrink = p.dtype.type(hyper[2]), p.dtype.type(hyper[3]), p.dtype.type(hyper[4])
    power, zero, of_zero = p.dtype.type(hyper[5]), p.dtype.type(0), p.dtype.type(0.0 ** hyper[5])
    for i in range(p.size):
        x = clipped(g[i], factor, limit)
        w = p[i] - p[i] * decay
        total = n[i] + x * x
        now = _power(total, power, zero, of_zero) * over
        z[i] += (x + shrink * w) - (now - _power(n[i], power, zero, of_zero) * over) * w
        n[i] = total
        p[i] = _follow(z[i], lasso, now + ridge)


@kernel
def schedule_free(p, g, m, v, hyper, clip):
    # m where plain steps lead, p between m and their mean; hyper[2]: 1 in the first step, when m begins at p;
    # hyper[3]: beta_1, hyper[4]: 1 - beta_2, hyper[5]: 1 - beta_2 ** t, hyper[6]: epsilon, hyper[7]: 1 / t
    if clip[0] == 0:
        return
    factor, limit = p.dtype.type(clip[1]), p.dtype.type(clip[2])
    decay, rate, begin = p.dtype.type(hyper[0]), p.dtype.type(hyper[1]), hyper[2] != 0
    between, beside = p.dtype.type(hyper[3]), p.dtype.type(1 - hyper[3])
    second, correction, epsilon = p.dtype.type(hyper[4]), p.dtype.type(1 / hyper[5]), p.dtype.type(hyper[6])
    share, rest = p.dtype.type(hyper[7]), p.dtype.type(1 - hyper[7])
    for i in range(p.size):
        x = clipped(g[i], factor, limit)
        w = p[i]
        old = w if begin else m[i]
        w -= w * decay
        v[i] += (x * x - v[i]) * second
        new = old - rate * x / (math.sqrt(v[i] * correction) + epsilon)
        mean = (w - beside * old) / between
        m[i] = new
        p[i] = beside * new + between * (rest * mean + share * new)

"""Updates whose step is as long as the weights it changes say: Lamb and LARS, each on one whole weight.

Norms first (`dseq.kernels.clip.square_sum` of the weight and of what moves it, both (n,) sums of pieces), then the
ratio, then the update. hyper and clip are those of `dseq.kernels.optimizer`.
"""

import math

from dseq.kernels.base import inlined, kernel
from dseq.kernels.optimizer import clipped


@inlined
def _norm(squares):
    total = 0.0
    for i in range(squares.size):
        total += squares[i]
    return math.sqrt(total)


@inlined
def _direction(m, v, first, second, epsilon):
    return m * first / (math.sqrt(v * second) + epsilon)


@kernel
def lamb_direction(u, g, m, v, hyper, clip):
    # u (n,) scratch: the step before its length; hyper[5], hyper[6]: 1 - beta_1 ** t, 1 - beta_2 ** t
    if clip[0] == 0:
        return
    factor, limit = u.dtype.type(clip[1]), u.dtype.type(clip[2])
    first, second, epsilon = u.dtype.type(hyper[2]), u.dtype.type(hyper[3]), u.dtype.type(hyper[4])
    mean, root = u.dtype.type(1 / hyper[5]), u.dtype.type(1 / hyper[6])
    for i in range(u.size):
        x = clipped(g[i], factor, limit)
        m[i] += (x - m[i]) * first
        v[i] += (x * x - v[i]) * second
        u[i] = _direction(m[i], v[i], mean, root, epsilon)


@kernel
def lamb_ratio(ratio, weights, steps, hyper):
    # ratio (1,) float64 from the sums of squares of the weight, before its decay, and of lamb_direction
    w, u = abs(1 - hyper[0]) * _norm(weights), _norm(steps)
    ratio[0] = 1.0
    if w > 0 and u > 0:
        ratio[0] = w / u


@kernel
def lamb(p, m, v, ratio, hyper, clip):
    if clip[0] == 0:
        return
    decay, rate, epsilon = p.dtype.type(hyper[0]), p.dtype.type(hyper[1] * ratio[0]), p.dtype.type(hyper[4])
    mean, root = p.dtype.type(1 / hyper[5]), p.dtype.type(1 / hyper[6])
    for i in range(p.size):
        p[i] = (p[i] - p[i] * decay) - rate * _direction(m[i], v[i], mean, root, epsilon)


@kernel
def lars_ratio(ratio, weights, gradients, hyper):
    # hyper[0]: the weight decay itself, hyper[3]: the trust coefficient or 0 for none, hyper[4]: epsilon
    w, g = _norm(weights), _norm(gradients)
    ratio[0] = 1.0
    if hyper[3] != 0 and w > 0 and g > 0:
        ratio[0] = hyper[3] * w / (g + hyper[0] * w + hyper[4])


@kernel
def lars(p, g, m, ratio, hyper, clip):
    # hyper[2]: momentum, hyper[5]: 1 for Nesterov's
    if clip[0] == 0:
        return
    factor, limit = p.dtype.type(clip[1]), p.dtype.type(clip[2])
    decay, rate, keep = p.dtype.type(hyper[0]), p.dtype.type(hyper[1] * ratio[0]), p.dtype.type(hyper[2])
    ahead, now = p.dtype.type(0), p.dtype.type(1)
    if hyper[5] != 0:
        ahead, now = rate, keep
    for i in range(p.size):
        x = clipped(g[i], factor, limit) + decay * p[i]
        m[i] = keep * m[i] + rate * x
        p[i] -= now * m[i] + ahead * x

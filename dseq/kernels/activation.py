"""Smooth activations, element by element; `dseq.kernels.math` has what they are made of.

Every pair is `name_forward(y, x, ...)` and `name_backward(dx, dy, x, y, ...)` on arrays of one dimension; real
parameters are arrays of one element. Backward adds dy times the derivative, from y where that is cheaper than from x.
"""

import math

from dseq.kernels.base import kernel
from dseq.kernels.math import clamp, erf, exp, expm1, sigmoid, softplus, tanh

ROOT_HALF = math.sqrt(0.5)
NORMAL_DENSITY = 1 / math.sqrt(2 * math.pi)
# gelu's approximation is x sigmoid(GELU_SLOPE (x + GELU_CUBE x**3)), 2 u in the paper's tanh(u).
GELU_SLOPE, GELU_CUBE = 2 * math.sqrt(2 / math.pi), 0.044715


@kernel
def sigmoid_forward(y, x):
    for i in range(x.size):
        y[i] = sigmoid(x[i])


@kernel
def sigmoid_backward(dx, dy, x, y):
    one = x.dtype.type(1)
    for i in range(x.size):
        dx[i] += dy[i] * (y[i] * (one - y[i]))


@kernel
def tanh_forward(y, x):
    for i in range(x.size):
        y[i] = tanh(x[i])


@kernel
def tanh_backward(dx, dy, x, y):
    one = x.dtype.type(1)
    for i in range(x.size):
        dx[i] += dy[i] * ((one - y[i]) * (one + y[i]))


@kernel
def tanh_shrink_forward(y, x):
    for i in range(x.size):
        y[i] = x[i] - tanh(x[i])


@kernel
def tanh_shrink_backward(dx, dy, x, y):
    for i in range(x.size):
        t = tanh(x[i])
        dx[i] += dy[i] * (t * t)


@kernel
def exponential_forward(y, x):
    for i in range(x.size):
        y[i] = exp(x[i])


@kernel
def exponential_backward(dx, dy, x, y):
    for i in range(x.size):
        dx[i] += dy[i] * y[i]


@kernel
def softplus_forward(y, x):
    for i in range(x.size):
        y[i] = softplus(x[i])


@kernel
def softplus_backward(dx, dy, x, y):
    for i in range(x.size):
        dx[i] += dy[i] * sigmoid(x[i])


@kernel
def log_sigmoid_forward(y, x):
    for i in range(x.size):
        y[i] = -softplus(-x[i])


@kernel
def log_sigmoid_backward(dx, dy, x, y):
    for i in range(x.size):
        dx[i] += dy[i] * sigmoid(-x[i])


@kernel
def softsign_forward(y, x):
    one = x.dtype.type(1)
    for i in range(x.size):
        y[i] = x[i] / (one + abs(x[i]))


@kernel
def softsign_backward(dx, dy, x, y):
    one = x.dtype.type(1)
    for i in range(x.size):
        root = one / (one + abs(x[i]))
        dx[i] += dy[i] * (root * root)


@kernel
def elu_forward(y, x, alpha, scale):
    # scale x above 0, scale alpha (exp(x) - 1) below; selu is its case of two special numbers
    zero, a, s = x.dtype.type(0), alpha[0], scale[0]
    for i in range(x.size):
        y[i] = s * (a * expm1(x[i]) if x[i] <= zero else x[i])


@kernel
def elu_backward(dx, dy, x, y, alpha, scale):
    zero, a, s = x.dtype.type(0), alpha[0], scale[0]
    for i in range(x.size):
        dx[i] += dy[i] * (s * (a * exp(x[i]) if x[i] <= zero else x.dtype.type(1)))


@kernel
def celu_forward(y, x, alpha):
    # x above 0, alpha (exp(x / alpha) - 1) below
    zero, a = x.dtype.type(0), alpha[0]
    for i in range(x.size):
        y[i] = a * expm1(x[i] / a) if x[i] <= zero else x[i]


@kernel
def celu_backward(dx, dy, x, y, alpha):
    zero, one, a = x.dtype.type(0), x.dtype.type(1), alpha[0]
    for i in range(x.size):
        dx[i] += dy[i] * (exp(x[i] / a) if x[i] <= zero else one)


@kernel
def silu_forward(y, x):
    for i in range(x.size):
        y[i] = x[i] * sigmoid(x[i])


@kernel
def silu_backward(dx, dy, x, y):
    one = x.dtype.type(1)
    for i in range(x.size):
        gate = sigmoid(x[i])
        dx[i] += dy[i] * (gate + y[i] * (one - gate))


@kernel
def gelu_forward(y, x):
    half, one, root = x.dtype.type(0.5), x.dtype.type(1), x.dtype.type(ROOT_HALF)
    for i in range(x.size):
        y[i] = x[i] * (half * (one + erf(x[i] * root)))


@kernel
def gelu_backward(dx, dy, x, y):
    half, one, root = x.dtype.type(0.5), x.dtype.type(1), x.dtype.type(ROOT_HALF)
    density = x.dtype.type(NORMAL_DENSITY)
    for i in range(x.size):
        below = half * (one + erf(x[i] * root))
        dx[i] += dy[i] * (below + x[i] * (density * exp(-half * (x[i] * x[i]))))


@kernel
def gelu_approximate_forward(y, x):
    one, slope, cube = x.dtype.type(1), x.dtype.type(GELU_SLOPE), x.dtype.type(GELU_CUBE)
    for i in range(x.size):
        y[i] = x[i] * sigmoid(slope * (x[i] * (one + cube * (x[i] * x[i]))))


@kernel
def gelu_approximate_backward(dx, dy, x, y):
    one, three, thirty = x.dtype.type(1), x.dtype.type(3), x.dtype.type(30)
    slope, cube = x.dtype.type(GELU_SLOPE), x.dtype.type(GELU_CUBE)
    for i in range(x.size):
        u = clamp(x[i], -thirty, thirty)  # beyond, the gate is shut or open, and 0 times an overflow is NaN
        square = cube * (u * u)
        gate = sigmoid(slope * (u * (one + square)))
        dx[i] += dy[i] * (gate + (u * gate) * ((one - gate) * (slope * (one + three * square))))


@kernel
def mish_forward(y, x):
    # tanh(log(1 + e)) = e (e + 2) / (e (e + 2) + 2) with e = exp(x), 1 where exp would overflow
    two, most = x.dtype.type(2), x.dtype.type(20)
    for i in range(x.size):
        e = exp(most if x[i] > most else x[i])
        ratio = e * (e + two)
        y[i] = x[i] * (ratio / (ratio + two))


@kernel
def mish_backward(dx, dy, x, y):
    two, most = x.dtype.type(2), x.dtype.type(20)
    one, four = x.dtype.type(1), x.dtype.type(4)
    for i in range(x.size):
        inside = most if x[i] > most else x[i]
        e = exp(inside)
        ratio = e * (e + two)
        inverse = one / (ratio + two)
        # (1 - tanh**2) sigmoid = 4 e (1 + e) / (ratio + 2)**2
        dx[i] += dy[i] * (ratio * inverse + inside * ((four * (e * (one + e))) * (inverse * inverse)))


@kernel
def squareplus_forward(y, x, b):
    half, bend = x.dtype.type(0.5), b[0]
    for i in range(x.size):
        y[i] = half * (x[i] + math.sqrt(x[i] * x[i] + bend))


@kernel
def squareplus_backward(dx, dy, x, y, b):
    half, one, bend = x.dtype.type(0.5), x.dtype.type(1), b[0]
    for i in range(x.size):
        dx[i] += dy[i] * (half * (one + x[i] / math.sqrt(x[i] * x[i] + bend)))


@kernel
def sparse_plus_forward(y, x):
    # 0 up to -1, x from 1, (x + 1)**2 / 4 between
    zero, one, half = x.dtype.type(0), x.dtype.type(1), x.dtype.type(0.5)
    for i in range(x.size):
        root = half * (x[i] + one)
        below = zero if x[i] <= -one else root * root
        y[i] = x[i] if x[i] >= one else below


@kernel
def sparse_plus_backward(dx, dy, x, y):
    zero, one, half = x.dtype.type(0), x.dtype.type(1), x.dtype.type(0.5)
    for i in range(x.size):
        dx[i] += dy[i] * clamp(half * (x[i] + one), zero, one)

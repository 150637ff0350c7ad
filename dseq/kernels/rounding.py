"""Functions of one array without a gradient: whole numbers near by, signs, and what is special about a number.

`name_forward(y, x)` on flat arrays.
"""

import math

import numpy as np

from dseq.kernels.base import inlined, kernel
from dseq.kernels.broadcast import each
from dseq.kernels.primitives import like

# The scalar functions.


@inlined
def _sign(x):
    # NaN stays NaN
    return like(x, 1.0) if x > 0 else (like(x, -1.0) if x < 0 else x)


@inlined
def _floor(x):
    return np.floor(x)


@inlined
def _ceil(x):
    return np.ceil(x)


@inlined
def _round(x):
    return np.rint(x)


@inlined
def _trunc(x):
    return np.trunc(x)


@inlined
def _isnan(x):
    return x != x


@inlined
def _isinf(x):
    return abs(x) == like(x, math.inf)


@inlined
def _isfinite(x):
    return abs(x) < like(x, math.inf)


@inlined
def _truth(x):
    return x != 0


@inlined
def _falsehood(x):
    return x == 0


# The kernels.


@kernel
def sign_forward(y, x):
    each(_sign, y, x)


@kernel
def floor_forward(y, x):
    each(_floor, y, x)


@kernel
def ceil_forward(y, x):
    each(_ceil, y, x)


@kernel
def round_forward(y, x):
    each(_round, y, x)


@kernel
def trunc_forward(y, x):
    each(_trunc, y, x)


@kernel
def isnan_forward(y, x):
    each(_isnan, y, x)


@kernel
def isinf_forward(y, x):
    each(_isinf, y, x)


@kernel
def isfinite_forward(y, x):
    each(_isfinite, y, x)


@kernel
def truth_forward(y, x):
    each(_truth, y, x)


@kernel
def falsehood_forward(y, x):
    each(_falsehood, y, x)


@kernel
def round_decimals(y, x, factor):
    # y, x (n,), factor (1,): a power of 10
    f = factor[0]
    for i in range(x.size):
        y[i] = np.rint(x[i] * f) / f


@kernel
def clip_whole(y, x, low, high):
    # y, x (n,) of integers, low, high (1,)
    bottom, top = low[0], high[0]
    for i in range(x.size):
        above = bottom if x[i] < bottom else x[i]
        y[i] = top if above > top else above


@kernel
def clip_backward(dx, dy, x, low, high):
    # the gradient passes at the bounds themselves, as Keras' does
    bottom, top, zero = low[0], high[0], dx.dtype.type(0)
    for i in range(dx.size):
        dx[i] += zero if x[i] < bottom or x[i] > top else dy[i]

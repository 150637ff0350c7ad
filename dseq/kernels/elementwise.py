"""Powers, roots, exponentials and logarithms, element by element, beyond the activations.

Pairs `name_forward(y, x)` and `name_backward(dx, dy, x, y)` on flat arrays.
"""

import math

from dseq.kernels.base import inlined, kernel
from dseq.kernels.broadcast import each, each_backward
from dseq.kernels.math import erf, exp, expm1, log, log1p
from dseq.kernels.primitives import like, square_root

# The scalar functions, and their slopes times dy.


@inlined
def _negative(x):
    return -x


@inlined
def _negative_slope(dy, x, y):
    return -dy


@inlined
def _absolute(x):
    return abs(x)


@inlined
def _absolute_slope(dy, x, y):
    return dy if x > 0 else (-dy if x < 0 else like(dy, 0.0))


@inlined
def _square(x):
    return x * x


@inlined
def _square_slope(dy, x, y):
    return dy * (x + x)


@inlined
def _sqrt(x):
    return square_root(x)


@inlined
def _sqrt_slope(dy, x, y):
    return dy * (like(x, 0.5) / y)


@inlined
def _rsqrt(x):
    return like(x, 1.0) / square_root(x)


@inlined
def _rsqrt_slope(dy, x, y):
    return dy * (like(x, -0.5) * (y / x))


@inlined
def _reciprocal(x):
    return like(x, 1.0) / x


@inlined
def _reciprocal_slope(dy, x, y):
    return -(dy * (y * y))


@inlined
def _cube(x):
    return x * x * x


@inlined
def _cube_slope(dy, x, y):
    return dy * (like(x, 3.0) * (x * x))


@inlined
def _expm1_slope(dy, x, y):
    return dy * exp(x)


@inlined
def _log_slope(dy, x, y):
    return dy / x


@inlined
def _log1p_slope(dy, x, y):
    return dy / (x + like(x, 1.0))


@inlined
def _log2(x):
    return log(x) * like(x, 1 / math.log(2.0))


@inlined
def _log2_slope(dy, x, y):
    return dy * (like(x, 1 / math.log(2.0)) / x)


@inlined
def _log10(x):
    return log(x) * like(x, 1 / math.log(10.0))


@inlined
def _log10_slope(dy, x, y):
    return dy * (like(x, 1 / math.log(10.0)) / x)


@inlined
def _erf_slope(dy, x, y):
    return dy * (like(x, 2 / math.sqrt(math.pi)) * exp(-(x * x)))


# The kernels.


@kernel
def negative_forward(y, x):
    each(_negative, y, x)


@kernel
def negative_backward(dx, dy, x, y):
    each_backward(_negative_slope, dx, dy, x, y)


@kernel
def absolute_forward(y, x):
    each(_absolute, y, x)


@kernel
def absolute_backward(dx, dy, x, y):
    each_backward(_absolute_slope, dx, dy, x, y)


@kernel
def square_forward(y, x):
    each(_square, y, x)


@kernel
def square_backward(dx, dy, x, y):
    each_backward(_square_slope, dx, dy, x, y)


@kernel
def sqrt_forward(y, x):
    each(_sqrt, y, x)


@kernel
def sqrt_backward(dx, dy, x, y):
    each_backward(_sqrt_slope, dx, dy, x, y)


@kernel
def rsqrt_forward(y, x):
    each(_rsqrt, y, x)


@kernel
def rsqrt_backward(dx, dy, x, y):
    each_backward(_rsqrt_slope, dx, dy, x, y)


@kernel
def reciprocal_forward(y, x):
    each(_reciprocal, y, x)


@kernel
def reciprocal_backward(dx, dy, x, y):
    each_backward(_reciprocal_slope, dx, dy, x, y)


@kernel
def cube_forward(y, x):
    each(_cube, y, x)


@kernel
def cube_backward(dx, dy, x, y):
    each_backward(_cube_slope, dx, dy, x, y)


@kernel
def expm1_forward(y, x):
    each(expm1, y, x)


@kernel
def expm1_backward(dx, dy, x, y):
    each_backward(_expm1_slope, dx, dy, x, y)


@kernel
def log_forward(y, x):
    each(log, y, x)


@kernel
def log_backward(dx, dy, x, y):
    each_backward(_log_slope, dx, dy, x, y)


@kernel
def log1p_forward(y, x):
    each(log1p, y, x)


@kernel
def log1p_backward(dx, dy, x, y):
    each_backward(_log1p_slope, dx, dy, x, y)


@kernel
def log2_forward(y, x):
    each(_log2, y, x)


@kernel
def log2_backward(dx, dy, x, y):
    each_backward(_log2_slope, dx, dy, x, y)


@kernel
def log10_forward(y, x):
    each(_log10, y, x)


@kernel
def log10_backward(dx, dy, x, y):
    each_backward(_log10_slope, dx, dy, x, y)


@kernel
def erf_forward(y, x):
    each(erf, y, x)


@kernel
def erf_backward(dx, dy, x, y):
    each_backward(_erf_slope, dx, dy, x, y)

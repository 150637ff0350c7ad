"""Circular and hyperbolic functions and their inverses, element by element.

Pairs `name_forward(y, x)` and `name_backward(dx, dy, x, y)` on flat arrays.
"""

import numpy as np

from dseq.kernels.base import inlined, kernel
from dseq.kernels.broadcast import each, each_backward
from dseq.kernels.math import exp, expm1
from dseq.kernels.primitives import like, square_root

# The scalar functions, and their slopes times dy.


@inlined
def _sin(x):
    return np.sin(x)


@inlined
def _sin_slope(dy, x, y):
    return dy * np.cos(x)


@inlined
def _cos(x):
    return np.cos(x)


@inlined
def _cos_slope(dy, x, y):
    return -(dy * np.sin(x))


@inlined
def _tan(x):
    return np.tan(x)


@inlined
def _tan_slope(dy, x, y):
    return dy * (like(x, 1.0) + y * y)


@inlined
def _sinh(x):
    # exp(x) - 1 and exp(-x) - 1 from one: e = exp(x) - 1 gives sinh = (e + e / (e + 1)) / 2
    size = abs(x)
    e = expm1(size)
    y = like(x, 0.5) * (e + (e / (e + like(x, 1.0)) if e < like(x, 1e30) else like(x, 1.0)))
    return y if x > 0 else -y


@inlined
def _cosh(x):
    e = exp(abs(x))
    return like(x, 0.5) * (e + like(x, 1.0) / e)


@inlined
def _sinh_slope(dy, x, y):
    return dy * _cosh(x)


@inlined
def _cosh_slope(dy, x, y):
    return dy * _sinh(x)


@inlined
def _arctan(x):
    return np.arctan(x)


@inlined
def _arctan_slope(dy, x, y):
    return dy / (like(x, 1.0) + x * x)


@inlined
def _arcsin(x):
    return np.arcsin(x)


@inlined
def _arcsin_slope(dy, x, y):
    return dy / square_root((like(x, 1.0) - x) * (like(x, 1.0) + x))


@inlined
def _arccos(x):
    return np.arccos(x)


@inlined
def _arccos_slope(dy, x, y):
    return -(dy / square_root((like(x, 1.0) - x) * (like(x, 1.0) + x)))


# The kernels.


@kernel
def sin_forward(y, x):
    each(_sin, y, x)


@kernel
def sin_backward(dx, dy, x, y):
    each_backward(_sin_slope, dx, dy, x, y)


@kernel
def cos_forward(y, x):
    each(_cos, y, x)


@kernel
def cos_backward(dx, dy, x, y):
    each_backward(_cos_slope, dx, dy, x, y)


@kernel
def tan_forward(y, x):
    each(_tan, y, x)


@kernel
def tan_backward(dx, dy, x, y):
    each_backward(_tan_slope, dx, dy, x, y)


@kernel
def sinh_forward(y, x):
    each(_sinh, y, x)


@kernel
def sinh_backward(dx, dy, x, y):
    each_backward(_sinh_slope, dx, dy, x, y)


@kernel
def cosh_forward(y, x):
    each(_cosh, y, x)


@kernel
def cosh_backward(dx, dy, x, y):
    each_backward(_cosh_slope, dx, dy, x, y)


@kernel
def arctan_forward(y, x):
    each(_arctan, y, x)


@kernel
def arctan_backward(dx, dy, x, y):
    each_backward(_arctan_slope, dx, dy, x, y)


@kernel
def arcsin_forward(y, x):
    each(_arcsin, y, x)


@kernel
def arcsin_backward(dx, dy, x, y):
    each_backward(_arcsin_slope, dx, dy, x, y)


@kernel
def arccos_forward(y, x):
    each(_arccos, y, x)


@kernel
def arccos_backward(dx, dy, x, y):
    each_backward(_arccos_slope, dx, dy, x, y)

"""Functions of two arrays, element by element, that broadcast: `dseq.kernels.broadcast` says how.

`name_forward(y, a, b, layout...)`. Backward kernels are `name_first(da, dy, a, b, layout...)` for the gradient of the
first argument and `name_second(db, dy, b, a, layout...)`, with the arrays and their layouts exchanged, for the second;
`name_either` serves both.
"""

import numpy as np

from dseq.kernels.base import inlined, kernel
from dseq.kernels.broadcast import pairwise, pairwise_backward, select
from dseq.kernels.primitives import like

# The scalar functions.


@inlined
def _add(a, b):
    return a + b


@inlined
def _subtract(a, b):
    return a - b


@inlined
def _multiply(a, b):
    return a * b


@inlined
def _divide(a, b):
    return a / b


@inlined
def _floor_divide(a, b):
    return np.floor(a / b)


@inlined
def _mod(a, b):
    # the rest has the sign of the divisor, as in Python
    rest = np.fmod(a, b)
    return rest + b if rest != 0 and (rest < 0) != (b < 0) else rest


@inlined
def _power(a, b):
    return np.power(a, b)


@inlined
def _whole_floor_divide(a, b):
    return a // b


@inlined
def _whole_mod(a, b):
    return a % b


@inlined
def _maximum(a, b):
    return b if b > a or b != b else a


@inlined
def _minimum(a, b):
    return b if b < a or b != b else a


@inlined
def _equal(a, b):
    return a == b


@inlined
def _not_equal(a, b):
    return a != b


@inlined
def _greater(a, b):
    return a > b


@inlined
def _greater_equal(a, b):
    return a >= b


@inlined
def _and(a, b):
    return a and b


@inlined
def _or(a, b):
    return a or b


@inlined
def _xor(a, b):
    return a != b


@inlined
def _arctan2(a, b):
    return np.arctan2(a, b)


# Their slopes times dy: of the argument that is given first.


@inlined
def _pass(dy, a, b):
    return dy


@inlined
def _negate(dy, b, a):
    return -dy


@inlined
def _times(dy, a, b):
    return dy * b


@inlined
def _divide_first(dy, a, b):
    return dy / b


@inlined
def _divide_second(dy, b, a):
    return -(dy * (a / b) / b)


@inlined
def _mod_second(dy, b, a):
    return -(dy * np.floor(a / b))


@inlined
def _power_first(dy, a, b):
    return dy * (b * np.power(a, b - like(b, 1.0))) if b != 0 else like(dy, 0.0)


@inlined
def _power_second(dy, b, a):
    # at a = 0 the power is flat where it is defined
    return dy * (np.power(a, b) * np.log(a)) if a != 0 else like(dy, 0.0)


@inlined
def _high(dy, a, b):
    half = dy * like(dy, 0.5)
    return dy if a > b else (half if a == b else like(dy, 0.0))


@inlined
def _low(dy, a, b):
    half = dy * like(dy, 0.5)
    return dy if a < b else (half if a == b else like(dy, 0.0))


@inlined
def _where_true(dy, a, c):
    return dy if c else like(dy, 0.0)


@inlined
def _where_false(dy, b, c):
    return like(dy, 0.0) if c else dy


@inlined
def _arctan2_first(dy, a, b):
    return dy * (b / (a * a + b * b))


@inlined
def _arctan2_second(dy, b, a):
    return -(dy * (a / (a * a + b * b)))


# The kernels.


@kernel
def add_forward(y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise(_add, y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def subtract_forward(y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise(_subtract, y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def multiply_forward(y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise(_multiply, y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def divide_forward(y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise(_divide, y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def floor_divide_forward(y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise(_floor_divide, y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def mod_forward(y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise(_mod, y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def power_forward(y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise(_power, y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def whole_floor_divide_forward(y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise(_whole_floor_divide, y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def whole_mod_forward(y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise(_whole_mod, y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def maximum_forward(y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise(_maximum, y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def minimum_forward(y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise(_minimum, y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def arctan2_forward(y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise(_arctan2, y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def equal_forward(y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise(_equal, y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def not_equal_forward(y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise(_not_equal, y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def greater_forward(y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise(_greater, y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def greater_equal_forward(y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise(_greater_equal, y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def logical_and_forward(y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise(_and, y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def logical_or_forward(y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise(_or, y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def logical_xor_forward(y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise(_xor, y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def where_forward(y, condition, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    # condition as y
    select(y, condition, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def pass_either(dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise_backward(_pass, dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def negate_second(dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise_backward(_negate, dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def multiply_either(dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise_backward(_times, dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def divide_first(dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise_backward(_divide_first, dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def divide_second(dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise_backward(_divide_second, dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def mod_second(dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise_backward(_mod_second, dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def power_first(dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise_backward(_power_first, dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def power_second(dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise_backward(_power_second, dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def maximum_either(dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise_backward(_high, dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def minimum_either(dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise_backward(_low, dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def where_first(dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise_backward(_where_true, dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def where_second(dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise_backward(_where_false, dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def arctan2_first(dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise_backward(_arctan2_first, dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count)


@kernel
def arctan2_second(dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count):
    pairwise_backward(_arctan2_second, dx, dy, x, other, length, a_step, a_every, a_count, b_step, b_every, b_count)

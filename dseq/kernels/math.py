"""exp, expm1, log, log1p, tanh, erf, sigmoid and softplus of one float32 or float64, for use inside kernels' loops.

No call into libm, no branch and no conversion to integers, so that a loop over them becomes SIMD code. Each is
written once for both types; what differs between the types, polynomials and a few constants, is a `polynomial`.
Products that meet a sum are spelled `fma`, so that a loop's vector body and its scalar remainder round alike.
Errors are below 2 units in the last place, measured in tests/kernels/test_math.py.
"""

import math

import numpy as np

from dseq.kernels.base import JIT, inlined
from dseq.kernels.primitives import (
    SHIFT,
    copysign,
    exponent,
    fma,
    like,
    magnitude,
    polynomial,
    scale,
    significand,
    two_to,
)

# The high part of log(2) has so few bits that its products with exponents are exact.
LN2_HIGH = polynomial([0.693359375], [6.93147180369123816490e-01])
LN2_LOW = polynomial([-2.12194440e-4], [1.90821492927058770002e-10])
LOWEST = polynomial([-105.0], [-750.0])
HIGHEST = polynomial([89.0], [710.0])
TINY = polynomial([2.0**-126], [2.0**-1022])

# Best approximations in the largest relative error of the whole function (Remez), rounded.
# (exp(r) - 1 - r) / r**2 for |r| <= log(2) / 2
EXP = polynomial(
    [0.5, 0.1666666567325592, 0.04166635870933533, 0.008333389647305012, 0.0013940823264420033, 0.0001984591654036194],
    [
        *(0.5, 0.16666666666666677, 0.041666666666666505, 0.008333333333321513, 0.0013888888888963506),
        *(0.00019841269886477662, 2.480158717103766e-05, 2.7557243803728487e-06, 2.755740329611245e-07),
        *(2.510919530088071e-08, 2.0875319875303726e-09),
    ],
)
# (log((1 + s) / (1 - s)) / s - 2) / z for z = s**2 <= (sqrt(2) - 1)**4
LOG = polynomial(
    [0.6666666269302368, 0.4000033438205719, 0.285372793674469, 0.23582766950130463],
    [
        *(0.6666666666666735, 0.39999999999413144, 0.2857142874276374, 0.22222198531285986),
        *(0.181835666643296, 0.15313986841148744, 0.1479662425948789),
    ],
)
# erf(x) / x - 1 for z = x**2 <= 1
ERF = polynomial(
    [
        *(0.12837916612625122, -0.3761262595653534, 0.1128358542919159, -0.026853812858462334),
        *(0.005188327748328447, -0.0008010193705558777, 7.853860734030604e-05),
    ],
    [
        *(0.1283791670955126, -0.3761263890318375, 0.11283791670954857, -0.026866170645072896, 0.005223977624780875),
        *(-0.0008548326978742633, 0.00012055331036913794, -1.4925593507190661e-05, 1.6460972821184672e-06),
        *(-1.6350025260055095e-07, 1.465788005199366e-08, -1.1365666624567702e-09, 5.945262640753955e-11),
    ],
)
# log(1 - erf(1 + t)) for t <= 3 (float32) or 5 (float64)
LOG_ERFC = polynomial(
    [
        *(-1.8496055603027344, -2.6389667987823486, -0.8431183099746704, -0.04150068759918213),
        *(0.009890888817608356, -0.0018261607037857175, 0.00018557322619017214),
    ],
    [
        *(-1.8496055099332482, -2.6389675142347913, -0.8431072563584859, -0.04156109804650607, 0.010033825434048294),
        *(-0.0019779030193674886, 0.0002373247025120352, 2.6270363879293963e-05, -2.7140971389034508e-05),
        *(9.576770879322683e-06, -2.0172808869693336e-06, 1.0043023383141632e-07, 1.297585841781665e-07),
        *(-7.061507663068031e-08, 2.3008713476352085e-08, -5.497745761791938e-09, 9.932790540523088e-10),
        *(-1.3304506778235228e-10, 1.2487549029475852e-11, -7.322972029855244e-13, 2.0145638243126146e-14),
    ],
)
# cos(t) - 1 over t**2 and sin(t) / t - 1 over t**2, for z = t**2 with |t| <= pi / 4
COSINE = polynomial(
    [-0.5, 0.04166662320494652, -0.001388675533235073, 2.438963383610826e-05],
    [
        *(-0.5, 0.041666666666666484, -0.0013888888888863662, 2.4801587284878144e-05, -2.755731330420816e-07),
        *(2.0875604078141837e-09, -1.1354289710339282e-11),
    ],
)
SINE = polynomial(
    [-0.16666655242443085, 0.008332173340022564, -0.00019516656175255775],
    [
        *(-0.16666666666666666, 0.008333333333333323, -0.0001984126984125499, 2.7557319214148867e-06),
        *(-2.505210490054275e-08, 1.6058365193572607e-10, -7.578625511829464e-13),
    ],
)
ERF_END = polynomial([4.0], [6.0])


@inlined
def clamp(x, low, high):
    """x within [low, high]; NaN stays NaN."""
    x = low if x < low else x
    return high if x > high else x


@inlined
def _shifted_exponent(x):
    """SHIFT + n with n = x / log(2) rounded."""
    return fma(x, like(x, 1.4426950408889634), SHIFT(x))


@inlined
def _expm1_remainder(x, n):
    """exp(r) - 1 with r = x - n log(2)."""
    r = fma(n, -LN2_LOW(x), fma(n, -LN2_HIGH(x), x))
    return fma(r * r, EXP(r), r)


@inlined
def exp(x):
    x = clamp(x, LOWEST(x), HIGHEST(x))
    t = _shifted_exponent(x)
    return scale(_expm1_remainder(x, t - SHIFT(x)) + like(x, 1.0), t)


@inlined
def expm1(x):
    inside = clamp(x, like(x, -40.0), HIGHEST(x))  # below, the result is -1 to the last bit
    t = _shifted_exponent(inside)
    # 2**(n - 1), since 2**n overflows before the result does.
    power = two_to(t - like(x, 1.0))
    y = like(x, 2.0) * fma(_expm1_remainder(inside, t - SHIFT(x)), power, power - like(x, 0.5))
    return x if magnitude(x) < TINY(x) else y


@inlined
def _log_of_parts(f, e):
    """log(1 + f) + e log(2) for 1 + f in [sqrt(1/2), sqrt(2)]."""
    s = f / (f + like(f, 2.0))
    z = s * s
    half = like(f, 0.5) * f
    inner = fma(s, fma(z, LOG(z), half * f), e * LN2_LOW(f))
    return fma(e, LN2_HIGH(f), f - fma(half, f, -inner))


@inlined
def log(x):
    denormal = x < TINY(x)
    normal = x * like(x, 2.0**30 * 2.0**24) if denormal else x
    e = exponent(normal)
    e = e - like(x, 54.0) if denormal else e
    y = _log_of_parts(significand(normal) - like(x, 1.0), e)
    y = like(x, -math.inf) if x == like(x, 0.0) else y
    y = like(x, math.nan) if x < like(x, 0.0) else y
    return y if x < like(x, math.inf) else x


@inlined
def log1p(x):
    one = like(x, 1.0)
    u = one + x
    e = exponent(u)
    # 1 + f = (1 + x) / 2**e without the rounding of 1 + x; where x is large that does not matter, and 2**-e may fail.
    power = two_to(SHIFT(x) - e)
    f = significand(u) - one if x > like(x, 2.0**60) else fma(x, power, power - one)
    y = _log_of_parts(f, e)
    y = like(x, -math.inf) if x == -one else y
    y = like(x, math.nan) if x < -one else y
    y = x if magnitude(x) < TINY(x) else y
    return y if x < like(x, math.inf) else x


@inlined
def _over_sum(x, y, z):
    """x / (y + z), with what the sum and the quotient lost added back."""
    divisor = y + z
    rest = divisor - y
    lost = (y - (divisor - rest)) + (z - rest)
    inverse = like(x, 1.0) / divisor
    quotient = x * inverse
    return fma(fma(-quotient, lost, fma(-quotient, divisor, x)), inverse, quotient)


@inlined
def tanh(x):
    size = magnitude(x)
    inside = like(x, 20.0) if size > like(x, 20.0) else size
    y = expm1(inside + inside)
    return copysign(_over_sum(y, like(x, 2.0), y), x)


@inlined
def sigmoid(x):
    one = like(x, 1.0)
    y = exp(-magnitude(x))
    return _over_sum(y if x < like(x, 0.0) else one, one, y)


@inlined
def softplus(x):
    """log(1 + exp(x))"""
    zero, one, half = like(x, 0.0), like(x, 1.0), like(x, 0.5)
    positive = zero if x < zero else x
    y = exp(-magnitude(x))
    # log1p(y) for y in [0, 1]: 1 + y or half of it is in [sqrt(1/2), sqrt(2)].
    large = y > like(x, math.sqrt(2.0) - 1.0)
    return positive + _log_of_parts(half * (y - one) if large else y, one if large else zero)


@inlined
def erf(x):
    size = magnitude(x)
    near = fma(ERF(x * x), x, x)
    end = ERF_END(x)
    inside = end if size > end else size
    far = like(x, 1.0) - exp(LOG_ERFC(inside - like(x, 1.0)))
    return near if size < like(x, 1.0) else copysign(far, x)


@inlined
def turn(word, one):
    """Cosine and sine of word / 2**32 turns, for a word in a uint64; of the type of `one`."""
    word = np.uint64(word)
    quarter = (word + np.uint64(1 << 29)) >> np.uint64(30)
    rest = np.int64(word) - np.int64(quarter << np.uint64(30))  # of a turn / 2**32, within an eighth of a turn
    angle = like(one, np.int32(rest)) * like(one, 2 * math.pi * 2.0**-32)
    square = angle * angle
    cosine, sine = fma(square, COSINE(square), one), fma(square * angle, SINE(square), angle)
    odd = quarter & np.uint64(1) == np.uint64(1)
    x, y = (-sine, cosine) if odd else (cosine, sine)
    back = quarter & np.uint64(2) == np.uint64(2)
    return (-x, -y) if back else (x, y)


def _twin(function):
    """The same function of one number in plain Python."""

    def twin(x):
        with np.errstate(all="ignore"):
            return type(x)(function(np.float64(x)))

    return twin


if not JIT:
    exp, expm1, log, log1p, tanh = map(_twin, (np.exp, np.expm1, np.log, np.log1p, np.tanh))
    sigmoid = _twin(lambda x: np.exp(min(x, 0.0)) / (1.0 + np.exp(-abs(x))))
    softplus = _twin(lambda x: np.logaddexp(x, 0.0))
    erf = _twin(math.erf)

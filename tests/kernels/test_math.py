"""dseq.kernels.math against NumPy in higher precision, in units in the last place."""

import math

import numpy as np
import pytest

from dseq.kernels import activation
from dseq.kernels import math as dmath
from dseq.kernels.base import JIT, kernel


@kernel
def expm1(y, x):
    for i in range(x.size):
        y[i] = dmath.expm1(x[i])


@kernel
def log(y, x):
    for i in range(x.size):
        y[i] = dmath.log(x[i])


@kernel
def log1p(y, x):
    for i in range(x.size):
        y[i] = dmath.log1p(x[i])


@kernel
def erf(y, x):
    for i in range(x.size):
        y[i] = dmath.erf(x[i])


@kernel
def turns(cosine, sine, words):
    one = cosine.dtype.type(1)
    for i in range(words.size):
        cosine[i], sine[i] = dmath.turn(words[i], one)


def exact_sigmoid(x):
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-abs(x)))


FUNCTIONS = {
    "exp": (activation.exponential_forward, np.exp),
    "tanh": (activation.tanh_forward, np.tanh),
    "sigmoid": (activation.sigmoid_forward, exact_sigmoid),
    "softplus": (activation.softplus_forward, lambda x: np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))),
    "expm1": (expm1, np.expm1),
    "log": (log, np.log),
    "log1p": (log1p, np.log1p),
    "erf": (erf, np.vectorize(math.erf, otypes=[np.float64])),
}
SPECIAL = (0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan)
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the oracles overflow


def run(kernel, x):
    y = np.empty_like(x)
    kernel(y, x)
    return y


def samples(dtype, count=20_000):
    """All magnitudes down to denormal numbers, and denser where the functions bend."""
    rng, limits = np.random.default_rng(7), np.finfo(dtype)
    everywhere = np.exp2(rng.uniform(limits.minexp - limits.nmant, limits.maxexp, count)) * rng.choice([-1, 1], count)
    end = -math.log(limits.smallest_subnormal) + 1
    parts = [everywhere, *(rng.uniform(-bound, bound, count) for bound in (1, 2, 12, end))]
    edges = [limits.max, -limits.max, limits.tiny, -limits.tiny, limits.smallest_subnormal, *SPECIAL]
    return np.concatenate([*parts, edges]).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_in_units_in_the_last_place(name, dtype):
    kernel, reference = FUNCTIONS[name]
    x = samples(dtype)
    y = run(kernel, x)
    wide = np.float64 if dtype == "float32" or name == "erf" else np.longdouble
    exact = reference(x.astype(wide))
    rounded = exact.astype(dtype)

    np.testing.assert_array_equal(np.isnan(y), np.isnan(rounded))
    known = ~np.isnan(rounded)
    np.testing.assert_array_equal(np.signbit(y[known]), np.signbit(rounded[known]))
    np.testing.assert_array_equal(np.isinf(y), np.isinf(rounded))
    finite = np.isfinite(rounded)
    error = abs(y[finite].astype(wide) - exact[finite]) / np.spacing(abs(rounded[finite]))
    exact_enough = JIT and np.finfo(wide).eps < np.finfo(dtype).eps  # else the oracle, or the twin, errs as much
    assert error.max() < (2 if exact_enough else 3), x[finite][error.argmax()]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_bits_do_not_depend_on_place_or_length(name, dtype):
    kernel = FUNCTIONS[name][0]
    x = np.abs(np.random.default_rng(1).normal(size=203) * 3).astype(dtype)
    whole = run(kernel, x)
    for first, last in ((0, 1), (3, 4), (1, 203), (2, 19), (5, 38), (100, 167)):
        assert run(kernel, x[first:last].copy()).tobytes() == whole[first:last].tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cosine_and_sine_of_turns(dtype):
    words = np.random.default_rng(2).integers(0, 2**32, 5000, dtype=np.uint64)
    words[:5] = 0, 2**30, 2**31, 3 * 2**30, 2**32 - 1
    cosine, sine = np.empty(5000, dtype), np.empty(5000, dtype)
    turns(cosine, sine, words)
    angle = words.astype(np.float64) * (2 * np.pi / 2**32)
    tolerance = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(cosine, np.cos(angle), rtol=0, atol=tolerance)
    np.testing.assert_allclose(sine, np.sin(angle), rtol=0, atol=tolerance)
    np.testing.assert_array_equal(cosine[:4], [1, 0, -1, 0])
    np.testing.assert_array_equal(sine[:4], [0, 1, 0, -1])

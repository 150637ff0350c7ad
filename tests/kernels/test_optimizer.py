"""Update kernels: any slice has the bits of the whole, against formulas in NumPy, in both float types."""

import numpy as np
import pytest

from dseq.kernels import optimizer as kernels

# Names of the slots, and numbers after the weight decay.
KERNELS = {
    "sgd": (0, [0.1]),
    "momentum": (1, [0.1, 0.9]),
    "nesterov": (1, [0.1, 0.9]),
    "adam": (2, [0.1, 0.1, 0.001, 1e-7]),
    "adam_amsgrad": (3, [0.1, 0.1, 0.001, 1e-7]),
    "rmsprop": (1, [0.1, 0.9, 1e-7, 0.0]),
    "rmsprop_momentum": (2, [0.1, 0.9, 1e-7, 0.5]),
    "rmsprop_centered": (2, [0.1, 0.9, 1e-7, 0.0]),
    "rmsprop_centered_momentum": (3, [0.1, 0.9, 1e-7, 0.5]),
    "adagrad": (1, [0.1, 1e-7]),
    "adadelta": (2, [0.1, 0.9, 1e-7]),
    "adamax": (2, [0.1, 0.1, 0.999, 1e-7]),
    "nadam": (2, [0.1, 0.1, 0.001, 1e-7, 0.8, 0.3, 0.01]),
    "lion": (1, [0.1, 0.9, 0.99]),
    "ftrl": (2, [0.1, 0.01, 0.2, 0.02]),
    "ftrl_power": (2, [0.1, 0.01, 0.2, 0.02, 0.3]),
    "schedule_free": (2, [0.1, 0.0, 0.9, 0.001, 0.5, 1e-8, 0.1]),
}
OPEN = np.array([1.0, 1.0, np.inf])


def arrays(slots, size, dtype):
    rng = np.random.default_rng(size)
    p, g = rng.standard_normal((2, size)).astype(dtype)
    return [p, g, *rng.uniform(0.5, 1, (slots, size)).astype(dtype)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", KERNELS)
def test_slices_have_the_bits_of_the_whole(name, dtype):
    slots, numbers = KERNELS[name]
    kernel, hyper = getattr(kernels, name), np.array([0.01, *numbers])
    whole, parts = arrays(slots, 203, dtype), arrays(slots, 203, dtype)
    before = [a.copy() for a in whole]
    for _ in range(2):
        kernel(*whole, hyper, OPEN)
        for lo, hi in ((0, 64), (64, 64), (64, 65), (65, 203)):
            kernel(*[a[lo:hi] for a in parts], hyper, OPEN)
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(a, b)
    changed = [not np.array_equal(a, b) for a, b in zip(whole, before, strict=True)]
    assert changed == [True, False] + [True] * slots  # g is only read


@pytest.mark.parametrize("name", KERNELS)
def test_float32_follows_float64(name):
    slots, numbers = KERNELS[name]
    single, double = arrays(slots, 50, "f4"), [a.astype("f8") for a in arrays(slots, 50, "f4")]
    for a in (single, double):
        getattr(kernels, name)(*a, np.array([0.01, *numbers]), OPEN)
    for a, b in zip(single, double, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", KERNELS)
def test_nan_stays_where_it_is(name):
    slots, numbers = KERNELS[name]
    given = arrays(slots, 40, "f4")
    given[1][7] = np.nan
    getattr(kernels, name)(*given, np.array([0.0, *numbers]), OPEN)
    assert np.isnan(given[0]).nonzero()[0].tolist() == [7]


@pytest.mark.parametrize("name", KERNELS)
def test_weights_decay_before_the_update(name):
    slots, numbers = KERNELS[name]
    shrunk, decayed = arrays(slots, 20, "f8"), arrays(slots, 20, "f8")
    shrunk[0] -= shrunk[0] * 0.25
    getattr(kernels, name)(*shrunk, np.array([0.0, *numbers]), OPEN)
    getattr(kernels, name)(*decayed, np.array([0.25, *numbers]), OPEN)
    np.testing.assert_allclose(shrunk[0], decayed[0], rtol=1e-12)


@pytest.mark.parametrize("name", KERNELS)
def test_the_gate_scales_and_limits_gradients(name):
    slots, numbers = KERNELS[name]
    hyper, clip = np.array([0.01, *numbers]), np.array([1.0, 0.5, 0.25])
    gated, plain = arrays(slots, 50, "f8"), arrays(slots, 50, "f8")
    plain[1] = np.clip(plain[1] * 0.5, -0.25, 0.25)
    getattr(kernels, name)(*gated, hyper, clip)
    getattr(kernels, name)(*plain, hyper, OPEN)
    for a, b in zip(gated[:1] + gated[2:], plain[:1] + plain[2:], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    shut, before = arrays(slots, 50, "f8"), arrays(slots, 50, "f8")
    getattr(kernels, name)(*shut, hyper, np.array([0.0, 1.0, np.inf]))
    for a, b in zip(shut, before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_lion_stands_still_without_gradient_and_momentum():
    p, g, m = np.ones(3), np.array([0.0, 2, -2]), np.zeros(3)
    kernels.lion(p, g, m, np.array([0.0, 0.5, 0.9, 0.99]), OPEN)
    np.testing.assert_array_equal(p, [1, 0.5, 1.5])

"""Updates of whole weights, Lamb, LARS, Adafactor and Muon, against formulas in NumPy in float64."""

import numpy as np
import pytest

from dseq.kernels import adafactor, layerwise, muon
from dseq.kernels.clip import LANES, square_sum

both = pytest.mark.parametrize("dtype", ["float32", "float64"])
OPEN, SHUT = np.array([1.0, 0.5, 0.8]), np.array([0.0, 0.5, 0.8])


def tolerance(dtype):
    return {"rtol": 2e-5, "atol": 2e-6} if dtype == "float32" else {"rtol": 1e-11, "atol": 1e-13}


def squares(x):
    total = np.zeros(1)
    square_sum(total, x.reshape(-1), np.zeros(LANES))
    return total


def drawn(shape, dtype, count, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for _ in range(count)]


def counted(g):
    """The gradient behind the gate."""
    return np.clip(g.astype("f8") * 0.5, -0.8, 0.8)


def unchanged(kernel, arrays, *arguments):
    before = [a.copy() for a in arrays]
    kernel(*arrays, *arguments)
    for a, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(a, b)


@both
def test_lamb(dtype):
    p, g, m, v = drawn(75, dtype, 4)
    v = np.abs(v)
    hyper = np.array([0.01, 0.1, 0.1, 0.001, 1e-7, 0.19, 0.002])
    want_m = m + (counted(g) - m) * 0.1
    want_v = v + (counted(g) ** 2 - v) * 0.001
    r = want_m / 0.19 / (np.sqrt(want_v / 0.002) + 1e-7)
    w = p.astype("f8") * 0.99
    expected = w - 0.1 * np.linalg.norm(w) / np.linalg.norm(r) * r
    u, ratio = np.zeros_like(p), np.zeros(1)
    unchanged(layerwise.lamb_direction, [u, g, m, v], hyper, SHUT)
    layerwise.lamb_direction(u, g, m, v, hyper, OPEN)
    np.testing.assert_allclose(u, r, **tolerance(dtype))
    layerwise.lamb_ratio(ratio, squares(p), squares(u), hyper)
    unchanged(layerwise.lamb, [p, m, v, ratio], hyper, SHUT)
    layerwise.lamb(p, m, v, ratio, hyper, OPEN)
    np.testing.assert_allclose(p, expected, **tolerance(dtype))
    layerwise.lamb_ratio(ratio, np.zeros(1), squares(u), hyper)
    assert ratio[0] == 1


@both
@pytest.mark.parametrize("nesterov", [0.0, 1.0])
def test_lars(dtype, nesterov):
    p, g, m = drawn(75, dtype, 3)
    hyper = np.array([0.02, 0.1, 0.9, 0.001, 1e-9, nesterov])
    clean = counted(g)
    w, norm = p.astype("f8"), np.linalg.norm
    step = 0.1 * 0.001 * norm(w) / (norm(clean) + 0.02 * norm(w) + 1e-9) * (clean + 0.02 * w)
    momentum = 0.9 * m.astype("f8") + step
    expected = w - (0.9 * momentum + step if nesterov else momentum)
    ratio = np.zeros(1)
    layerwise.lars_ratio(ratio, squares(p), squares(clean), hyper)
    unchanged(layerwise.lars, [p, g, m, ratio], hyper, SHUT)
    layerwise.lars(p, g, m, ratio, hyper, OPEN)
    np.testing.assert_allclose(p, expected, **tolerance(dtype))
    np.testing.assert_allclose(m, momentum, **tolerance(dtype))
    for weights, gradients, trust in ((0.0, 1.0, 0.001), (1.0, 0.0, 0.001), (1.0, 1.0, 0.0)):
        hyper[3] = trust
        layerwise.lars_ratio(ratio, np.array([weights]), np.array([gradients]), hyper)
        assert ratio[0] == 1


def length(w, u, hyper):
    rms = np.sqrt(np.mean(w**2))
    return hyper[1] * max(hyper[3], rms) / max(1.0, np.sqrt(np.mean(u**2)) / hyper[5])


@both
@pytest.mark.parametrize("shape", [(1, 6, 11), (3, 4, 70)])
def test_adafactor_with_factors(dtype, shape):
    (p, g), (r,), (c,) = drawn(shape, dtype, 2), drawn(shape[:2], dtype, 1), drawn((shape[0], shape[2]), dtype, 1)
    r, c = np.abs(r) + dtype_one(dtype), np.abs(c) + dtype_one(dtype)
    hyper = np.array([0.01, 0.1, 1e-30, 1e-3, 0.4, 0.1])
    x = counted(g)
    want_r = 0.6 * r.astype("f8") + 0.4 * (x**2 + 1e-30).mean(-1)
    want_c = 0.6 * c.astype("f8") + 0.4 * (x**2 + 1e-30).mean(-2)
    want_v = (want_r / want_r.mean(-1, keepdims=True))[..., None] * want_c[:, None]
    u, w = x / np.sqrt(want_v), p.astype("f8") * 0.99
    expected = w - length(w, u, hyper) * u
    columns, steps, roots = np.zeros(shape[2]), np.zeros(1), np.zeros(shape[2], dtype)
    unchanged(adafactor.factored_moments, [r, c, g, columns], hyper, SHUT)
    adafactor.factored_moments(r, c, g, columns, hyper, OPEN)
    adafactor.factored_squares(steps, r, c, g, roots, OPEN)
    assert steps[0] == pytest.approx(np.sum(u**2), rel=tolerance(dtype)["rtol"])
    weights = squares(p)
    unchanged(adafactor.factored, [p, r, c, g, roots, weights, steps], hyper, SHUT)
    adafactor.factored(p, r, c, g, roots, weights, steps, hyper, OPEN)
    for found, want in ((r, want_r), (c, want_c), (p, expected)):
        np.testing.assert_allclose(found, want, **tolerance(dtype))


def dtype_one(dtype):
    return np.dtype(dtype).type(1)


@both
def test_adafactor_without_factors(dtype):
    p, g, v = drawn(75, dtype, 3)
    v, u = np.abs(v), np.zeros_like(p)
    hyper = np.array([0.01, 0.1, 1e-30, 5.0, 0.4, 1.0])  # weights are shorter than epsilon_2
    x = counted(g)
    want_v = 0.6 * v.astype("f8") + 0.4 * x**2
    step, w = x / np.sqrt(want_v), p.astype("f8") * 0.99
    adafactor.plain_moments(u, v, g, hyper, OPEN)
    np.testing.assert_allclose(u, step, **tolerance(dtype))
    weights, steps = squares(p), squares(u)
    unchanged(adafactor.plain, [p, v, g, weights, steps], hyper, SHUT)
    adafactor.plain(p, v, g, weights, steps, hyper, OPEN)
    np.testing.assert_allclose(p, w - length(w, step, hyper) * step, **tolerance(dtype))


def orthogonal(x, steps, a, b, c):
    """Newton-Schulz iterations as they are published."""
    turned = x.shape[0] > x.shape[1]
    x = x.T if turned else x
    x = x / (np.linalg.norm(x) + 1e-7)
    for _ in range(steps):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if turned else x


@both
@pytest.mark.parametrize("shape", [(5, 9), (40, 33), (6, 6)])
@pytest.mark.parametrize("nesterov", [0.0, 1.0])
def test_muon(dtype, shape, nesterov):
    p, g, m = drawn(shape, dtype, 3)
    hyper = np.array([0.01, 0.1, 0.95, nesterov, 3.4445, -4.775, 2.0315])
    momentum = 0.95 * m.astype("f8") + counted(g)
    moved = counted(g) + 0.95 * momentum if nesterov else momentum
    expected = p.astype("f8") * 0.99 - 0.1 * orthogonal(moved, 3, *hyper[4:])
    short, long = sorted(shape)
    x, (y, z), (a, b) = np.zeros_like(p), np.zeros((2, short, long), dtype), np.zeros((2, short, short), dtype)
    flat = [x.reshape(-1), g.reshape(-1), m.reshape(-1)]
    unchanged(muon.muon_momentum, flat, hyper, SHUT)
    muon.muon_momentum(*flat, hyper, OPEN)
    np.testing.assert_allclose(m, momentum, **tolerance(dtype))
    muon.normalise(y, x, squares(x), OPEN)
    unchanged(muon.newton_schulz, [y, z, a, b], hyper, SHUT)
    for _ in range(3):
        muon.newton_schulz(y, z, a, b, hyper, OPEN)
    unchanged(muon.muon, [p, y, x], hyper, SHUT)
    muon.muon(p, y, x, hyper, OPEN)
    # Five powers of a matrix, three times: rounding grows with them.
    np.testing.assert_allclose(p, expected, rtol=1e-3 if dtype == "float32" else 1e-10, atol=1e-5)

"""Philox against its published answers, and draws that do not depend on how samples are dealt out."""

import numpy as np
import pytest

from dseq.kernels.base import kernel
from dseq.kernels.random import normal, philox, uniform

# kat_vectors of Random123: counter, key, result of ten rounds.
KNOWN = [
    ("00000000 00000000 00000000 00000000 00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344 a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


@kernel
def philox_words(out, words):
    for i in range(words.shape[0]):
        row = words[i]
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = philox(row[0], row[1], row[2], row[3], row[4], row[5])


def numbers(text):
    return [int(word, 16) for word in text.split()]


def test_known_answers():
    words = np.array([numbers(given) for given, _ in KNOWN], np.uint64)
    out = np.empty((3, 4), np.uint64)
    philox_words(out, words)
    assert out.tolist() == [numbers(expected) for _, expected in KNOWN]


def draw(kernel, rows, features, dtype="float32", clock=(5, 0, 0), stream=1):
    out = np.empty((rows, features), dtype)
    kernel(out, np.array(clock), stream)
    return out


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kernel", [uniform, normal])
@pytest.mark.parametrize("features", [1, 3, 8, 21])
def test_a_sample_is_the_same_on_every_rank(kernel, features, dtype):
    whole = draw(kernel, 40, features, dtype, (5, 9, 7))
    for first, last in ((0, 40), (0, 13), (13, 14), (14, 39), (39, 40), (3, 3)):
        part = draw(kernel, last - first, features, dtype, (5, 9, 7 + first))
        assert part.tobytes() == whole[first:last].tobytes()


@pytest.mark.parametrize(
    "change", [{"clock": (6, 0, 0)}, {"clock": (5 + 2**32, 0, 0)}, {"clock": (5, 1, 0)}, {"stream": 2}]
)
def test_seed_step_and_stream_change_everything(change):
    assert np.mean(draw(uniform, 50, 20) == draw(uniform, 50, 20, **change)) < 0.01


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_uniform_distribution(dtype):
    x = draw(uniform, 1000, 200, dtype).ravel()
    assert x.min() >= 0
    assert x.max() < 1
    share = np.histogram(x, 16, (0, 1))[0] / x.size
    np.testing.assert_allclose(share, 1 / 16, atol=0.003)
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 0.01


def test_uniform_float64_uses_all_its_bits():
    x = draw(uniform, 10, 100, "float64").ravel() * 2.0**53
    np.testing.assert_array_equal(x, np.floor(x))
    assert np.mean(x % 2) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_distribution(dtype):
    x = draw(normal, 1000, 200, dtype).ravel().astype("float64")
    moments = [np.mean(x**k) for k in range(1, 5)]
    np.testing.assert_allclose(moments, [0, 1, 0, 3], atol=0.05)
    for lag in (1, 2, 3, 4):  # two numbers come from one pair of words
        assert abs(np.mean(x[:-lag] * x[lag:])) < 0.01
    assert np.mean(abs(x) < 1) == pytest.approx(0.682689, abs=0.004)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kernel", [uniform, normal])
def test_plain_python_draws_the_same(kernel, dtype):
    plain = draw(getattr(kernel, "py_func", kernel), 3, 5, dtype, (5, 0, 1))
    np.testing.assert_allclose(plain, draw(kernel, 3, 5, dtype, (5, 0, 1)), rtol=1e-5, atol=1e-6)

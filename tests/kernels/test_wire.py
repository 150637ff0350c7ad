"""Numbers of 16 bits against NumPy's, for every one of them; the largest of many numbers against a sort."""

import numpy as np
import pytest

from dseq.kernels import wire
from dseq.kernels.base import JIT

HALVES = np.arange(0, 65536, 1 if JIT else 97).astype(np.uint16)


def numbers():
    """Every half, what lies between two of them, numbers of all magnitudes, and what is special."""
    rng = np.random.default_rng(0)
    halves = HALVES.view(np.float16).astype(np.float32)
    finite = np.sort(halves[np.isfinite(halves)])
    spread = rng.normal(size=len(finite)) * 10.0 ** rng.uniform(-44, 38, len(finite))
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 65504, 65519.996, 65520, 1e-45, 3.4028235e38]
    return np.concatenate([finite, (finite[:-1] + finite[1:]) / 2, spread, special]).astype(np.float32)


def bfloat(x):
    bits = x.view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def test_float16():
    back = np.zeros(HALVES.size, np.float32)
    wire.unpack_half(back, HALVES)
    expected = HALVES.view(np.float16).astype(np.float32)
    np.testing.assert_array_equal(back, expected)
    assert (np.signbit(back) == np.signbit(expected))[~np.isnan(expected)].all()
    x = numbers()
    packed = np.zeros(x.size, np.uint16)
    wire.pack_half(packed, x)
    with np.errstate(over="ignore"):
        expected = x.astype(np.float16)
    real = ~np.isnan(x)
    np.testing.assert_array_equal(packed[real], expected.view(np.uint16)[real])
    assert np.isnan(packed[~real].view(np.float16)).all()
    assert (packed != bfloat(x)).any()  # the two kinds are told apart


def test_bfloat16():
    x = numbers()
    packed, back = np.zeros(x.size, np.uint16), np.zeros(x.size, np.float32)
    wire.pack_bfloat(packed, x)
    real = ~np.isnan(x)
    np.testing.assert_array_equal(packed[real], bfloat(x)[real])
    wire.unpack_bfloat(back, packed)
    np.testing.assert_array_equal(back.view(np.uint32) >> 16, packed)
    assert np.isnan(back[~real]).all()


@pytest.mark.parametrize("kind", ["half", "bfloat"])
def test_rows_are_added_in_their_order_and_the_sum_is_rounded_once(kind):
    rng = np.random.default_rng(1)
    pack, unpack, add = (getattr(wire, f"{name}_{kind}") for name in ("pack", "unpack", "sum"))
    x = (rng.normal(size=(3, 1500 if JIT else 40)) * [[1e3], [1], [1]]).astype(np.float32)
    rows, rounded = np.zeros(x.shape, np.uint16), np.zeros_like(x)
    total, expected = np.zeros(x.shape[1], np.uint16), np.zeros(x.shape[1], np.uint16)
    for k in range(3):
        pack(rows[k], x[k])
        unpack(rounded[k], rows[k])
    add(total, rows, np.zeros(wire.BLOCK, np.float32))
    pack(expected, (rounded[0] + rounded[1]) + rounded[2])
    np.testing.assert_array_equal(total, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_largest_are_moved_and_the_rest_stays(dtype):
    rng = np.random.default_rng(2)
    x = np.exp(rng.normal(size=400) * 3) * rng.choice([-1, 1], 400)
    x[[5, 17]] = [np.nan, 0]
    x = x.astype(dtype)
    counts = np.zeros(wire.BINS, np.int64)
    wire.count_magnitudes(counts, x)
    assert counts.sum() == 400
    for k in (1, 2, 37, 400):
        left, index, value = x.copy(), np.full(k, -1, np.int32), np.zeros(k, dtype)
        wire.take_largest(index, value, left, counts)
        assert (np.diff(index) > 0).all() and index[0] >= 0
        np.testing.assert_array_equal(value, x[index])
        assert (left[index] == 0).all() and 5 in index  # what is not a number is told at once
        again = left.copy()
        wire.scatter_add(again, index, value)
        np.testing.assert_array_equal(again, x)
        if 1 < k < 400:
            assert np.nanmin(abs(value)) * 1.125 >= abs(left).max()
            assert np.nanmin(abs(value)) > np.median(abs(x[x == x]))

"""Statistics of channels: any widths and numbers of rows, large means, masks, merging over ranks."""

import numpy as np
import pytest

from dseq.kernels import batch_norm, layer_norm, moments
from dseq.kernels.base import JIT

ROWS = 5000 if JIT else 60


@pytest.mark.parametrize(("n", "c", "width"), [(0, 3, 12), (1, 3, 12), (7, 3, 12), (ROWS, 3, 12), (ROWS, 5, 5)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_column_moments(n, c, width, dtype):
    x = np.random.default_rng(n).normal(1e4, 1.0, (n, c)).astype(dtype)
    got, scratch = np.full(2 * c + 1, np.nan), np.full((4, width), np.nan)
    moments.column_moments(got, x, scratch)
    exact = x.astype("f8")
    assert got[2 * c] == n
    np.testing.assert_allclose(got[:c], exact.mean(0) if n else 0, rtol=1e-14)
    np.testing.assert_allclose(got[c : 2 * c], n * exact.var(0) if n else 0, rtol=1e-8)
    across = np.full(2 * c + 1, np.nan)
    moments.channel_moments(across, np.ascontiguousarray(x.reshape(n, c, 1)))
    np.testing.assert_allclose(across, got, rtol=1e-8)
    masked = np.full(2 * c + 1, np.nan)
    moments.masked_moments(masked, x, np.ones(n, np.uint8))
    np.testing.assert_allclose(masked, got, rtol=1e-8)


@pytest.mark.parametrize("first", [0, 1, -1])
def test_a_value_far_from_all_others(first):
    """Squares are taken of deviations from the first value, then from the mean so far."""
    x = np.random.default_rng(0).standard_normal((ROWS, 3)).astype("float32")
    x[first] = 1e7
    got = np.empty(7)
    moments.column_moments(got, x, np.empty((4, 6)))
    np.testing.assert_allclose(got[:3], x.mean(0, dtype="f8"), rtol=1e-12)
    np.testing.assert_allclose(got[3:6], ROWS * x.astype("f8").var(0), rtol=1e-10)
    x[:] = 0.1
    moments.column_moments(got, x, np.empty((4, 6)))
    assert (got[3:6] >= 0).all() and (got[3:6] < 1e-25).all()


def test_masked_rows_do_not_count():
    x = np.random.default_rng(0).standard_normal((20, 3))
    mask = (np.arange(20) % 3 > 0).astype(np.uint8)
    got, expected, scratch = np.empty(7), np.empty(7), np.empty((4, 3))
    moments.masked_moments(got, x, mask)
    moments.column_moments(expected, np.ascontiguousarray(x[mask > 0]), scratch)
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize("cuts", [(0, 10), (3, 10), (0, 0), (10, 10)])
def test_ranks_merge_to_the_whole(cuts):
    """What the sums over ranks make of parts, one of them without rows, is what one rank has."""
    x = np.random.default_rng(0).normal(1e4, 1e-1, (10, 4))
    parts = []
    for rows in np.split(x, cuts):
        part = np.empty(9)
        moments.column_moments(part, np.ascontiguousarray(rows), np.empty((4, 8)))
        parts.append(part)
    totals = np.zeros(5)
    for part in parts:
        mine = np.empty(5)
        moments.share_means(mine, part)
        totals += mine
    spreads = np.zeros(4)
    for part in parts:
        mine = np.empty(4)
        moments.share_spreads(mine, part, totals)
        spreads += mine
    batch = np.empty(13)
    moments.batch_statistics(batch, totals, spreads, np.array([1e-3]), np.array([0.0]))
    expected = [x.mean(0), x.var(0), 1 / np.sqrt(x.var(0) + 1e-3), [10]]
    np.testing.assert_allclose(batch, np.concatenate(expected), rtol=1e-9)


def test_the_table_keeps_the_digits_of_the_mean():
    """float32 numbers round 10,000.0003 to 10,000: what is left is kept beside it."""
    x = np.random.default_rng(0).normal(1e4, 1.0, (64, 3)).astype("float32")
    exact = x.astype("f8")
    batch = np.concatenate([exact.mean(0), exact.var(0), 1 / exact.std(0), [64]])
    table, y = np.empty((3, 6), "f4"), np.empty_like(x)
    batch_norm.make_table(table, batch, None, None, None)
    batch_norm.normalize_columns(y, x, table, 0)
    np.testing.assert_allclose(y, (exact - exact.mean(0)) / exact.std(0), atol=1e-6)
    assert np.abs((x - x.mean(0, dtype="f4")) / x.std(0) - y).max() > 1e-5


def test_rows_with_large_means():
    x = np.random.default_rng(0).normal(1e4, 1.0, (9, 70)).astype("float32")
    y, kept = np.empty_like(x), np.empty((9, 3), "f4")
    one, zero = np.ones(70, "f4"), np.zeros(70, "f4")
    layer_norm.rows_forward(y, kept, x, one, zero, np.array([1e-3]), 1)
    exact = x.astype("f8")
    expected = (exact - exact.mean(1, keepdims=True)) / np.sqrt(exact.var(1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(y, expected, atol=1e-6)

"""Sums of losses: what is added where, and with which bits."""

import numpy as np
import pytest

from dseq.kernels import loss as kernels
from dseq.kernels.metric import leave_out


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("columns", [1, 3, 16, 100, 1000])
def test_row_sums_and_means(dtype, columns):
    terms = np.random.default_rng(0).standard_normal((5, columns)).astype(dtype)
    sums, means = np.empty(5, dtype), np.empty(5, dtype)
    kernels.row_sums(sums, terms)
    kernels.row_means(means, terms)
    size = abs(terms).sum(1).max()
    np.testing.assert_allclose(sums, terms.sum(1, dtype="f8"), atol=size * 16 * np.finfo(dtype).eps)
    np.testing.assert_allclose(means, terms.mean(1, dtype="f8"), atol=size * 16 * np.finfo(dtype).eps / columns)
    for row in range(5):
        alone = np.empty(1, dtype)
        kernels.row_sums(alone, terms[row : row + 1])
        assert alone[0] == sums[row]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weighted_sums_are_added(dtype):
    values, weight = np.array([1, 2, 4], dtype), np.array([1, 0, 0.5], dtype)
    one, two = np.ones(1, dtype), np.ones(2, dtype)
    kernels.add_weighted(one, values, None)
    assert one.tolist() == [8]
    kernels.add_weighted(two, values, None)
    assert two.tolist() == [8, 4]
    kernels.add_weighted(two, values, weight)
    assert two.tolist() == [11, 5.5]
    kernels.add_weighted(two, values[:0], None)
    assert two.tolist() == [11, 5.5]


def test_sums_over_rows_are_made_in_float64():
    values, total = np.full(1 << 20, 0.1, "f4"), np.zeros(1, "f4")
    kernels.add_weighted(total, values, None)
    assert total[0] == np.float32(values.sum(dtype="f8"))


def test_leave_out():
    labels, weights = np.array([0, 255, 2], "i4"), np.empty(3, "f4")
    leave_out(weights, labels, None, 255)
    assert weights.tolist() == [1, 0, 1]
    leave_out(weights, labels, np.array([2, 3, 4], "f4"), 255)
    assert weights.tolist() == [2, 0, 4]


def test_a_slope_at_a_corner_is_0_and_nan_stays_nan():
    y_true, y_pred, dp = np.zeros((1, 4)), np.array([[0.0, 2, -2, np.nan]]), np.zeros((1, 4))
    kernels.absolute_backward(dp, y_true, y_pred, None, np.array([4.0]))
    np.testing.assert_array_equal(dp, [[0, 1, -1, np.nan]])

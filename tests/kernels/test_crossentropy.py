"""Crossentropy kernels alone: the parts of a softmax, labels that are no class, and clipped probabilities."""

import numpy as np
import pytest

from dseq.kernels import crossentropy as kernels
from dseq.kernels.loss import row_sums


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-14)])
@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (5, 10), (3, 70)])
def test_parts_of_softmax(dtype, tolerance, shape):
    n, m = shape
    x = (30 * np.random.default_rng(1).standard_normal(shape)).astype(dtype)
    labels = np.arange(n, dtype="i4") % m
    p, values, largest, totals = np.empty_like(x), np.empty(n, dtype), np.empty(n, dtype), np.empty(n, dtype)
    kernels.row_largest(largest, x)
    kernels.exponentials(p, x, largest)
    row_sums(totals, p)
    kernels.sparse_logits_forward(values, p, labels, x, largest, totals, None)

    exact = x.astype("f8") - x.max(1, keepdims=True, initial=-np.inf)
    logarithms = exact - np.log(np.exp(exact).sum(1, keepdims=True))
    np.testing.assert_allclose(p, np.exp(logarithms), rtol=20 * tolerance, atol=tolerance)
    np.testing.assert_allclose(values, -logarithms[np.arange(n), labels], rtol=tolerance, atol=2 * tolerance)


@pytest.mark.parametrize(("ignore", "expected"), [(None, 3), (-1, 2), (7, 2), (1, 3)])
def test_check_labels(ignore, expected):
    fault = np.zeros(1, "f4")
    kernels.check_labels(fault, np.array([0, -1, 7, 1, 3, 2], "i4"), 3, ignore, None, 1)
    assert fault[0] == expected


@pytest.mark.parametrize("p", [0.0, 1e-9, 1.0])
def test_clipped_probabilities_have_no_slope(p):
    y_pred, epsilon, scale, smoothing = np.array([[p, 1 - p]]), np.array([1e-7]), np.ones(1), np.zeros(1)
    totals = y_pred.sum(1)
    for kernel, labels, middle, last in (
        (kernels.sparse_backward, np.zeros(1, "i4"), (totals,), (epsilon, None)),
        (kernels.categorical_backward, np.array([[1.0, 0.0]]), (totals,), (epsilon, smoothing)),
        (kernels.binary_backward, np.array([[1.0, 0.0]]), (), (epsilon, smoothing)),
    ):
        dp = np.zeros((1, 2))
        kernel(dp, labels, y_pred, *middle, None, scale, *last)
        np.testing.assert_array_equal(dp, 0)


def test_labels_need_not_sum_to_1():
    labels, p, dx = np.array([[0.2, 0.2], [2.0, 1.0]]), np.array([[0.4, 0.6], [0.5, 0.5]]), np.zeros((2, 2))
    weight, scale, smoothing = np.array([1.0, 2.0]), np.array([0.5]), np.array([0.1])
    kernels.categorical_fused_backward(dx, labels, p, labels.sum(1), weight, scale, smoothing)
    smooth = 0.9 * labels + 0.05
    expected = 0.5 * weight[:, None] * (smooth.sum(1, keepdims=True) * p - smooth)
    np.testing.assert_allclose(dx, expected, rtol=1e-14)

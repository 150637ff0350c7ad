"""Matches of labels and predictions: ties, NaN, labels that are no class."""

import numpy as np
import pytest

from dseq.kernels import metric as kernels

PREDICTIONS = np.array([[0.1, 0.9, 0.8], [0.5, 0.5, 0.2], [0.0, 0.0, 0.0], [np.nan] * 3], "f4")


def values_of(kernel, *args, rows=4):
    values = np.full(rows, 7, "f4")
    kernel(values, *args)
    return values.tolist()


@pytest.mark.parametrize(
    ("labels", "expected"),
    [([1, 0, 0, 0], [1, 1, 1, 1]), ([2, 1, 1, 1], [0, 0, 0, 0]), ([-1, 3, 99, 2], [0, 0, 0, 0])],
)
def test_sparse_match_takes_the_first_of_equals(labels, expected):
    assert values_of(kernels.sparse_match, np.array(labels, "i4"), PREDICTIONS) == expected


def test_categorical_match():
    labels = np.eye(3, dtype="f4")[[1, 0, 2, 1]]
    assert values_of(kernels.categorical_match, labels, PREDICTIONS) == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("labels", "k", "expected"),
    [
        ([1, 1, 2, 0], 1, [1, 1, 1, 0]),  # all of equals are among the top; NaN never is
        ([2, 2, 2, 0], 2, [1, 0, 1, 0]),
        ([0, 2, 2, 0], 3, [1, 1, 1, 0]),
        ([-1, 3, 2, 0], 3, [0, 0, 1, 0]),
    ],
)
def test_top_k(labels, k, expected):
    assert values_of(kernels.sparse_top_match, np.array(labels, "i4"), PREDICTIONS, k) == expected
    if min(labels) >= 0 and max(labels) < 3:
        one_hot = np.eye(3, dtype="f4")[labels]
        assert values_of(kernels.categorical_top_match, one_hot, PREDICTIONS, k) == expected


def test_nan_among_predictions_counts_as_larger():
    y_pred = np.array([[0.5, np.nan, 0.1]], "f4")
    assert values_of(kernels.sparse_top_match, np.zeros(1, "i4"), y_pred, 1, rows=1) == [0]
    assert values_of(kernels.sparse_top_match, np.zeros(1, "i4"), y_pred, 2, rows=1) == [1]


def test_the_threshold_itself_is_a_0():
    terms, y_pred = np.empty(4, "f4"), np.array([0.5, 0.51, np.nan, 0.4], "f4")
    kernels.binary_match(terms, np.array([0, 1, 0, 1], "f4"), y_pred, np.array([0.5], "f4"))
    assert terms.tolist() == [1, 1, 1, 0]
    kernels.equal(terms, np.array([0.5, 1, np.nan, 0.4], "f4"), y_pred)
    assert terms.tolist() == [1, 0, 0, 1]

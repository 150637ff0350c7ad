"""Matches of labels and predictions: 1 where they agree, 0 where not.

terms, y_true, y_pred (n m,) where elements are compared; values, labels (n,), y_true, y_pred (n, m) for rows.
"""

from dseq.kernels.base import inlined, kernel


@inlined
def _largest(x, i):
    """Column of the largest element of row i, the first of equals."""
    place = 0
    for j in range(1, x.shape[1]):
        if x[i, j] > x[i, place]:
            place = j
    return place


@inlined
def _in_top(y_pred, i, label, k):
    """Whether fewer than k elements of row i are larger than that of the label; NaN is never among the top."""
    if label < 0 or label >= y_pred.shape[1] or y_pred[i, label] != y_pred[i, label]:
        return False
    larger = 0
    for j in range(y_pred.shape[1]):
        if not y_pred[i, j] <= y_pred[i, label]:
            larger += 1
    return larger < k


@kernel
def equal(terms, y_true, y_pred):
    zero, one = terms.dtype.type(0), terms.dtype.type(1)
    for i in range(terms.size):
        terms[i] = one if y_true[i] == y_pred[i] else zero


@kernel
def binary_match(terms, y_true, y_pred, threshold):
    zero, one = terms.dtype.type(0), terms.dtype.type(1)
    for i in range(terms.size):
        answer = one if y_pred[i] > threshold[0] else zero
        terms[i] = one if y_true[i] == answer else zero


@kernel
def categorical_match(values, y_true, y_pred):
    zero, one = values.dtype.type(0), values.dtype.type(1)
    for i in range(values.size):
        values[i] = one if _largest(y_true, i) == _largest(y_pred, i) else zero


@kernel
def sparse_match(values, labels, y_pred):
    zero, one = values.dtype.type(0), values.dtype.type(1)
    for i in range(values.size):
        values[i] = one if labels[i] == _largest(y_pred, i) else zero


@kernel
def categorical_top_match(values, y_true, y_pred, k):
    zero, one = values.dtype.type(0), values.dtype.type(1)
    for i in range(values.size):
        values[i] = one if _in_top(y_pred, i, _largest(y_true, i), k) else zero


@kernel
def sparse_top_match(values, labels, y_pred, k):
    zero, one = values.dtype.type(0), values.dtype.type(1)
    for i in range(values.size):
        values[i] = one if _in_top(y_pred, i, labels[i], k) else zero


@kernel
def sorted_match(values, labels, y_pred, k):
    # y_pred: class numbers, the best first
    zero, one = values.dtype.type(0), values.dtype.type(1)
    for i in range(values.size):
        values[i] = zero
        for j in range(k if k < y_pred.shape[1] else y_pred.shape[1]):
            if y_pred[i, j] == labels[i]:
                values[i] = one


@kernel
def leave_out(weights, labels, weight, ignore):
    # weights = weight, or 1, but 0 for the label to leave out; weight (n,) or None
    zero, one = weights.dtype.type(0), weights.dtype.type(1)
    for i in range(weights.size):
        if weight is not None:
            weights[i] = zero if labels[i] == ignore else weight[i]
        else:
            weights[i] = zero if labels[i] == ignore else one

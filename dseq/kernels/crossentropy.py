"""Crossentropies of rows: sparse (labels are class numbers), categorical (one-hot or soft labels) and binary.

From probabilities, those of a row are made to sum to 1 (not in the binary case) and clipped to [epsilon, 1 - epsilon].
From logits, the forward pass keeps the probabilities p, since with them the gradient by the logits is p - t. The
`fused` kernels add that one, also where a softmax or sigmoid made the predictions.

Shapes: x, y_true, y_pred, p, terms and gradients (n, m); labels, values and all other numbers of rows (n,); weight
(n,) or None; scale, epsilon, smoothing and fault (1,). Binary forward passes see flat arrays. `ignore` is the label to
leave out, or None.
"""

from dseq.kernels.base import inlined, kernel
from dseq.kernels.loss import factor
from dseq.kernels.math import clamp, exp, log, log1p


@inlined
def _counts(label, m, ignore):
    """Whether a label is a class, and not the one to leave out."""
    if ignore is not None and label == ignore:
        return False
    return label >= 0 and label < m


@kernel
def check_labels(fault, labels, classes, ignore, mask, repeats):
    # mask (n / repeats,) or None: bytes, 0 where nobody minds what the label is
    for i in range(labels.size):
        wrong = labels[i] < 0 or labels[i] >= classes
        if ignore is not None:
            wrong = wrong and labels[i] != ignore
        if mask is not None:
            wrong = wrong and mask[i // repeats] != 0
        if wrong:
            fault[0] += fault.dtype.type(1)


# From logits to exponentials, of which `row_sums` makes totals: softmax and its logarithm in parts.


@kernel
def row_largest(largest, x):
    for i in range(x.shape[0]):
        most = x[i, 0]
        for j in range(1, x.shape[1]):
            most = x[i, j] if x[i, j] > most else most
        largest[i] = most


@kernel
def exponentials(p, x, largest):
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            p[i, j] = x[i, j] - largest[i]
    elements = p.reshape(p.size)  # one long loop, since rows are often shorter than a vector
    for k in range(elements.size):
        elements[k] = exp(elements[k])


# Sparse.


@kernel
def sparse_forward(values, labels, y_pred, totals, epsilon, ignore):
    one, least = y_pred.dtype.type(1), epsilon[0]
    n, m = y_pred.shape
    for i in range(n):
        values[i] = one
        if _counts(labels[i], m, ignore):
            values[i] = clamp(y_pred[i, labels[i]] / totals[i], least, one - least)
    for i in range(n):
        values[i] = -log(values[i])


@kernel
def sparse_backward(dp, labels, y_pred, totals, weight, scale, epsilon, ignore):
    one, least = y_pred.dtype.type(1), epsilon[0]
    n, m = y_pred.shape
    for i in range(n):
        if _counts(labels[i], m, ignore):
            p = y_pred[i, labels[i]]
            share = p / totals[i]
            if not (share < least or share > one - least):
                c = y_pred.dtype.type(factor(scale, weight, i))
                shrink = c / totals[i]
                for j in range(m):
                    dp[i, j] += shrink
                dp[i, labels[i]] -= c / p


@kernel
def sparse_logits_forward(values, p, labels, x, largest, totals, ignore):
    # p comes as exponentials and becomes probabilities
    zero, one = x.dtype.type(0), x.dtype.type(1)
    n, m = x.shape
    for i in range(n):
        values[i] = log(totals[i])
    for i in range(n):
        inverse = one / totals[i]
        for j in range(m):
            p[i, j] *= inverse
        values[i] = values[i] - (x[i, labels[i]] - largest[i]) if _counts(labels[i], m, ignore) else zero


@kernel
def sparse_fused_backward(dx, labels, p, weight, scale, ignore):
    n, m = p.shape
    for i in range(n):
        if _counts(labels[i], m, ignore):
            c = p.dtype.type(factor(scale, weight, i))
            for j in range(m):
                dx[i, j] += c * p[i, j]
            dx[i, labels[i]] -= c


# Categorical: a row's value is the sum of its terms. `sums` are those of the labels of each row before smoothing.


@kernel
def categorical_forward(terms, y_true, y_pred, totals, epsilon, smoothing):
    one, least = y_pred.dtype.type(1), epsilon[0]
    n, m = y_pred.shape
    keep, rest = one - smoothing[0], smoothing[0] / y_pred.dtype.type(m)
    for i in range(n):
        for j in range(m):
            terms[i, j] = y_pred[i, j] / totals[i]
    p, t = terms.reshape(terms.size), y_true.reshape(y_true.size)
    for k in range(p.size):
        p[k] = (t[k] * keep + rest) * -log(clamp(p[k], least, one - least))


@kernel
def categorical_backward(dp, y_true, y_pred, totals, weight, scale, epsilon, smoothing):
    zero, one, least = y_pred.dtype.type(0), y_pred.dtype.type(1), epsilon[0]
    n, m = y_pred.shape
    keep, rest = one - smoothing[0], smoothing[0] / y_pred.dtype.type(m)
    for i in range(n):
        inverse = one / totals[i]
        inside = zero  # the labels whose probability was not clipped
        for j in range(m):
            p = y_pred[i, j] * inverse
            inside += zero if p < least or p > one - least else y_true[i, j] * keep + rest
        c = y_pred.dtype.type(factor(scale, weight, i))
        for j in range(m):
            p = y_pred[i, j] * inverse
            slope = (y_true[i, j] * keep + rest) / y_pred[i, j]
            dp[i, j] += c * (inside * inverse - (zero if p < least or p > one - least else slope))


@kernel
def categorical_logits_forward(terms, p, y_true, x, largest, totals, smoothing):
    # p comes as exponentials and becomes probabilities
    one = x.dtype.type(1)
    n, m = x.shape
    keep, rest = one - smoothing[0], smoothing[0] / x.dtype.type(m)
    for i in range(n):
        inverse, logarithm = one / totals[i], log(totals[i])
        for j in range(m):
            p[i, j] *= inverse
            terms[i, j] = (y_true[i, j] * keep + rest) * (logarithm - (x[i, j] - largest[i]))


@kernel
def categorical_fused_backward(dx, y_true, p, sums, weight, scale, smoothing):
    one = p.dtype.type(1)
    n, m = p.shape
    keep, rest = one - smoothing[0], smoothing[0] / p.dtype.type(m)
    for i in range(n):
        c = p.dtype.type(factor(scale, weight, i))
        total = sums[i] * keep + smoothing[0]
        for j in range(m):
            dx[i, j] += c * (total * p[i, j] - (y_true[i, j] * keep + rest))


# Binary: a row's value is the mean of its terms.


@kernel
def binary_forward(terms, y_true, y_pred, epsilon, smoothing):
    half, one, least = y_pred.dtype.type(0.5), y_pred.dtype.type(1), epsilon[0]
    keep, rest = one - smoothing[0], half * smoothing[0]
    for i in range(terms.size):
        t, p = y_true[i] * keep + rest, clamp(y_pred[i], least, one - least)
        terms[i] = -(t * log(p) + (one - t) * log(one - p))


@kernel
def binary_backward(dp, y_true, y_pred, weight, scale, epsilon, smoothing):
    half, zero, one, least = y_pred.dtype.type(0.5), y_pred.dtype.type(0), y_pred.dtype.type(1), epsilon[0]
    keep, rest = one - smoothing[0], half * smoothing[0]
    n, m = y_pred.shape
    for i in range(n):
        c = y_pred.dtype.type(factor(scale, weight, i) / m)
        for j in range(m):
            t, p = y_true[i, j] * keep + rest, y_pred[i, j]
            dp[i, j] += zero if p < least or p > one - least else c * ((p - t) / (p * (one - p)))


@kernel
def binary_logits_forward(terms, p, y_true, x, smoothing):
    half, zero, one = x.dtype.type(0.5), x.dtype.type(0), x.dtype.type(1)
    keep, rest = one - smoothing[0], half * smoothing[0]
    for i in range(terms.size):
        e = exp(-abs(x[i]))
        p[i] = (e if x[i] < zero else one) / (one + e)
        terms[i] = (zero if x[i] < zero else x[i]) - x[i] * (y_true[i] * keep + rest) + log1p(e)


@kernel
def binary_fused_backward(dx, y_true, p, weight, scale, smoothing):
    half, one = p.dtype.type(0.5), p.dtype.type(1)
    keep, rest = one - smoothing[0], half * smoothing[0]
    n, m = p.shape
    for i in range(n):
        c = p.dtype.type(factor(scale, weight, i) / m)
        for j in range(m):
            dx[i, j] += c * (p[i, j] - (y_true[i, j] * keep + rest))

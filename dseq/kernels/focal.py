"""Focal crossentropies, which look away from what is easy, and generalized crossentropy, which forgives wrong labels.

`name_forward` writes terms or values, `name_backward` adds scale * weight * d(value of the row) / d y_pred. Shapes:
terms, y_true, y_pred, dp (n, m), flat in the binary forward pass; labels, values, totals (n,), weight (n,) or None;
all other parameters (1,).
"""

from dseq.kernels.base import inlined, kernel
from dseq.kernels.loss import factor
from dseq.kernels.math import clamp, log


@kernel
def binary_focal_forward(terms, y_true, y_pred, gamma, alpha, epsilon, smoothing):
    # alpha (1,), or None where classes are not balanced
    half, one, least, power = y_pred.dtype.type(0.5), y_pred.dtype.type(1), epsilon[0], gamma[0]
    keep, rest = one - smoothing[0], half * smoothing[0]
    for i in range(terms.size):
        t, p = y_true[i] * keep + rest, y_pred[i]
        inside = clamp(p, least, one - least)
        entropy = -(t * log(inside) + (one - t) * log(one - inside))
        hard = one - (t * p + (one - t) * (one - p))
        balance = one if alpha is None else t * alpha[0] + (one - t) * (one - alpha[0])
        terms[i] = balance * (hard**power * entropy)


@kernel
def binary_focal_backward(dp, y_true, y_pred, weight, scale, gamma, alpha, epsilon, smoothing):
    half, zero, one = y_pred.dtype.type(0.5), y_pred.dtype.type(0), y_pred.dtype.type(1)
    two, least, power = y_pred.dtype.type(2), epsilon[0], gamma[0]
    keep, rest = one - smoothing[0], half * smoothing[0]
    n, m = y_pred.shape
    for i in range(n):
        c = y_pred.dtype.type(factor(scale, weight, i) / m)
        for j in range(m):
            t, p = y_true[i, j] * keep + rest, y_pred[i, j]
            inside = clamp(p, least, one - least)
            entropy = -(t * log(inside) + (one - t) * log(one - inside))
            slope = zero if p < least or p > one - least else (p - t) / (p * (one - p))
            hard = one - (t * p + (one - t) * (one - p))
            bend = zero if power == zero else power * hard ** (power - one) * (one - two * t)
            balance = one if alpha is None else t * alpha[0] + (one - t) * (one - alpha[0])
            dp[i, j] += c * balance * (hard**power * slope + bend * entropy)


@kernel
def categorical_focal_forward(terms, y_true, y_pred, totals, gamma, alpha, epsilon, smoothing):
    # a row's value is the sum of its terms
    one, least, power = y_pred.dtype.type(1), epsilon[0], gamma[0]
    n, m = y_pred.shape
    keep, rest = one - smoothing[0], smoothing[0] / y_pred.dtype.type(m)
    for i in range(n):
        for j in range(m):
            q = clamp(y_pred[i, j] / totals[i], least, one - least)
            terms[i, j] = alpha[0] * (one - q) ** power * ((y_true[i, j] * keep + rest) * -log(q))


@kernel
def categorical_focal_backward(dp, slopes, y_true, y_pred, totals, weight, scale, gamma, alpha, epsilon, smoothing):
    # slopes (n, m): room for the derivatives by the probabilities that sum to 1
    zero, one, least, power = y_pred.dtype.type(0), y_pred.dtype.type(1), epsilon[0], gamma[0]
    n, m = y_pred.shape
    keep, rest = one - smoothing[0], smoothing[0] / y_pred.dtype.type(m)
    for i in range(n):
        c = y_pred.dtype.type(factor(scale, weight, i)) * alpha[0]
        along = zero
        for j in range(m):
            q = y_pred[i, j] / totals[i]
            t = y_true[i, j] * keep + rest
            bend = zero if power == zero else power * (one - q) ** (power - one) * log(q)
            slope = t * (bend - (one - q) ** power / q)
            slopes[i, j] = zero if q < least or q > one - least else slope
            along += slopes[i, j] * q
        for j in range(m):
            dp[i, j] += c * (slopes[i, j] - along) / totals[i]


@inlined
def _is_class(label, m):
    return label >= 0 and label < m


@kernel
def generalized_forward(values, labels, y_pred, q):
    zero, one, power = y_pred.dtype.type(0), y_pred.dtype.type(1), q[0]
    n, m = y_pred.shape
    for i in range(n):
        values[i] = zero
        if _is_class(labels[i], m):
            values[i] = (one - y_pred[i, labels[i]] ** power) / power


@kernel
def generalized_backward(dp, labels, y_pred, weight, scale, q):
    one, power = y_pred.dtype.type(1), q[0]
    n, m = y_pred.shape
    for i in range(n):
        if _is_class(labels[i], m):
            c = y_pred.dtype.type(factor(scale, weight, i))
            dp[i, labels[i]] -= c * y_pred[i, labels[i]] ** (power - one)

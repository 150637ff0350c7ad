"""Losses of elements and of rows, and their gradients; crossentropies are in `dseq.kernels.crossentropy`.

`name_forward` writes a term for each element of flat arrays, of which `row_means` or `row_sums` makes one value for
each row. `name_backward` adds scale * weight * d(mean of the row) / d y_pred, on matrices.
"""

import math

from dseq.kernels.base import inlined, kernel
from dseq.kernels.math import clamp, log, log1p, softplus, tanh

LOG_2 = 0.6931471805599453


# From terms to sums. Only here sums over columns may be split among the lanes of a vector: how depends on the number
# of columns alone. Sums over rows go in order.


@kernel(fastmath={"reassoc"})
def row_means(values, terms):
    # values (n,), terms (n, m)
    for i in range(terms.shape[0]):
        total = terms.dtype.type(0)
        for j in range(terms.shape[1]):
            total += terms[i, j]
        values[i] = total / terms.dtype.type(terms.shape[1])


@kernel(fastmath={"reassoc"})
def row_sums(values, terms):
    # values (n,), terms (n, m)
    for i in range(terms.shape[0]):
        total = terms.dtype.type(0)
        for j in range(terms.shape[1]):
            total += terms[i, j]
        values[i] = total


@kernel
def add_weighted(sums, values, weight):
    # sums (1,) or (2,) with a slot for the sum of weights, values (n,), weight (n,) or None
    total, count = 0.0, 0.0
    for i in range(values.size):
        if weight is not None:
            total += float(weight[i]) * float(values[i])
            count += float(weight[i])
        else:
            total += float(values[i])
            count += 1.0
    sums[0] += total
    if sums.size > 1:
        sums[1] += count


@inlined
def factor(scale, weight, i):
    """What the gradient of row i is multiplied by, in float64."""
    if weight is not None:
        return scale[0] * weight[i]
    return scale[0]


# Values that a graph computed.


@kernel
def spread(gradient, weight, scale):
    # gradient (n k,), one value or several for each weight; weight (n,) or None
    per = 1 if weight is None or weight.size == 0 else gradient.size // weight.size
    for i in range(gradient.size):
        gradient[i] += gradient.dtype.type(factor(scale, weight, i // per))


@kernel
def spread_once(gradient, scale, per_row):
    # gradient (1,): that of one value for the whole batch; per_row (1,), or None where it is not a mean over rows
    c = scale[0] if per_row is None else scale[0] / per_row[0]
    gradient[0] += gradient.dtype.type(c)


@kernel
def add_shared(total, value, rows, per_row):
    # total (1,), value (1,): one for the whole batch; rows (n,), of which only the number counts; per_row as above
    share = 1.0 if per_row is None else per_row[0]
    total[0] += float(value[0]) * share * float(rows.size)


# Errors of elements. y_true, y_pred, terms (n m,) forward; dp, y_true, y_pred (n, m), weight (n,) or None backward.


@kernel
def squared_forward(terms, y_true, y_pred):
    for i in range(terms.size):
        error = y_pred[i] - y_true[i]
        terms[i] = error * error


@kernel
def squared_backward(dp, y_true, y_pred, weight, scale):
    n, m = y_pred.shape
    for i in range(n):
        c = y_pred.dtype.type(2.0 * factor(scale, weight, i) / m)
        for j in range(m):
            dp[i, j] += c * (y_pred[i, j] - y_true[i, j])


@kernel
def absolute_forward(terms, y_true, y_pred):
    for i in range(terms.size):
        terms[i] = abs(y_pred[i] - y_true[i])


@kernel
def absolute_backward(dp, y_true, y_pred, weight, scale):
    zero = y_pred.dtype.type(0)
    n, m = y_pred.shape
    for i in range(n):
        c = y_pred.dtype.type(factor(scale, weight, i) / m)
        for j in range(m):
            error = y_pred[i, j] - y_true[i, j]
            slope = -c if error < zero else c * error  # 0 at 0, and NaN stays NaN
            dp[i, j] += c if error > zero else slope


@kernel
def percentage_forward(terms, y_true, y_pred, epsilon):
    hundred = y_pred.dtype.type(100)
    least = epsilon[0]
    for i in range(terms.size):
        size = abs(y_true[i])
        terms[i] = hundred * abs(y_true[i] - y_pred[i]) / (least if size < least else size)


@kernel
def percentage_backward(dp, y_true, y_pred, weight, scale, epsilon):
    zero, least = y_pred.dtype.type(0), epsilon[0]
    n, m = y_pred.shape
    for i in range(n):
        c = y_pred.dtype.type(100.0 * factor(scale, weight, i) / m)
        for j in range(m):
            error = y_pred[i, j] - y_true[i, j]
            size = abs(y_true[i, j])
            slope = c / (least if size < least else size)
            below = -slope if error < zero else slope * error
            dp[i, j] += slope if error > zero else below


@inlined
def _logarithm(x, least):
    return log1p(least if x < least else x)


@kernel
def squared_logarithmic_forward(terms, y_true, y_pred, epsilon):
    least = epsilon[0]
    for i in range(terms.size):
        error = _logarithm(y_pred[i], least) - _logarithm(y_true[i], least)
        terms[i] = error * error


@kernel
def squared_logarithmic_backward(dp, y_true, y_pred, weight, scale, epsilon):
    zero, one, least = y_pred.dtype.type(0), y_pred.dtype.type(1), epsilon[0]
    n, m = y_pred.shape
    for i in range(n):
        c = y_pred.dtype.type(2.0 * factor(scale, weight, i) / m)
        for j in range(m):
            error = _logarithm(y_pred[i, j], least) - _logarithm(y_true[i, j], least)
            dp[i, j] += zero if y_pred[i, j] < least else c * error / (one + y_pred[i, j])


@kernel
def huber_forward(terms, y_true, y_pred, delta):
    half, bend = y_pred.dtype.type(0.5), delta[0]
    for i in range(terms.size):
        error = abs(y_pred[i] - y_true[i])
        terms[i] = bend * (error - half * bend) if error > bend else half * (error * error)


@kernel
def huber_backward(dp, y_true, y_pred, weight, scale, delta):
    bend = delta[0]
    n, m = y_pred.shape
    for i in range(n):
        c = y_pred.dtype.type(factor(scale, weight, i) / m)
        for j in range(m):
            dp[i, j] += c * clamp(y_pred[i, j] - y_true[i, j], -bend, bend)


@kernel
def log_cosh_forward(terms, y_true, y_pred):
    two, log_2 = y_pred.dtype.type(2), y_pred.dtype.type(LOG_2)
    for i in range(terms.size):
        error = abs(y_pred[i] - y_true[i])
        terms[i] = error + (softplus(-two * error) - log_2)


@kernel
def log_cosh_backward(dp, y_true, y_pred, weight, scale):
    n, m = y_pred.shape
    for i in range(n):
        c = y_pred.dtype.type(factor(scale, weight, i) / m)
        for j in range(m):
            dp[i, j] += c * tanh(y_pred[i, j] - y_true[i, j])


@kernel
def poisson_forward(terms, y_true, y_pred, epsilon):
    for i in range(terms.size):
        terms[i] = y_pred[i] - y_true[i] * log(y_pred[i] + epsilon[0])


@kernel
def poisson_backward(dp, y_true, y_pred, weight, scale, epsilon):
    one = y_pred.dtype.type(1)
    n, m = y_pred.shape
    for i in range(n):
        c = y_pred.dtype.type(factor(scale, weight, i) / m)
        for j in range(m):
            dp[i, j] += c * (one - y_true[i, j] / (y_pred[i, j] + epsilon[0]))


@kernel
def divergence_forward(terms, y_true, y_pred, epsilon):
    # Kullback and Leibler's: a row's value is the sum of its terms
    one, least = y_pred.dtype.type(1), epsilon[0]
    for i in range(terms.size):
        t, p = clamp(y_true[i], least, one), clamp(y_pred[i], least, one)
        terms[i] = t * log(t / p)


@kernel
def divergence_backward(dp, y_true, y_pred, weight, scale, epsilon):
    zero, one, least = y_pred.dtype.type(0), y_pred.dtype.type(1), epsilon[0]
    n, m = y_pred.shape
    for i in range(n):
        c = y_pred.dtype.type(factor(scale, weight, i))
        for j in range(m):
            p = y_pred[i, j]
            slope = c * (clamp(y_true[i, j], least, one) / p)
            dp[i, j] -= zero if p < least or p > one else slope


@kernel
def hinge_forward(terms, y_true, y_pred):
    # labels -1 or 0, and 1
    zero, one = y_pred.dtype.type(0), y_pred.dtype.type(1)
    for i in range(terms.size):
        margin = one - (-one if y_true[i] == zero else y_true[i]) * y_pred[i]
        terms[i] = zero if margin < zero else margin


@kernel
def hinge_backward(dp, y_true, y_pred, weight, scale):
    zero, one = y_pred.dtype.type(0), y_pred.dtype.type(1)
    n, m = y_pred.shape
    for i in range(n):
        c = y_pred.dtype.type(factor(scale, weight, i) / m)
        for j in range(m):
            sign = -one if y_true[i, j] == zero else y_true[i, j]
            dp[i, j] -= zero if one - sign * y_pred[i, j] <= zero else c * sign


@kernel
def squared_hinge_forward(terms, y_true, y_pred):
    zero, one = y_pred.dtype.type(0), y_pred.dtype.type(1)
    for i in range(terms.size):
        margin = one - (-one if y_true[i] == zero else y_true[i]) * y_pred[i]
        terms[i] = zero if margin < zero else margin * margin


@kernel
def squared_hinge_backward(dp, y_true, y_pred, weight, scale):
    zero, one = y_pred.dtype.type(0), y_pred.dtype.type(1)
    n, m = y_pred.shape
    for i in range(n):
        c = y_pred.dtype.type(2.0 * factor(scale, weight, i) / m)
        for j in range(m):
            sign = -one if y_true[i, j] == zero else y_true[i, j]
            margin = one - sign * y_pred[i, j]
            dp[i, j] -= zero if margin < zero else c * (sign * margin)


# Losses of whole rows. values (n,), y_true, y_pred, dp (n, m).


@inlined
def _margins(y_true, y_pred, i):
    """Score of the right class, the largest score of a wrong one, and where that is."""
    one = y_pred.dtype.type(1)
    right, worst, place = y_pred.dtype.type(0), (one - y_true[i, 0]) * y_pred[i, 0], 0
    for j in range(y_pred.shape[1]):
        right += y_true[i, j] * y_pred[i, j]
        wrong = (one - y_true[i, j]) * y_pred[i, j]
        if wrong > worst:
            worst, place = wrong, j
    return right, worst, place


@kernel
def categorical_hinge_forward(values, y_true, y_pred):
    zero, one = y_pred.dtype.type(0), y_pred.dtype.type(1)
    for i in range(y_pred.shape[0]):
        right, worst, _ = _margins(y_true, y_pred, i)
        margin = worst - right + one
        values[i] = zero if margin < zero else margin


@kernel
def categorical_hinge_backward(dp, y_true, y_pred, weight, scale):
    zero, one = y_pred.dtype.type(0), y_pred.dtype.type(1)
    for i in range(y_pred.shape[0]):
        right, worst, place = _margins(y_true, y_pred, i)
        if not worst - right + one <= zero:
            c = y_pred.dtype.type(factor(scale, weight, i))
            for j in range(y_pred.shape[1]):
                dp[i, j] -= c * y_true[i, j]
            dp[i, place] += c * (one - y_true[i, place])


@inlined
def _products(y_true, y_pred, i):
    """The product of two rows, and of each with itself."""
    zero = y_pred.dtype.type(0)
    product, labels, predictions = zero, zero, zero
    for j in range(y_pred.shape[1]):
        product += y_true[i, j] * y_pred[i, j]
        labels += y_true[i, j] * y_true[i, j]
        predictions += y_pred[i, j] * y_pred[i, j]
    return product, labels, predictions


@kernel
def cosine_forward(values, y_true, y_pred, least):
    # least (1,): the smallest square of a length
    low = least[0]
    for i in range(y_pred.shape[0]):
        product, labels, predictions = _products(y_true, y_pred, i)
        lengths = math.sqrt(low if labels < low else labels) * math.sqrt(low if predictions < low else predictions)
        values[i] = -product / lengths


@kernel
def cosine_backward(dp, y_true, y_pred, weight, scale, least):
    zero, low = y_pred.dtype.type(0), least[0]
    for i in range(y_pred.shape[0]):
        product, labels, predictions = _products(y_true, y_pred, i)
        lengths = math.sqrt(low if labels < low else labels) * math.sqrt(low if predictions < low else predictions)
        across = y_pred.dtype.type(factor(scale, weight, i)) / lengths
        along = zero if predictions < low else across * product / predictions
        for j in range(y_pred.shape[1]):
            dp[i, j] += along * y_pred[i, j] - across * y_true[i, j]

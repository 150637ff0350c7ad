"""Normalisation of each row by its own mean and variance, or by its root mean square; and of groups of channels.

Sums along a row's features are split among the lanes of a vector, in a way that depends on their number alone, and are
taken in float64; sums over rows go in order. `moments` keeps for each row its mean, the rest of the mean that the type
has no digits for, and 1 / standard deviation.
"""

from numpy import float64

from dseq.kernels.base import inlined, kernel
from dseq.kernels.moments import row_spread, row_sum


@kernel
def rows_forward(y, moments, x, gamma, beta, epsilon, centred):
    # y, x (n, m), moments (n, 3), gamma, beta (m,), epsilon (1,); centred 0: the mean is taken as 0
    m = x.shape[1]
    for i in range(x.shape[0]):
        to, row = y[i], x[i]
        mean = row_sum(row) / m if centred != 0 else 0.0
        inverse = 1.0 / (row_spread(row, mean) / m + epsilon[0]) ** 0.5
        high = x.dtype.type(mean)
        rest, factor = x.dtype.type(mean - high), x.dtype.type(inverse)
        moments[i, 0] = high
        moments[i, 1] = rest
        moments[i, 2] = factor
        for j in range(m):
            to[j] = ((row[j] - high) - rest) * factor * gamma[j] + beta[j]


# reassoc: sums along the elements of one row, whose order depends on their number alone.
@kernel(fastmath={"reassoc"})
def _along(slope, gamma, hat):
    # slope, gamma, hat (m,): the sums of slope * gamma and of slope * gamma * hat
    plain, along = 0.0, 0.0
    for j in range(slope.size):
        value = float64(slope[j] * gamma[j])
        plain += value
        along += value * float64(hat[j])
    return plain, along


@inlined
def _standardize(hat, row, moments):
    high, rest, factor = moments[0], moments[1], moments[2]
    for j in range(row.size):
        hat[j] = ((row[j] - high) - rest) * factor


@kernel
def rows_slopes(sums, dy, x, moments, hat):
    # sums (2, m): of dy and of dy * xhat over rows; dy, x (n, m), moments (n, 3), hat (m,) scratch
    plain, along = sums[0], sums[1]
    for j in range(plain.size):
        plain[j] = 0.0
        along[j] = 0.0
    for i in range(x.shape[0]):
        slope = dy[i]
        _standardize(hat, x[i], moments[i])
        for j in range(slope.size):
            plain[j] += float64(slope[j])
        for j in range(slope.size):
            along[j] += float64(slope[j]) * float64(hat[j])


@kernel
def rows_backward(dx, dy, x, moments, gamma, sums, hat, centred):
    # dx, dy, x (n, m), moments (n, 3), gamma (m,), sums (2, m) as in rows_slopes, hat (m,) scratch
    for j in range(hat.size):
        sums[0, j] = 0.0
        sums[1, j] = 0.0
    for i in range(x.shape[0]):
        _row_backward(dx[i], dy[i], x[i], moments[i], gamma, sums[0], sums[1], hat, centred)


@kernel
def rows_write(dx, dy, x, moments, gamma, sums, hat, centred):
    # the same where dx holds nothing yet
    for j in range(hat.size):
        sums[0, j] = 0.0
        sums[1, j] = 0.0
    for i in range(x.shape[0]):
        to = dx[i]
        for j in range(to.size):
            to[j] = 0
        _row_backward(to, dy[i], x[i], moments[i], gamma, sums[0], sums[1], hat, centred)


@inlined
def _row_backward(to, slope, row, moments, gamma, plain, along, hat, centred):
    m = row.size
    _standardize(hat, row, moments)
    first, second = _along(slope, gamma, hat)
    factor = moments[2]
    constant, multiple = hat.dtype.type(first / m), hat.dtype.type(second / m)
    if centred == 0:
        constant = hat.dtype.type(0)
    # A loop stores to one array: with more, LLVM gives up on telling whether they overlap, and on vectors.
    for j in range(m):
        plain[j] += float64(slope[j])
    for j in range(m):
        along[j] += float64(slope[j]) * float64(hat[j])
    for j in range(m):
        to[j] += factor * ((slope[j] * gamma[j] - constant) - hat[j] * multiple)


@kernel
def add_sums(dw, sums, row):
    # dw (m,) += a row of sums (2, m)
    for j in range(dw.size):
        dw[j] += dw.dtype.type(sums[row, j])


# Groups of channels: x (n, s, c), sample by sample; each of g groups is c / g channels at s places.


@inlined
def _fold(totals, c, groups):
    """Sums over each group's channels, put into all of them."""
    size = c // groups
    for g in range(groups):
        total = 0.0
        for j in range(g * size, (g + 1) * size):
            total += totals[j]
        for j in range(g * size, (g + 1) * size):
            totals[j] = total


@kernel
def groups_forward(y, moments, x, gamma, beta, epsilon, scratch):
    # y, x (n, s, c), moments (n, g, 3), gamma, beta (c,), scratch (2, c) float64
    s, c = x.shape[1], x.shape[2]
    groups = moments.shape[1]
    size = c // groups
    mean, square = scratch[0], scratch[1]
    share = 1.0 / max(s * size, 1)
    for i in range(x.shape[0]):
        for j in range(c):
            mean[j] = 0.0
            square[j] = 0.0
        for k in range(s):
            row = x[i, k]
            for j in range(c):
                mean[j] += float64(row[j])
        _fold(mean, c, groups)
        for j in range(c):
            mean[j] *= share
        for k in range(s):
            row = x[i, k]
            for j in range(c):
                step = float64(row[j]) - mean[j]
                square[j] += step * step
        _fold(square, c, groups)
        for g in range(groups):
            high = x.dtype.type(mean[g * size])
            moments[i, g, 0] = high
            moments[i, g, 1] = x.dtype.type(mean[g * size] - high)
            moments[i, g, 2] = x.dtype.type(1.0 / (square[g * size] * share + epsilon[0]) ** 0.5)
        for k in range(s):
            to, row = y[i, k], x[i, k]
            for g in range(groups):
                high, rest, factor = moments[i, g, 0], moments[i, g, 1], moments[i, g, 2]
                for j in range(g * size, (g + 1) * size):
                    to[j] = ((row[j] - high) - rest) * factor * gamma[j] + beta[j]


@kernel
def groups_slopes(sums, dy, x, moments, scratch):
    # sums (2, c) of dy and of dy * xhat over samples and places; dy, x (n, s, c), moments (n, g, 3), scratch (2, c)
    for j in range(sums.shape[1]):
        sums[0, j] = 0.0
        sums[1, j] = 0.0
    for i in range(x.shape[0]):
        _sample_slopes(scratch, dy[i], x[i], moments[i])
        for j in range(sums.shape[1]):
            sums[0, j] += scratch[0, j]
            sums[1, j] += scratch[1, j]


@inlined
def _sample_slopes(scratch, dy, x, moments):
    groups = moments.shape[0]
    size = x.shape[1] // groups
    plain, along = scratch[0], scratch[1]
    for j in range(plain.size):
        plain[j] = 0.0
        along[j] = 0.0
    for k in range(x.shape[0]):
        slope, row = dy[k], x[k]
        for g in range(groups):
            high, rest, factor = moments[g, 0], moments[g, 1], moments[g, 2]
            for j in range(g * size, (g + 1) * size):
                plain[j] += float64(slope[j])
                along[j] += float64(slope[j]) * float64(((row[j] - high) - rest) * factor)


@kernel
def groups_backward(dx, dy, x, moments, gamma, sums, scratch):
    # dx, dy, x (n, s, c), moments (n, g, 3), gamma (c,), sums, scratch (2, c) as in groups_slopes
    s, c = x.shape[1], x.shape[2]
    groups = moments.shape[1]
    size = c // groups
    share = 1.0 / max(s * size, 1)
    plain, along = scratch[0], scratch[1]
    for j in range(c):
        sums[0, j] = 0.0
        sums[1, j] = 0.0
    for i in range(x.shape[0]):
        _sample_slopes(scratch, dy[i], x[i], moments[i])
        for j in range(c):
            sums[0, j] += plain[j]
            sums[1, j] += along[j]
            plain[j] *= gamma[j]
            along[j] *= gamma[j]
        _fold(plain, c, groups)
        _fold(along, c, groups)
        for k in range(s):
            to, slope, row = dx[i, k], dy[i, k], x[i, k]
            for g in range(groups):
                high, rest, factor = moments[i, g, 0], moments[i, g, 1], moments[i, g, 2]
                constant = x.dtype.type(plain[g * size] * share)
                multiple = x.dtype.type(along[g * size] * share)
                for j in range(g * size, (g + 1) * size):
                    hat = ((row[j] - high) - rest) * factor
                    to[j] += factor * ((slope[j] * gamma[j] - constant) - hat * multiple)

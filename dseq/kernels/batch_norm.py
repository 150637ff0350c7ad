"""Normalisation of channels, forward and backward.

For channels last, x (n, c), and for channels followed by other axes, x (n, c, m).
The statistics are made by `dseq.kernels.moments`, which says what `batch` and the width w are.

y = (x - mean) * factor + shift, where mean is the nearest number in the type of x: what it lacks of the mean is in
the shift, so that a mean of 10,000 costs no digits. Loops store to one array each, or LLVM takes them for too many
possible overlaps and gives up on vectors.

Blocks: table (3, w) in the type of x: mean, factor, shift. sums (2c) float64: of dy and of dy * xhat. pulls (2, w) in
the type of x: what backward takes from dy * factor, as a constant and as a multiple of x - mean. corrections (2, c)
float64: r and d of batch renormalisation, or None. `activation` is a code of `dseq.kernels.epilogue`: what is applied
to the result, and what backward makes again from x to know where it has a slope.
"""

import numpy as np
from numpy import float64

from dseq.kernels.base import inlined, kernel
from dseq.kernels.epilogue import NONE, bounds
from dseq.kernels.frame import zero_frame
from dseq.kernels.moments import row_sum


@kernel
def make_table(table, batch, gamma, beta, corrections):
    # table (3, w), batch (3c + 1,), gamma, beta (c,) or None, corrections (2, c) or None
    c = batch.size // 3
    for j in range(table.shape[1]):
        k = j % c
        high = table.dtype.type(batch[k])
        scale, offset = 1.0, 0.0
        if gamma is not None:
            scale = float64(gamma[k])
        if corrections is not None:
            offset = corrections[1, k] * scale
            scale *= corrections[0, k]
        scale *= batch[2 * c + k]
        if beta is not None:
            offset += float64(beta[k])
        table[0, j] = high
        table[1, j] = table.dtype.type(scale)
        table[2, j] = table.dtype.type(offset - (batch[k] - high) * scale)


@kernel
def normalize_columns(y, x, table, activation):
    # y, x (n, c), table (3, w)
    width = table.shape[1]
    flat_y, flat_x = y.reshape(y.size), x.reshape(x.size)
    mean, factor, shift = table[0], table[1], table[2]
    bottom, top = bounds(table, activation)
    for first in range(0, x.size, width):
        to, row = flat_y[first : first + width], flat_x[first : first + width]
        if activation == NONE:
            for j in range(row.size):
                to[j] = (row[j] - mean[j]) * factor[j] + shift[j]
        else:
            for j in range(row.size):
                value = (row[j] - mean[j]) * factor[j] + shift[j]
                value = bottom if value <= bottom else value
                to[j] = top if value > top else value


@kernel
def normalize_padded(y, x, table, before_d, before_h, before_w, activation):
    # y (n, d', h', w', c) zeros but for the result in its middle, x (n, d, h, w, c), table (3, width)
    n, d, h, w, c = x.shape
    for i in range(n):
        zero_frame(y[i], before_d, before_h, before_w, d, h, w)
        for z in range(d):
            for r in range(h):
                row = y[i, before_d + z, before_h + r].reshape(y.shape[3] * c)[before_w * c : (before_w + w) * c]
                normalize_columns(row.reshape(w, c), x[i, z, r], table, activation)


@kernel
def normalize_channels(y, x, table, activation):
    # y, x (n, c, m), table (3, c)
    bottom, top = bounds(table, activation)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            to, row = y[i, j], x[i, j]
            mean, factor, shift = table[0, j], table[1, j], table[2, j]
            for k in range(row.size):
                value = (row[k] - mean) * factor + shift
                value = bottom if value <= bottom else value
                to[k] = top if value > top else value


@kernel
def column_slopes(sums, dy, x, table, batch, scratch, activation):
    # sums (2c,), dy of the activation's result, x (n, c), table (3, w), batch (3c + 1,), scratch (4, w)
    c, width = x.shape[1], table.shape[1]
    flat_dy, flat_x = dy.reshape(dy.size), x.reshape(x.size)
    mean, plain, along = table[0], scratch[0], scratch[1]
    for j in range(width):
        plain[j] = 0.0
        along[j] = 0.0
    fours = x.size // (4 * width) * 4 * width
    inside, part = np.empty((4, width), table.dtype), np.empty(width, table.dtype)
    passed, second, third, fourth = inside[0], inside[1], inside[2], inside[3]
    bottom, top = bounds(table, activation)
    factor, shift = table[1], table[2]
    # Four numbers make one of their type before they are added in float64: conversions take most of the time.
    for first in range(0, fours, 4 * width):
        last = first + 4 * width
        a, b = flat_dy[first : first + width], flat_dy[first + width : first + 2 * width]
        d, e = flat_dy[last - 2 * width : last - width], flat_dy[last - width : last]
        p, q = flat_x[first : first + width], flat_x[first + width : first + 2 * width]
        r, s = flat_x[last - 2 * width : last - width], flat_x[last - width : last]
        if activation != NONE:
            _pass(passed, a, p, mean, factor, shift, bottom, top)
            _pass(second, b, q, mean, factor, shift, bottom, top)
            _pass(third, d, r, mean, factor, shift, bottom, top)
            _pass(fourth, e, s, mean, factor, shift, bottom, top)
            _add_four(plain, along, part, passed, second, third, fourth, p, q, r, s, mean)
        else:
            _add_four(plain, along, part, a, b, d, e, p, q, r, s, mean)
    for first in range(fours, x.size, width):
        a, p = flat_dy[first : first + width], flat_x[first : first + width]
        _pass(passed[: a.size], a, p, mean, factor, shift, bottom, top)
        for j in range(a.size):
            plain[j] += float64(passed[j])
        for j in range(a.size):
            along[j] += float64(passed[j] * (p[j] - mean[j]))
    for j in range(2 * c):
        sums[j] = 0.0
    for k in range(width // c):
        for j in range(c):
            sums[j] += plain[k * c + j]
            sums[c + j] += along[k * c + j]
    for j in range(c):
        sums[c + j] = (sums[c + j] - (batch[j] - mean[j]) * sums[j]) * batch[2 * c + j]


@inlined
def _pass(to, dy, x, mean, factor, shift, bottom, top):
    """What of dy passes the activation of the normalised x."""
    zero = to.dtype.type(0)
    for j in range(to.size):
        value = (x[j] - mean[j]) * factor[j] + shift[j]
        to[j] = zero if value <= bottom or value >= top else dy[j]


@inlined
def _add_four(plain, along, part, a, b, d, e, p, q, r, s, mean):
    """Adds four rows a, b, d, e of slopes to `plain`, and times the deviations of p, q, r, s to `along`."""
    for j in range(plain.size):
        plain[j] += float64((a[j] + b[j]) + (d[j] + e[j]))
    for j in range(part.size):
        part[j] = a[j] * (p[j] - mean[j]) + b[j] * (q[j] - mean[j])
    for j in range(along.size):
        along[j] += float64(part[j] + (d[j] * (r[j] - mean[j]) + e[j] * (s[j] - mean[j])))


@kernel
def channel_slopes(sums, dy, x, batch):
    # sums (2c,), dy, x (n, c, m), batch (3c + 1,)
    c = x.shape[1]
    for j in range(2 * c):
        sums[j] = 0.0
    for i in range(x.shape[0]):
        for j in range(c):
            sums[j] += row_sum(dy[i, j])
            sums[c + j] += _row_along(dy[i, j], x[i, j], batch[j]) * batch[2 * c + j]


@kernel(fastmath={"reassoc"})
def _row_along(dy, x, mean):
    # dy, x (m,): the sum of dy * (x - mean)
    total = 0.0
    for j in range(x.size):
        total += float64(dy[j]) * (float64(x[j]) - mean)
    return total


@kernel
def add_slopes(dw, sums, first):
    # dw (c,) += c of sums (2c,), from the first on
    for j in range(dw.size):
        dw[j] += dw.dtype.type(sums[first + j])


@kernel
def make_pulls(pulls, sums, table, batch):
    # pulls (2, w), sums (2c,) over all ranks, table (3, w), batch (3c + 1,)
    c = batch.size // 3
    share = 1.0 / batch[3 * c] if batch[3 * c] > 0 else 0.0
    for j in range(pulls.shape[1]):
        k = j % c
        factor = table[1, j] * share
        multiple = factor * sums[c + k] * batch[2 * c + k]
        pulls[0, j] = pulls.dtype.type(factor * sums[k] - (batch[k] - table[0, j]) * multiple)
        pulls[1, j] = pulls.dtype.type(multiple)


@kernel
def columns_backward(dx, dy, x, table, pulls, activation):
    # dx, dy of the activation's result, x (n, c), table (3, w), pulls (2, w)
    width = table.shape[1]
    flat_dx, flat_dy, flat_x = dx.reshape(dx.size), dy.reshape(dy.size), x.reshape(x.size)
    carried = np.empty(width, dx.dtype)
    for first in range(0, x.size, width):
        to = flat_dx[first : first + width]
        _carry(carried, flat_dy[first : first + width], flat_x[first : first + width], table, pulls, activation)
        for j in range(to.size):
            to[j] += carried[j]


@kernel
def columns_write(dx, dy, x, table, pulls, activation):
    # the same where dx holds nothing yet
    width = table.shape[1]
    flat_dx, flat_dy, flat_x = dx.reshape(dx.size), dy.reshape(dy.size), x.reshape(x.size)
    for first in range(0, x.size, width):
        last = first + width
        _carry(flat_dx[first:last], flat_dy[first:last], flat_x[first:last], table, pulls, activation)


@kernel
def columns_in_place(dx, dy, x, table, pulls, activation):
    # the same where dx lies where dy does
    width = table.shape[1]
    flat_dx, flat_x = dx.reshape(dx.size), x.reshape(x.size)
    carried = np.empty(width, dx.dtype)
    for first in range(0, x.size, width):
        to = flat_dx[first : first + width]
        _carry(carried, to, flat_x[first : first + width], table, pulls, activation)
        for j in range(to.size):
            to[j] = carried[j]


@inlined
def _carry(dx, dy, x, table, pulls, activation):
    # dx, dy, x (at most w,)
    mean, factor, shift, constant, multiple = table[0], table[1], table[2], pulls[0], pulls[1]
    if activation == NONE:
        for j in range(x.size):
            dx[j] = (dy[j] * factor[j] - constant[j]) - (x[j] - mean[j]) * multiple[j]
    else:
        zero = table.dtype.type(0)
        bottom, top = bounds(table, activation)
        for j in range(x.size):
            value = (x[j] - mean[j]) * factor[j] + shift[j]
            slope = zero if value <= bottom or value >= top else dy[j] * factor[j]
            dx[j] = (slope - constant[j]) - (x[j] - mean[j]) * multiple[j]


@kernel
def masked_backward(dx, dy, x, table, pulls, mask):
    # as columns_backward, with mask (n,): the statistics do not depend on rows where it is 0
    mean, factor, constant, multiple = table[0], table[1], pulls[0], pulls[1]
    for i in range(x.shape[0]):
        to, slope, row = dx[i], dy[i], x[i]
        for j in range(row.size):
            to[j] += slope[j] * factor[j]
        if mask[i] != 0:
            for j in range(row.size):
                to[j] -= constant[j] + (row[j] - mean[j]) * multiple[j]


@kernel
def channels_backward(dx, dy, x, table, pulls):
    # dx, dy, x (n, c, m), table (3, c), pulls (2, c)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            to, slope, row = dx[i, j], dy[i, j], x[i, j]
            mean, factor, constant, multiple = table[0, j], table[1, j], pulls[0, j], pulls[1, j]
            for k in range(row.size):
                to[k] += (slope[k] * factor - constant) - (row[k] - mean) * multiple


@kernel
def frozen_columns_backward(dx, dy, table):
    # dx, dy (n, c), table (3, w): the statistics are constants
    width = table.shape[1]
    flat_dx, flat_dy, factor = dx.reshape(dx.size), dy.reshape(dy.size), table[1]
    for first in range(0, dy.size, width):
        to, slope = flat_dx[first : first + width], flat_dy[first : first + width]
        for j in range(slope.size):
            to[j] += slope[j] * factor[j]


@kernel
def frozen_channels_backward(dx, dy, table):
    # dx, dy (n, c, m), table (3, c)
    for i in range(dy.shape[0]):
        for j in range(dy.shape[1]):
            to, slope, factor = dx[i, j], dy[i, j], table[1, j]
            for k in range(slope.size):
                to[k] += slope[k] * factor


@kernel
def add_corrected_slopes(dgamma, sums, corrections):
    # dgamma (c,), sums (2c,), corrections (2, c)
    c = dgamma.size
    for j in range(c):
        dgamma[j] += dgamma.dtype.type(corrections[0, j] * sums[c + j] + corrections[1, j] * sums[j])


@kernel
def fixed_table(table, mean, variance, least, inverted):
    # table (3, w), mean, variance (c,), least (1,): what standard deviations are at least; inverted: the way back
    c = mean.size
    for j in range(table.shape[1]):
        center, deviation = float64(mean[j % c]), max(float64(variance[j % c]) ** 0.5, least[0])
        high = table.dtype.type(center)
        if inverted != 0:
            table[0, j] = 0
            table[1, j] = table.dtype.type(deviation)
            table[2, j] = high
        else:
            table[0, j] = high
            table[1, j] = table.dtype.type(1.0 / deviation)
            table[2, j] = table.dtype.type((high - center) / deviation)


@kernel
def fold_kernel(folded, w, table):
    # folded, w (k, c), table (3, w)
    factor = table[1][: w.shape[1]]
    for i in range(w.shape[0]):
        to, row = folded[i], w[i]
        for j in range(row.size):
            to[j] = row[j] * factor[j]


@kernel
def fold_bias(folded, b, table):
    # folded (c,), b (c,) or None, table (3, w)
    for j in range(folded.size):
        value = -float64(table[0, j])
        if b is not None:
            value += float64(b[j])
        folded[j] = folded.dtype.type(value * table[1, j] + table[2, j])

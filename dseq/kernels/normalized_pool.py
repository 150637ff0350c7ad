"""Largest values of windows of normalised images, and the gradients of both, without the normalised images.

Images are (n, depth, height, width, channels). Windows (kd, kh, kw) lie side by side and leave nothing out. For table,
batch, sums, scratch and pulls see `dseq.kernels.batch_norm`: of rows of several pixels the first c elements count.

A window is known by the pixels whose normalised values are largest. These rise or fall with what they are made of, so
that what is compared is not normalised, and of equal pixels the first counts. An activation goes up: it may come after
the maximum.
"""

import numpy as np
from numpy import float64

from dseq.kernels.base import inlined, kernel
from dseq.kernels.epilogue import bounds
from dseq.kernels.frame import zero_frame


@kernel
def _directions(sign, factor):
    # sign, factor (c,): whether normalised values rise or fall with what they are made of
    for j in range(sign.size):
        falling = sign.dtype.type(-1 if factor[j] < 0 else 0)
        sign[j] = sign.dtype.type(1) if factor[j] > 0 else falling


@inlined
def _find(at, x, z, r, s, kd, kh, kw, sign):
    """Puts the values that become the largest into `at`, for the window at pixel (z, r, s) of an image x."""
    # A comparison with NaN is false, so that NaN stays once it is there.
    if kd == 1 and kh == 2 and kw == 2:  # the usual window in one loop: its rows are as short as channels are few
        one, two, three, four = x[z, r, s], x[z, r, s + 1], x[z, r + 1, s], x[z, r + 1, s + 1]
        for j in range(at.size):
            best = one[j] * sign[j]
            largest = one[j] if (best >= two[j] * sign[j]) | (best != best) else two[j]
            best = largest * sign[j]
            largest = largest if (best >= three[j] * sign[j]) | (best != best) else three[j]
            best = largest * sign[j]
            at[j] = largest if (best >= four[j] * sign[j]) | (best != best) else four[j]
    else:
        row = x[z, r, s]
        for j in range(at.size):
            at[j] = row[j]
        for p in range(z, z + kd):
            for q in range(r, r + kh):
                for t in range(s, s + kw):
                    row = x[p, q, t]
                    for j in range(at.size):
                        best = at[j] * sign[j]
                        at[j] = at[j] if (best >= row[j] * sign[j]) | (best != best) else row[j]


@kernel
def normalize_max(y, x, table, kd, kh, kw, before_d, before_h, before_w, activation):
    # y (n, od', oh', ow', c) zeros but for the maxima in its middle, x (n, d, h, w, c), table (3, width)
    n, d, h, w, c = x.shape
    od, oh, ow = d // kd, h // kh, w // kw
    mean, factor, shift = table[0, :c], table[1, :c], table[2, :c]
    bottom, top = bounds(table, activation)
    sign = np.empty(c, x.dtype)
    _directions(sign, factor)
    for i in range(n):
        zero_frame(y[i], before_d, before_h, before_w, od, oh, ow)
        for z in range(od):
            for r in range(oh):
                for s in range(ow):
                    out = y[i, before_d + z, before_h + r, before_w + s]
                    _find(out, x[i], z * kd, r * kh, s * kw, kd, kh, kw, sign)
                    for j in range(out.size):
                        value = (out[j] - mean[j]) * factor[j] + shift[j]
                        value = bottom if value <= bottom else value
                        out[j] = top if value > top else value


@kernel
def max_slopes(sums, dy, x, table, batch, scratch, kd, kh, kw, activation):
    # sums (2c,), dy (n, od, oh, ow, c), x (n, d, h, w, c), table (3, width), batch (3c + 1,), scratch (4, width)
    c = x.shape[4]
    mean, factor, shift = table[0, :c], table[1, :c], table[2, :c]
    plain, along = scratch[0, :c], scratch[1, :c]
    at, left, zero = np.empty(c, x.dtype), np.empty(c, x.dtype), x.dtype.type(0)
    bottom, top = bounds(table, activation)
    sign = np.empty(c, x.dtype)
    _directions(sign, factor)
    for j in range(c):
        plain[j] = 0.0
        along[j] = 0.0
    for i in range(dy.shape[0]):
        for z in range(dy.shape[1]):
            for r in range(dy.shape[2]):
                for s in range(dy.shape[3]):
                    _find(at, x[i], z * kd, r * kh, s * kw, kd, kh, kw, sign)
                    given = dy[i, z, r, s]
                    for j in range(c):
                        value = (at[j] - mean[j]) * factor[j] + shift[j]
                        left[j] = zero if (value <= bottom) | (value >= top) else given[j]
                    for j in range(c):
                        plain[j] += float64(left[j])
                    for j in range(c):
                        along[j] += float64(left[j]) * float64(at[j] - mean[j])
    for j in range(c):
        sums[j] = plain[j]
        sums[c + j] = (along[j] - (batch[j] - mean[j]) * plain[j]) * batch[2 * c + j]


@kernel
def max_columns_backward(dx, dy, x, table, pulls, kd, kh, kw, activation):
    # dx, x (n, d, h, w, c), dy (n, od, oh, ow, c), table (3, width), pulls (2, width)
    c = x.shape[4]
    at, which, slope, carried = np.empty(c, x.dtype), np.empty(c, x.dtype), np.empty(c, x.dtype), np.empty(c, x.dtype)
    mean, factor, shift = table[0, :c], table[1, :c], table[2, :c]
    constant, multiple = pulls[0, :c], pulls[1, :c]
    bottom, top = bounds(table, activation)
    sign = np.empty(c, x.dtype)
    _directions(sign, factor)
    for i in range(dy.shape[0]):
        for z in range(0, x.shape[1], kd):
            for r in range(0, x.shape[2], kh):
                for s in range(0, x.shape[3], kw):
                    given = dy[i, z // kd, r // kh, s // kw]
                    _find(at, x[i], z, r, s, kd, kh, kw, sign)
                    _slope(slope, given, at, mean, factor, shift, bottom, top)
                    _number(which, at, x[i], z, r, s, kd, kh, kw)
                    for p in range(kd):
                        for q in range(kh):
                            for t in range(kw):
                                place = (p * kh + q) * kw + t
                                to, row = dx[i, z + p, r + q, s + t], x[i, z + p, r + q, s + t]
                                _carry(carried, row, which, place, slope, mean, constant, multiple)
                                for j in range(to.size):
                                    to[j] += carried[j]


@kernel
def max_columns_write(dx, dy, x, table, pulls, kd, kh, kw, activation):
    # the same where dx holds nothing yet
    c = x.shape[4]
    at, which, slope = np.empty(c, x.dtype), np.empty(c, x.dtype), np.empty(c, x.dtype)
    mean, factor, shift = table[0, :c], table[1, :c], table[2, :c]
    constant, multiple = pulls[0, :c], pulls[1, :c]
    bottom, top = bounds(table, activation)
    sign = np.empty(c, x.dtype)
    _directions(sign, factor)
    for i in range(dy.shape[0]):
        for z in range(0, x.shape[1], kd):
            for r in range(0, x.shape[2], kh):
                for s in range(0, x.shape[3], kw):
                    given = dy[i, z // kd, r // kh, s // kw]
                    _find(at, x[i], z, r, s, kd, kh, kw, sign)
                    _slope(slope, given, at, mean, factor, shift, bottom, top)
                    _number(which, at, x[i], z, r, s, kd, kh, kw)
                    for p in range(kd):
                        for q in range(kh):
                            for t in range(kw):
                                place = (p * kh + q) * kw + t
                                to, row = dx[i, z + p, r + q, s + t], x[i, z + p, r + q, s + t]
                                _carry(to, row, which, place, slope, mean, constant, multiple)


@inlined
def _slope(slope, dy, at, mean, factor, shift, bottom, top):
    """dy * factor where the activation lets it pass, for the values `at` of a window."""
    zero = slope.dtype.type(0)
    for j in range(slope.size):
        value = (at[j] - mean[j]) * factor[j] + shift[j]
        slope[j] = zero if (value <= bottom) | (value >= top) else dy[j] * factor[j]


@inlined
def _number(which, at, x, z, r, s, kd, kh, kw):
    """The number of the first pixel of a window that has each of the values `at`."""
    zero, one, two, three = which.dtype.type(0), which.dtype.type(1), which.dtype.type(2), which.dtype.type(3)
    if kd == 1 and kh == 2 and kw == 2:
        first, second, third = x[z, r, s], x[z, r, s + 1], x[z, r + 1, s]
        for j in range(which.size):
            number = two if third[j] == at[j] else three
            number = one if second[j] == at[j] else number
            which[j] = zero if first[j] == at[j] else number
    else:
        for place in range(kd * kh * kw - 1, -1, -1):
            row, number = x[z + place // (kh * kw), r + place // kw % kh, s + place % kw], which.dtype.type(place)
            for j in range(which.size):
                which[j] = number if row[j] == at[j] else which[j]


@inlined
def _carry(dx, x, which, place, slope, mean, constant, multiple):
    """The gradient of the pixel `place` of a window, dx and x (c,)."""
    zero, number = x.dtype.type(0), x.dtype.type(place)
    for j in range(dx.size):
        mine = slope[j] if which[j] == number else zero
        dx[j] = (mine - constant[j]) - (x[j] - mean[j]) * multiple[j]

"""Largest values of windows of normalised images, and the gradients of both, without the normalised images.

Images are (n, depth, height, width, channels). Windows (kd, kh, kw) lie side by side and leave nothing out. For table,
batch, sums, scratch and pulls see `dseq.kernels.batch_norm`: of rows of several pixels the first c elements count. For
places see `dseq.kernels.pool.max_places`.

A window is known by the pixels whose normalised values are largest. These rise or fall with what they are made of, so
that what is compared is not normalised, and of equal pixels the first counts. An activation goes up: it may come after
the maximum.
"""

import numpy as np
from numpy import float64

from dseq.kernels.base import JIT, inlined, kernel
from dseq.kernels.batch_norm import columns_backward, columns_write
from dseq.kernels.epilogue import NONE, bounds
from dseq.kernels.frame import zero_frame
from dseq.kernels.pool import places_write

UNTOLD = np.uint8 if JIT else np.int32  # of places nobody reads: compiled, numbers of large windows may wrap around


@kernel
def normalize_max(y, places, x, table, kd, kh, kw, before_d, before_h, before_w, activation):
    # y (n, od', oh', ow', c) zeros but for the maxima in its middle, places (n, od, oh, ow, c) or None,
    # x (n, d, h, w, c), table (3, width)
    n, d, h, w, c = x.shape
    od, oh, ow = d // kd, h // kh, w // kw
    bottom, top = bounds(table, activation)
    sign, spare = np.empty(c, x.dtype), np.empty((ow, c), UNTOLD)
    _directions(sign, table[1, :c])
    for i in range(n):
        zero_frame(y[i], before_d, before_h, before_w, od, oh, ow)
        for z in range(od):
            for r in range(oh):
                out = y[i, before_d + z, before_h + r, before_w : before_w + ow]
                if places is None:
                    _normalized_row(out, spare, x[i], table, sign, z * kd, r * kh, kd, kh, kw, bottom, top)
                else:
                    _normalized_row(out, places[i, z, r], x[i], table, sign, z * kd, r * kh, kd, kh, kw, bottom, top)


@kernel
def _directions(sign, factor):
    # sign, factor (c,): whether normalised values rise or fall with what they are made of
    for j in range(sign.size):
        falling = sign.dtype.type(-1 if factor[j] < 0 else 0)
        sign[j] = sign.dtype.type(1) if factor[j] > 0 else falling


@kernel
def _normalized_row(y, places, x, table, sign, z, r, kd, kh, kw, bottom, top):
    # y, places (ow, c): a row of windows, that begins at row (z, r) of an image x (d, h, w, c)
    nowhere, c = places.dtype.type(kd * kh * kw), sign.size
    mean, factor, shift = table[0, :c], table[1, :c], table[2, :c]
    if kd == 1 and kh == 2 and kw == 2:
        _find_quads(y, places, x[z, r], x[z, r + 1], sign)
    else:
        for s in range(y.shape[0]):
            _find(y[s], places[s], x, z, r, s * kw, kd, kh, kw, sign)
    for s in range(y.shape[0]):
        out, place = y[s], places[s]
        for j in range(c):
            value = (out[j] - mean[j]) * factor[j] + shift[j]
            value = bottom if value <= bottom else value
            out[j] = top if value > top else value
        for j in range(c):
            place[j] = nowhere if (out[j] <= bottom) | (out[j] >= top) else place[j]


@kernel
def _find_quads(at, places, upper, lower, sign):
    # at, places (ow, c), upper, lower (w, c): what becomes the largest, and where it is, in windows of 2 x 2 pixels
    kind = places.dtype.type
    zero, one, two, three = kind(0), kind(1), kind(2), kind(3)
    for s in range(at.shape[0]):
        found, place = at[s], places[s]
        a, b, c, d = upper[2 * s], upper[2 * s + 1], lower[2 * s], lower[2 * s + 1]
        for j in range(found.size):
            best = a[j] * sign[j]
            number = zero if (best >= b[j] * sign[j]) | (best != best) else one
            largest = a[j] if (best >= b[j] * sign[j]) | (best != best) else b[j]
            best = largest * sign[j]
            number = number if (best >= c[j] * sign[j]) | (best != best) else two
            largest = largest if (best >= c[j] * sign[j]) | (best != best) else c[j]
            best = largest * sign[j]
            place[j] = number if (best >= d[j] * sign[j]) | (best != best) else three
            found[j] = largest if (best >= d[j] * sign[j]) | (best != best) else d[j]


@inlined
def _find(at, place, x, z, r, s, kd, kh, kw, sign):
    """The same for the window at pixel (z, r, s) of an image x."""
    first, zero = x[z, r, s], place.dtype.type(0)
    for j in range(at.size):
        at[j] = first[j]
        place[j] = zero
    for k in range(1, kd * kh * kw):
        row, here = x[z + k // (kh * kw), r + k // kw % kh, s + k % kw], place.dtype.type(k)
        for j in range(at.size):
            # A comparison with NaN is false, so that NaN stays once it is there.
            best = at[j] * sign[j]
            place[j] = place[j] if (best >= row[j] * sign[j]) | (best != best) else here
            at[j] = at[j] if (best >= row[j] * sign[j]) | (best != best) else row[j]


@kernel
def max_slopes(sums, dy, places, x, table, batch, scratch, kd, kh, kw):
    # sums (2c,), dy, places (n, od, oh, ow, c), x (n, d, h, w, c), table (3, width), batch (3c + 1,),
    # scratch (4, width)
    c = x.shape[4]
    mean, plain, along, at = table[0, :c], scratch[0, :c], scratch[1, :c], np.empty((2, c), x.dtype)
    for j in range(c):
        plain[j] = 0.0
        along[j] = 0.0
    for i in range(dy.shape[0]):
        for z in range(dy.shape[1]):
            for r in range(dy.shape[2]):
                if kd == 1 and kh == 2 and kw == 2:
                    upper, lower = x[i, z, 2 * r], x[i, z, 2 * r + 1]
                    _add_quads(plain, along, dy[i, z, r], places[i, z, r], upper, lower, mean, at)
                else:
                    _add_row(plain, along, dy[i, z, r], places[i, z, r], x[i], z * kd, r * kh, kd, kh, kw, mean, at)
    for j in range(c):
        sums[j] = plain[j]
        sums[c + j] = (along[j] - (batch[j] - mean[j]) * plain[j]) * batch[2 * c + j]


@kernel
def _add_quads(plain, along, dy, places, upper, lower, mean, scratch):
    # plain, along, mean (c,), dy, places (ow, c), upper, lower (w, c), scratch (2, c)
    kind, none = places.dtype.type, dy.dtype.type(0)
    zero, one, two, nowhere = kind(0), kind(1), kind(2), kind(4)
    at, left = scratch[0], scratch[1]
    for s in range(dy.shape[0]):
        given, place = dy[s], places[s]
        a, b, c, d = upper[2 * s], upper[2 * s + 1], lower[2 * s], lower[2 * s + 1]
        for j in range(at.size):
            value = c[j] if place[j] == two else d[j]
            value = b[j] if place[j] == one else value
            at[j] = a[j] if place[j] == zero else value
        for j in range(left.size):
            left[j] = none if place[j] == nowhere else given[j]
        for j in range(plain.size):
            plain[j] += float64(left[j])
        for j in range(along.size):
            along[j] += float64(left[j] * (at[j] - mean[j]))


@kernel
def _add_row(plain, along, dy, places, x, z, r, kd, kh, kw, mean, scratch):
    # the same for other windows, whose row begins at row (z, r) of an image x (d, h, w, c)
    none, nowhere = dy.dtype.type(0), places.dtype.type(kd * kh * kw)
    at, left = scratch[0], scratch[1]
    for s in range(dy.shape[0]):
        given, place = dy[s], places[s]
        for k in range(kd * kh * kw):
            row, here = x[z + k // (kh * kw), r + k // kw % kh, s * kw + k % kw], places.dtype.type(k)
            for j in range(at.size):
                at[j] = row[j] if place[j] == here else at[j]
        for j in range(left.size):
            left[j] = none if place[j] == nowhere else given[j]
        for j in range(plain.size):
            plain[j] += float64(left[j])
        for j in range(along.size):
            # what is nowhere has no pixel: `at` is another window's, or nothing yet
            along[j] += float64(none if place[j] == nowhere else left[j] * (at[j] - mean[j]))


@kernel
def max_columns_backward(dx, dy, places, x, table, pulls, kd, kh, kw):
    # dx, x (n, d, h, w, c), dy, places (n, od, oh, ow, c), table (3, width), pulls (2, width)
    _columns(dx, dy, places, x, table, pulls, kd, kh, kw, 1)


@kernel
def max_columns_write(dx, dy, places, x, table, pulls, kd, kh, kw):
    # the same where dx holds nothing yet
    _columns(dx, dy, places, x, table, pulls, kd, kh, kw, 0)


@kernel
def _columns(dx, dy, places, x, table, pulls, kd, kh, kw, adds):
    # a row of windows after the other: the gradient of its pixels is spread out before the normalisation takes it on
    n, d, h, w, c = x.shape
    _, od, oh, ow, _ = dy.shape
    spread = np.empty((1, kd, kh, w, c), x.dtype)
    for i in range(n):
        for z in range(od):
            for r in range(oh):
                given = dy[i, z, r].reshape((1, 1, 1, ow, c))
                where = places[i, z, r].reshape((1, 1, 1, ow, c))
                places_write(spread, given, where, kd, kh, kw, kd, kh, kw, 0, 0, 0)
                for p in range(kd):
                    to = dx[i, z * kd + p, r * kh : (r + 1) * kh].reshape((kh * w, c))
                    source = x[i, z * kd + p, r * kh : (r + 1) * kh].reshape((kh * w, c))
                    slopes = spread[0, p].reshape((kh * w, c))
                    if adds == 1:
                        columns_backward(to, slopes, source, table, pulls, NONE)
                    else:
                        columns_write(to, slopes, source, table, pulls, NONE)

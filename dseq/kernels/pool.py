"""Largest and mean values of windows. Arrays are (n, depth, height, width, channels); fewer dimensions have size 1.

Windows are cut off at the border: what lies outside is neither compared nor counted. `before` says how far the first
window reaches out of the image. Where several values of a window are the largest, the first has the gradient.
"""

import numpy as np

from dseq.kernels.base import inlined, kernel
from dseq.kernels.epilogue import NONE, bounds


@inlined
def _reach(place, stride, before, window, size):
    """First and last index (exclusive) that a window has inside an axis."""
    first = place * stride - before
    return max(first, 0), min(first + window, size)


@kernel
def max_forward(y, x, kd, kh, kw, sd, sh, sw, bd, bh, bw):
    # y (n, od, oh, ow, c), x (n, d, h, w, c)
    for i in range(y.shape[0]):
        for z in range(y.shape[1]):
            z0, z1 = _reach(z, sd, bd, kd, x.shape[1])
            for r in range(y.shape[2]):
                r0, r1 = _reach(r, sh, bh, kh, x.shape[2])
                for s in range(y.shape[3]):
                    s0, s1 = _reach(s, sw, bw, kw, x.shape[3])
                    out, first = y[i, z, r, s], x[i, z0, r0, s0]
                    if z1 - z0 == 1 and r1 - r0 == 2 and s1 - s0 == 2:
                        upper, lower = x[i, z0, r0], x[i, z0, r0 + 1]
                        _largest_of_four(out, first, upper[s0 + 1], lower[s0], lower[s0 + 1])
                        continue
                    for j in range(out.size):
                        out[j] = first[j]
                    for p in range(z0, z1):
                        for q in range(r0, r1):
                            for t in range(s0, s1):
                                row = x[i, p, q, t]
                                for j in range(out.size):
                                    # A comparison with NaN is false, so that NaN stays once it is there.
                                    out[j] = out[j] if out[j] >= row[j] or out[j] != out[j] else row[j]


@inlined
def _largest_of_four(out, a, b, c, d):
    """The usual window in one loop: beginning and ending loops takes most of the time where channels are few."""
    for j in range(out.size):
        largest = a[j] if a[j] >= b[j] or a[j] != a[j] else b[j]
        largest = largest if largest >= c[j] or largest != largest else c[j]
        out[j] = largest if largest >= d[j] or largest != largest else d[j]


@kernel
def max_backward(dx, dy, y, x, kd, kh, kw, sd, sh, sw, bd, bh, bw, activation):
    # dx, x (n, d, h, w, c), dy, y (n, od, oh, ow, c); an activation (dseq.kernels.epilogue) made x: dx is that of
    # what it was applied to
    left = np.empty(y.shape[4], dy.dtype)
    for i in range(y.shape[0]):
        _max_gradient(dx[i], dy[i], y[i], x[i], left, kd, kh, kw, sd, sh, sw, bd, bh, bw, activation, 0)


@kernel
def max_write(dx, dy, y, x, kd, kh, kw, sd, sh, sw, bd, bh, bw, activation):
    # the same where dx holds nothing yet; windows that do not overlap are written, zeros where they leave pixels out
    left, (od, oh, ow) = np.empty(y.shape[4], dy.dtype), y.shape[1:4]
    writes = 1 if kd <= sd and kh <= sh and kw <= sw else 0
    tiles = kd == sd and kh == sh and kw == sw and od * kd == x.shape[1] and oh * kh == x.shape[2]
    whole = tiles and ow * kw == x.shape[3] and bd + bh + bw == 0
    for i in range(y.shape[0]):
        image = dx[i].reshape(dx[i].size)
        if not whole:
            for j in range(image.size):
                image[j] = 0
        _max_gradient(dx[i], dy[i], y[i], x[i], left, kd, kh, kw, sd, sh, sw, bd, bh, bw, activation, writes)


@kernel
def max_backward_bias(db, dy, y, activation):
    # db (c,), dy, y (n, c): the sum over pixels of what max_backward makes of dy, as each maximum is one value
    zero = dy.dtype.type(0)
    bottom, top = bounds(y, activation)
    for i in range(y.shape[0]):
        largest, given = y[i], dy[i]
        if activation == NONE:
            for j in range(db.size):
                db[j] += given[j]
        else:
            for j in range(db.size):
                db[j] += zero if largest[j] <= bottom or largest[j] >= top else given[j]


@kernel
def _max_gradient(dx, dy, y, x, left, kd, kh, kw, sd, sh, sw, bd, bh, bw, activation, writes):
    # of one image; left (c,)
    zero = dy.dtype.type(0)
    bottom, top = bounds(y, activation)
    for z in range(y.shape[0]):
        z0, z1 = _reach(z, sd, bd, kd, x.shape[0])
        for r in range(y.shape[1]):
            r0, r1 = _reach(r, sh, bh, kh, x.shape[1])
            for s in range(y.shape[2]):
                s0, s1 = _reach(s, sw, bw, kw, x.shape[2])
                largest, given = y[z, r, s], dy[z, r, s]
                if writes == 1 and z1 - z0 == 1 and r1 - r0 == 2 and s1 - s0 == 2:
                    _write_four(dx[z0], given, largest, x[z0], r0, s0, bottom, top)
                    continue
                if activation == NONE:
                    for j in range(left.size):
                        left[j] = given[j]
                else:
                    for j in range(left.size):
                        left[j] = zero if largest[j] <= bottom or largest[j] >= top else given[j]
                for p in range(z0, z1):
                    for q in range(r0, r1):
                        for t in range(s0, s1):
                            row, target = x[p, q, t], dx[p, q, t]
                            if writes == 1:
                                for j in range(left.size):
                                    target[j] = left[j] if row[j] == largest[j] else zero
                                    left[j] = zero if row[j] == largest[j] else left[j]
                            else:
                                for j in range(left.size):
                                    target[j] += left[j] if row[j] == largest[j] else zero
                                    left[j] = zero if row[j] == largest[j] else left[j]


@inlined
def _write_four(dx, dy, y, x, r, s, bottom, top):
    """The gradient in the usual window, that of pixels (r, s) to (r + 1, s + 1): one loop for each of them."""
    zero = dy.dtype.type(0)
    a, b, c, d = x[r, s], x[r, s + 1], x[r + 1, s], x[r + 1, s + 1]
    to = dx[r, s]
    for j in range(to.size):
        given = zero if (y[j] <= bottom) | (y[j] >= top) else dy[j]
        to[j] = given if a[j] == y[j] else zero
    to = dx[r, s + 1]
    for j in range(to.size):
        given = zero if (y[j] <= bottom) | (y[j] >= top) else dy[j]
        to[j] = given if (b[j] == y[j]) & (a[j] != y[j]) else zero
    to = dx[r + 1, s]
    for j in range(to.size):
        given = zero if (y[j] <= bottom) | (y[j] >= top) else dy[j]
        to[j] = given if (c[j] == y[j]) & (a[j] != y[j]) & (b[j] != y[j]) else zero
    to = dx[r + 1, s + 1]
    for j in range(to.size):
        given = zero if (y[j] <= bottom) | (y[j] >= top) else dy[j]
        to[j] = given if (d[j] == y[j]) & (a[j] != y[j]) & (b[j] != y[j]) & (c[j] != y[j]) else zero


@kernel
def mean_forward(y, x, kd, kh, kw, sd, sh, sw, bd, bh, bw):
    # y (n, od, oh, ow, c), x (n, d, h, w, c)
    zero, one = y.dtype.type(0), y.dtype.type(1)
    for i in range(y.shape[0]):
        for z in range(y.shape[1]):
            z0, z1 = _reach(z, sd, bd, kd, x.shape[1])
            for r in range(y.shape[2]):
                r0, r1 = _reach(r, sh, bh, kh, x.shape[2])
                for s in range(y.shape[3]):
                    s0, s1 = _reach(s, sw, bw, kw, x.shape[3])
                    out = y[i, z, r, s]
                    for j in range(out.size):
                        out[j] = zero
                    for p in range(z0, z1):
                        for q in range(r0, r1):
                            for t in range(s0, s1):
                                row = x[i, p, q, t]
                                for j in range(out.size):
                                    out[j] += row[j]
                    share = one / y.dtype.type((z1 - z0) * (r1 - r0) * (s1 - s0))
                    for j in range(out.size):
                        out[j] *= share


@kernel
def mean_backward(dx, dy, kd, kh, kw, sd, sh, sw, bd, bh, bw):
    # dx (n, d, h, w, c), dy (n, od, oh, ow, c)
    one = dy.dtype.type(1)
    for i in range(dy.shape[0]):
        for z in range(dy.shape[1]):
            z0, z1 = _reach(z, sd, bd, kd, dx.shape[1])
            for r in range(dy.shape[2]):
                r0, r1 = _reach(r, sh, bh, kh, dx.shape[2])
                for s in range(dy.shape[3]):
                    s0, s1 = _reach(s, sw, bw, kw, dx.shape[3])
                    given = dy[i, z, r, s]
                    share = one / dy.dtype.type((z1 - z0) * (r1 - r0) * (s1 - s0))
                    for p in range(z0, z1):
                        for q in range(r0, r1):
                            for t in range(s0, s1):
                                target = dx[i, p, q, t]
                                for j in range(target.size):
                                    target[j] += given[j] * share


@kernel
def masked_mean_forward(y, x, mask):
    # y (n, c), x (n, t, c), mask (n, t): the mean of the steps that count, 0 if none does
    zero, one = y.dtype.type(0), y.dtype.type(1)
    for i in range(y.shape[0]):
        out, count = y[i], 0
        for j in range(out.size):
            out[j] = zero
        for t in range(x.shape[1]):
            if mask[i, t]:
                step = x[i, t]
                count += 1
                for j in range(out.size):
                    out[j] += step[j]
        share = one / y.dtype.type(max(count, 1))
        for j in range(out.size):
            out[j] *= share


@kernel
def masked_mean_backward(dx, dy, mask):
    # dx (n, t, c), dy (n, c), mask (n, t)
    one = dy.dtype.type(1)
    for i in range(dy.shape[0]):
        given, count = dy[i], 0
        for t in range(dx.shape[1]):
            if mask[i, t]:
                count += 1
        share = one / dy.dtype.type(max(count, 1))
        for t in range(dx.shape[1]):
            if mask[i, t]:
                to = dx[i, t]
                for j in range(given.size):
                    to[j] += share * given[j]

"""Largest and mean values of windows. Arrays are (n, depth, height, width, channels); fewer dimensions have size 1.

Windows are cut off at the border: what lies outside is neither compared nor counted. `before` says how far the first
window reaches out of the image. Where several values of a window are the largest, the first has the gradient.
"""

from dseq.kernels.base import inlined, kernel
from dseq.kernels.epilogue import bounds


@inlined
def _reach(place, stride, before, window, size):
    """First and last index (exclusive) that a window has inside an axis."""
    first = place * stride - before
    return max(first, 0), min(first + window, size)


@inlined
def _quads(y, x, kd, kh, kw, sd, sh, sw, bd, bh, bw):
    """Whether windows are the usual ones: 2 x 2 pixels side by side, none of them cut off."""
    window = kd == 1 and kh == 2 and kw == 2 and sd == 1 and sh == 2 and sw == 2 and bd + bh + bw == 0
    return window and 2 * y.shape[2] <= x.shape[2] and 2 * y.shape[3] <= x.shape[3]


@kernel
def max_forward(y, x, kd, kh, kw, sd, sh, sw, bd, bh, bw):
    # y (n, od, oh, ow, c), x (n, d, h, w, c)
    quads = _quads(y, x, kd, kh, kw, sd, sh, sw, bd, bh, bw)
    for i in range(y.shape[0]):
        for z in range(y.shape[1]):
            z0, z1 = _reach(z, sd, bd, kd, x.shape[1])
            for r in range(y.shape[2]):
                if quads:
                    _largest_of_quads(y[i, z, r], x[i, z, 2 * r], x[i, z, 2 * r + 1])
                    continue
                r0, r1 = _reach(r, sh, bh, kh, x.shape[2])
                for s in range(y.shape[3]):
                    s0, s1 = _reach(s, sw, bw, kw, x.shape[3])
                    out, first = y[i, z, r, s], x[i, z0, r0, s0]
                    for j in range(out.size):
                        out[j] = first[j]
                    for p in range(z0, z1):
                        for q in range(r0, r1):
                            for t in range(s0, s1):
                                row = x[i, p, q, t]
                                for j in range(out.size):
                                    # A comparison with NaN is false, so that NaN stays once it is there.
                                    out[j] = out[j] if out[j] >= row[j] or out[j] != out[j] else row[j]


@kernel
def _largest_of_quads(y, upper, lower):
    # y (ow, c), upper, lower (w, c): a row of the usual windows, with little to do between loops over few channels
    for s in range(y.shape[0]):
        out, a, b, c, d = y[s], upper[2 * s], upper[2 * s + 1], lower[2 * s], lower[2 * s + 1]
        for j in range(out.size):
            largest = a[j] if a[j] >= b[j] or a[j] != a[j] else b[j]
            largest = largest if largest >= c[j] or largest != largest else c[j]
            out[j] = largest if largest >= d[j] or largest != largest else d[j]


@kernel
def max_places(y, places, x, kd, kh, kw, sd, sh, sw, bd, bh, bw, activation):
    # y, places (n, od, oh, ow, c), x (n, d, h, w, c): y is an activation (dseq.kernels.epilogue) of the largest values,
    # places the numbers of the pixels in the window that have them, or kd * kh * kw where the activation is flat
    nowhere = places.dtype.type(kd * kh * kw)
    quads = _quads(y, x, kd, kh, kw, sd, sh, sw, bd, bh, bw)
    bottom, top = bounds(y, activation)
    for i in range(y.shape[0]):
        for z in range(y.shape[1]):
            z0, z1 = _reach(z, sd, bd, kd, x.shape[1])
            for r in range(y.shape[2]):
                if quads:
                    _places_of_quads(y[i, z, r], places[i, z, r], x[i, z, 2 * r], x[i, z, 2 * r + 1], bottom, top)
                    continue
                r0, r1 = _reach(r, sh, bh, kh, x.shape[2])
                for s in range(y.shape[3]):
                    s0, s1 = _reach(s, sw, bw, kw, x.shape[3])
                    out, place, first = y[i, z, r, s], places[i, z, r, s], x[i, z0, r0, s0]
                    here = _number(places, z0 - z * sd + bd, r0 - r * sh + bh, s0 - s * sw + bw, kh, kw)
                    for j in range(out.size):
                        out[j] = first[j]
                        place[j] = here
                    for p in range(z0, z1):
                        for q in range(r0, r1):
                            for t in range(s0, s1):
                                row = x[i, p, q, t]
                                here = _number(places, p - z * sd + bd, q - r * sh + bh, t - s * sw + bw, kh, kw)
                                for j in range(out.size):
                                    place[j] = place[j] if (out[j] >= row[j]) | (out[j] != out[j]) else here
                                    out[j] = out[j] if (out[j] >= row[j]) | (out[j] != out[j]) else row[j]
                    for j in range(out.size):
                        value = bottom if out[j] <= bottom else out[j]
                        value = top if value > top else value
                        out[j] = value
                        place[j] = nowhere if (value <= bottom) | (value >= top) else place[j]


@inlined
def _number(places, z, r, s, kh, kw):
    """The number of pixel (z, r, s) of a window, in the type of places."""
    return places.dtype.type((z * kh + r) * kw + s)


@kernel
def _places_of_quads(y, places, upper, lower, bottom, top):
    # y, places (ow, c), upper, lower (w, c)
    kind = places.dtype.type
    zero, one, two, three, nowhere = kind(0), kind(1), kind(2), kind(3), kind(4)
    for s in range(y.shape[0]):
        out, place = y[s], places[s]
        a, b, c, d = upper[2 * s], upper[2 * s + 1], lower[2 * s], lower[2 * s + 1]
        for j in range(out.size):
            at = zero if (a[j] >= b[j]) | (a[j] != a[j]) else one
            largest = a[j] if (a[j] >= b[j]) | (a[j] != a[j]) else b[j]
            at = at if (largest >= c[j]) | (largest != largest) else two
            largest = largest if (largest >= c[j]) | (largest != largest) else c[j]
            at = at if (largest >= d[j]) | (largest != largest) else three
            largest = largest if (largest >= d[j]) | (largest != largest) else d[j]
            largest = bottom if largest <= bottom else largest
            largest = top if largest > top else largest
            out[j] = largest
            place[j] = nowhere if (largest <= bottom) | (largest >= top) else at


@kernel
def places_backward(dx, dy, places, kd, kh, kw, sd, sh, sw, bd, bh, bw):
    # dx (n, d, h, w, c), dy, places (n, od, oh, ow, c) as of max_places; an activation's gradient is taken on the way
    for i in range(dy.shape[0]):
        _hand_out(dx[i], dy[i], places[i], kd, kh, kw, sd, sh, sw, bd, bh, bw, 0)


@kernel
def places_write(dx, dy, places, kd, kh, kw, sd, sh, sw, bd, bh, bw):
    # the same where dx holds nothing yet; windows that do not overlap are written, zeros where they leave pixels out
    od, oh, ow = dy.shape[1:4]
    writes = 1 if kd <= sd and kh <= sh and kw <= sw else 0
    tiles = kd == sd and kh == sh and kw == sw and od * kd == dx.shape[1] and oh * kh == dx.shape[2]
    whole = tiles and ow * kw == dx.shape[3] and bd + bh + bw == 0
    quads = _quads(dy, dx, kd, kh, kw, sd, sh, sw, bd, bh, bw)
    for i in range(dy.shape[0]):
        image = dx[i].reshape(dx[i].size)
        if not whole:
            for j in range(image.size):
                image[j] = 0
        if quads:
            for z in range(od):
                for r in range(oh):
                    _write_quads(dx[i, z, 2 * r], dx[i, z, 2 * r + 1], dy[i, z, r], places[i, z, r])
        else:
            _hand_out(dx[i], dy[i], places[i], kd, kh, kw, sd, sh, sw, bd, bh, bw, writes)


@kernel
def _write_quads(upper, lower, dy, places):
    # upper, lower (w, c), dy, places (ow, c)
    kind, nothing = places.dtype.type, dy.dtype.type(0)
    zero, one, two, three = kind(0), kind(1), kind(2), kind(3)
    for s in range(dy.shape[0]):
        given, place = dy[s], places[s]
        a, b, c, d = upper[2 * s], upper[2 * s + 1], lower[2 * s], lower[2 * s + 1]
        for j in range(given.size):
            a[j] = given[j] if place[j] == zero else nothing
        for j in range(given.size):
            b[j] = given[j] if place[j] == one else nothing
        for j in range(given.size):
            c[j] = given[j] if place[j] == two else nothing
        for j in range(given.size):
            d[j] = given[j] if place[j] == three else nothing


@kernel
def places_bias(db, dy, places, nowhere):
    # db (c,), dy, places (n, c): the sum over pixels of what places_backward makes of dy, as each maximum is one value;
    # nowhere: how many pixels a window has
    zero, none = dy.dtype.type(0), places.dtype.type(nowhere)
    for i in range(dy.shape[0]):
        given, place = dy[i], places[i]
        for j in range(db.size):
            db[j] += zero if place[j] == none else given[j]


@kernel
def _hand_out(dx, dy, places, kd, kh, kw, sd, sh, sw, bd, bh, bw, writes):
    # of one image; writes: 1 to write, 0 to add
    zero = dy.dtype.type(0)
    for z in range(dy.shape[0]):
        z0, z1 = _reach(z, sd, bd, kd, dx.shape[0])
        for r in range(dy.shape[1]):
            r0, r1 = _reach(r, sh, bh, kh, dx.shape[1])
            for s in range(dy.shape[2]):
                s0, s1 = _reach(s, sw, bw, kw, dx.shape[2])
                given, place = dy[z, r, s], places[z, r, s]
                for p in range(z0, z1):
                    for q in range(r0, r1):
                        for t in range(s0, s1):
                            target = dx[p, q, t]
                            here = _number(places, p - z * sd + bd, q - r * sh + bh, t - s * sw + bw, kh, kw)
                            if writes == 1:
                                for j in range(target.size):
                                    target[j] = given[j] if place[j] == here else zero
                            else:
                                for j in range(target.size):
                                    target[j] += given[j] if place[j] == here else zero


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

"""Images put into larger or smaller frames, and stretched along one axis. Forward writes, backward adds.

Arrays of frames are (n, depth, height, m): m is the last axis of the image together with what lies behind it. Arrays of
stretched axes are (n, size, m).
"""

from dseq.kernels.base import inlined, kernel


@inlined
def _overlap(before, size, inner):
    """First and last place (exclusive) of a frame of `size` that an axis of `inner` places covers from `before` on."""
    return max(before, 0), max(min(before + inner, size), max(before, 0))


@kernel
def frame_forward(y, x, before_d, before_h, before_m, fill):
    # y (n, d', h', m') the value fill (1,), but for x (n, d, h, m) from `before` on, which is cut where negative
    value = fill[0]
    d0, d1 = _overlap(before_d, y.shape[1], x.shape[1])
    h0, h1 = _overlap(before_h, y.shape[2], x.shape[2])
    m0, m1 = _overlap(before_m, y.shape[3], x.shape[3])
    for i in range(y.shape[0]):
        for z in range(y.shape[1]):
            for r in range(y.shape[2]):
                row = y[i, z, r]
                if z < d0 or z >= d1 or r < h0 or r >= h1:
                    for j in range(row.size):
                        row[j] = value
                    continue
                middle = row[m0:m1]
                source = x[i, z - before_d, r - before_h][m0 - before_m : m1 - before_m]
                for j in range(m0):
                    row[j] = value
                for j in range(middle.size):
                    middle[j] = source[j]
                for j in range(m1, row.size):
                    row[j] = value


@kernel
def frame_backward(dx, dy, before_d, before_h, before_m):
    # dx (n, d, h, m), dy (n, d', h', m')
    d0, d1 = _overlap(before_d, dy.shape[1], dx.shape[1])
    h0, h1 = _overlap(before_h, dy.shape[2], dx.shape[2])
    m0, m1 = _overlap(before_m, dy.shape[3], dx.shape[3])
    for i in range(dy.shape[0]):
        for z in range(d0, d1):
            for r in range(h0, h1):
                middle = dy[i, z, r][m0:m1]
                target = dx[i, z - before_d, r - before_h][m0 - before_m : m1 - before_m]
                for j in range(middle.size):
                    target[j] += middle[j]


@kernel
def stretch_forward(y, x, places, weights):
    # y (n, size, m), x (n, length, m), places, weights (taps, size): each line of y is a weighted sum of lines of x
    size, m = y.shape[1], y.shape[2]
    for i in range(y.shape[0]):
        if m == 1:
            to, source = y[i].reshape(size), x[i].reshape(x.shape[1])
            for k in range(places.shape[0]):
                at, share = places[k], weights[k]
                if k == 0:
                    for j in range(size):
                        to[j] = share[j] * source[at[j]]
                else:
                    for j in range(size):
                        to[j] += share[j] * source[at[j]]
        else:
            for p in range(size):
                row = y[i, p]
                for k in range(places.shape[0]):
                    line, share = x[i, places[k, p]], weights[k, p]
                    if k == 0:
                        for j in range(m):
                            row[j] = share * line[j]
                    else:
                        for j in range(m):
                            row[j] += share * line[j]


@kernel
def stretch_backward(dx, dy, places, weights):
    # dx (n, length, m), dy (n, size, m), places, weights (taps, size)
    for i in range(dy.shape[0]):
        for p in range(dy.shape[1]):
            row = dy[i, p]
            for k in range(places.shape[0]):
                line, share = dx[i, places[k, p]], weights[k, p]
                for j in range(row.size):
                    line[j] += share * row[j]

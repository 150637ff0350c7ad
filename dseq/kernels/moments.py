"""Statistics of channels over a batch and over ranks.

For channels last, x (n, c), and for channels followed by other axes, x (n, c, m). Means and sums of squared deviations
are in float64 and merged by the rule of Chan, Golub and LeVeque (1979): a mean of 10,000 costs no digits of a variance
of 1. (It is `float64(x)`, as Numba's `float(x)` leaves a float32 what it is.) Short rows of channels are laid side by
side: what belongs to channels is repeated to a width w = k * c, as loops over few elements waste time on beginning.

Values are read once. Squares are taken of deviations from an origin, the mean of all blocks before or the first value,
and corrected for what the block's mean is away from it. No digits are lost that the result has: if the origin is far
from the block's mean, then either's distance is part of the deviations of the whole.

Blocks, all float64. moments (2c + 1): mean, squared deviations and count of this rank's rows. totals (c + 1):
count * mean, count, over all ranks. batch (3c + 1): mean, variance, 1 / standard deviation, and the count.
"""

from numpy import float64

from dseq.kernels.base import inlined, kernel

BLOCK = 1 << 15  # elements whose deviations are taken from the mean of those before


@kernel
def column_moments(moments, x, scratch):
    # moments (2c + 1,), x (n, c), scratch (4, w)
    n, c = x.shape
    width = scratch.shape[1]
    flat = x.reshape(x.size)
    mean, spread, block_mean, block_spread = scratch[0], scratch[1], scratch[2], scratch[3]
    for j in range(width):
        mean[j] = 0.0
        spread[j] = 0.0
    rows = x.size // width
    height = max(4, BLOCK // width)
    for j in range(min(width, x.size)):
        mean[j] = float64(flat[j])
    for first in range(0, rows, height):
        count = min(height, rows - first)
        _block_moments(block_mean, block_spread, flat[first * width : (first + count) * width], count, mean)
        share = count / float64(first + count)
        weight = first * share
        for j in range(width):
            step = block_mean[j] - mean[j]
            mean[j] += step * share
            spread[j] += block_spread[j] + step * step * weight
    tail = flat[rows * width :]
    share = 1.0 / (rows + 1.0)
    for j in range(tail.size):
        step = float64(tail[j]) - mean[j]
        mean[j] += step * share
        spread[j] += step * step * (rows * share)
    for j in range(c):
        moments[j] = 0.0
        moments[c + j] = 0.0
    for k in range(width // c):
        for j in range(c):
            place = k * c + j
            here = rows + 1 if place < tail.size else rows
            before = k * rows + min(k, tail.size // c)
            _merge(moments, c, j, float64(before), mean[place], spread[place], float64(here))
    moments[2 * c] = n


@inlined
def _merge(moments, c, j, before, mean, spread, count):
    """Adds the mean and squared deviations of `count` values to those of `before` values of channel j."""
    share = count / max(before + count, 1.0)
    step = mean - moments[j]
    moments[j] += step * share
    moments[c + j] += spread + step * step * (before * share)


@kernel
def _block_moments(mean, spread, x, count, origin):
    # mean, spread (w,), x (count * w,); origin (w,): one of the values, or the mean of others
    width = mean.size
    for j in range(width):
        mean[j] = 0.0
        spread[j] = 0.0
    fours = count // 4 * 4
    for i in range(0, fours, 4):
        a, b = x[i * width : (i + 1) * width], x[(i + 1) * width : (i + 2) * width]
        c, d = x[(i + 2) * width : (i + 3) * width], x[(i + 3) * width : (i + 4) * width]
        for j in range(width):
            mean[j] += (float64(a[j]) + float64(b[j])) + (float64(c[j]) + float64(d[j]))
        for j in range(width):
            p, q = float64(a[j]) - origin[j], float64(b[j]) - origin[j]
            r, s = float64(c[j]) - origin[j], float64(d[j]) - origin[j]
            spread[j] += (p * p + q * q) + (r * r + s * s)
    for i in range(fours, count):
        a = x[i * width : (i + 1) * width]
        for j in range(width):
            p = float64(a[j]) - origin[j]
            mean[j] += float64(a[j])
            spread[j] += p * p
    share = 1.0 / count
    for j in range(width):
        mean[j] *= share
        step = mean[j] - origin[j]
        rest = spread[j] - count * (step * step)
        spread[j] = 0.0 if rest < 0.0 else rest


@kernel
def masked_moments(moments, x, mask):
    # moments (2c + 1,), x (n, c), mask (n,): rows where it is 0 do not count
    n, c = x.shape
    for j in range(2 * c + 1):
        moments[j] = 0.0
    for i in range(n):
        if mask[i] != 0:
            moments[2 * c] += 1.0
            share = 1.0 / moments[2 * c]
            weight = (moments[2 * c] - 1.0) * share
            row, mean, spread = x[i], moments[:c], moments[c : 2 * c]
            for j in range(c):
                step = float64(row[j]) - mean[j]
                mean[j] += step * share
                spread[j] += step * step * weight


# reassoc: sums along the elements of one row, whose order depends on their number alone.
@kernel(fastmath={"reassoc"})
def row_sum(x):
    # x (m,)
    total = 0.0
    for j in range(x.size):
        total += float64(x[j])
    return total


@kernel(fastmath={"reassoc"})
def row_spread(x, mean):
    # x (m,): the sum of squares of x - mean
    total = 0.0
    for j in range(x.size):
        step = float64(x[j]) - mean
        total += step * step
    return total


@kernel
def channel_moments(moments, x):
    # moments (2c + 1,), x (n, c, m)
    n, c, m = x.shape
    for j in range(2 * c + 1):
        moments[j] = 0.0
    for i in range(n):
        for j in range(c):
            row = x[i, j]
            mean = row_sum(row) / max(m, 1)
            _merge(moments, c, j, float64(i * m), mean, row_spread(row, mean), float64(m))
    moments[2 * c] = n * m


@kernel
def share_means(totals, moments):
    # totals (c + 1,), moments (2c + 1,)
    c = totals.size - 1
    for j in range(c):
        totals[j] = moments[2 * c] * moments[j]
    totals[c] = moments[2 * c]


@kernel
def share_spreads(spreads, moments, totals):
    # spreads (c,): squared deviations of this rank's rows from the mean of all; moments, totals as above
    c = spreads.size
    count = max(totals[c], 1.0)
    for j in range(c):
        step = moments[j] - totals[j] / count
        spreads[j] = moments[c + j] + moments[2 * c] * step * step


@kernel
def batch_statistics(batch, totals, spreads, epsilon, guard):
    # batch (3c + 1,), totals (c + 1,), spreads (c,), epsilon (1,), guard (1,): added to the count
    c = spreads.size
    count = totals[c] + guard[0]
    share = 1.0 / count if count > 0 else 0.0
    for j in range(c):
        batch[j] = totals[j] * share
        batch[c + j] = spreads[j] * share
        batch[2 * c + j] = 1.0 / (batch[c + j] + epsilon[0]) ** 0.5
    batch[3 * c] = count


@kernel
def moving_statistics(batch, mean, variance, epsilon):
    # batch (3c + 1,), mean, variance (c,)
    c = mean.size
    for j in range(c):
        batch[j] = mean[j]
        batch[c + j] = variance[j]
        batch[2 * c + j] = 1.0 / (batch[c + j] + epsilon[0]) ** 0.5
    batch[3 * c] = 0.0


@kernel
def share_statistics(shared, batch):
    # shared (2c + 1,): count * mean, count * variance, count; of batch (3c + 1,)
    c = batch.size // 3
    for j in range(2 * c):
        shared[j] = batch[j] * batch[3 * c]
    shared[2 * c] = batch[3 * c]


@kernel
def average_statistics(batch, shared, epsilon):
    # batch (3c + 1,): the means over ranks; shared (2c + 1,) summed over them, epsilon (1,)
    c = batch.size // 3
    for j in range(2 * c):
        batch[j] = shared[j] / max(shared[2 * c], 1.0)
    for j in range(c):
        batch[2 * c + j] = 1.0 / (batch[c + j] + epsilon[0]) ** 0.5
    batch[3 * c] = shared[2 * c]


@kernel
def follow(moving, batch, first, momentum):
    # moving (c,) goes towards c values of batch from the first on; momentum (1,)
    for j in range(moving.size):
        moving[j] = moving.dtype.type(moving[j] * momentum[0] + batch[first + j] * (1.0 - momentum[0]))


# Batch renormalisation (Ioffe, 2017): xhat * r + d, with r and d that lead to slowly moving statistics.


@kernel
def renorm_corrections(corrections, batch, mean, stddev, limits, epsilon):
    # corrections (2, c): r and d; batch (3c + 1,), mean, stddev (c,), limits (3,): least and largest r, largest |d|
    c = mean.size
    for j in range(c):
        slow = max(float64(stddev[j]), epsilon[0] ** 0.5)
        r = 1.0 / (batch[2 * c + j] * slow)
        d = (batch[j] - mean[j]) / slow
        corrections[0, j] = min(max(r, limits[0]), limits[1])
        corrections[1, j] = min(max(d, -limits[2]), limits[2])


@kernel
def follow_stddev(moving, batch, momentum):
    # moving (c,) goes towards the standard deviations of batch (3c + 1,); momentum (1,)
    c = moving.size
    for j in range(c):
        moving[j] = moving.dtype.type(moving[j] * momentum[0] + (1.0 - momentum[0]) / batch[2 * c + j])


@kernel
def variance_of(variance, stddev, epsilon):
    # variance, stddev (c,), epsilon (1,)
    for j in range(variance.size):
        variance[j] = variance.dtype.type(max(float64(stddev[j]) * float64(stddev[j]) - epsilon[0], 0.0))

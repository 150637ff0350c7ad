"""Noise on activations, drawn by `dseq.kernels.random`; backward draws the same numbers again.

Arrays are (rows, elements of a sample). Real parameters are arrays of one element, `clock` is [seed, step, first_row].
Where one decision serves several elements (Keras' `noise_shape`), `index` says which decision each element obeys.
"""

import numpy as np

from dseq.kernels.base import inlined, kernel
from dseq.kernels.random import _normal_pair, draw, pick, word


@inlined
def _normal(index, clock, stream, one):
    """Normal number `index` of a stream."""
    words = draw(index >> 2, clock, stream)
    place = index & 2
    cosine, sine = _normal_pair(pick(words, place), pick(words, place + 1), one)
    return sine if index & 1 else cosine


@kernel
def add_noise(y, x, stddev, clock, stream):
    # y, x (n, m): y = x + stddev * normal
    one, strength = x.dtype.type(1), stddev[0]
    to, values = y.reshape(x.size), x.reshape(x.size)
    start = clock[2] * x.shape[1]
    head = -start & 3  # a draw makes four numbers; the first may belong to the rank before
    quads = max(x.size - head, 0) >> 2
    first = (start + head) >> 2
    for q in range(quads):
        a, b, c, d = draw(first + q, clock, stream)
        p, r = _normal_pair(a, b, one)
        s, t = _normal_pair(c, d, one)
        i = head + 4 * q
        to[i] = values[i] + strength * p
        to[i + 1] = values[i + 1] + strength * r
        to[i + 2] = values[i + 2] + strength * s
        to[i + 3] = values[i + 3] + strength * t
    for k in range(x.size - 4 * quads):
        i = k if k < head else k + 4 * quads
        to[i] = values[i] + strength * _normal(start + i, clock, stream, one)


@kernel
def pass_on(dx, dy):
    # dx, dy (n,)
    for i in range(dy.size):
        dx[i] += dy[i]


@kernel
def scale_noise(y, x, stddev, clock, stream):
    # y, x (n, m): y = x * (1 + stddev * normal)
    one, strength = x.dtype.type(1), stddev[0]
    to, values = y.reshape(x.size), x.reshape(x.size)
    start = clock[2] * x.shape[1]
    head = -start & 3
    quads = max(x.size - head, 0) >> 2
    first = (start + head) >> 2
    for q in range(quads):
        a, b, c, d = draw(first + q, clock, stream)
        p, r = _normal_pair(a, b, one)
        s, t = _normal_pair(c, d, one)
        i = head + 4 * q
        to[i] = values[i] * (one + strength * p)
        to[i + 1] = values[i + 1] * (one + strength * r)
        to[i + 2] = values[i + 2] * (one + strength * s)
        to[i + 3] = values[i + 3] * (one + strength * t)
    for k in range(x.size - 4 * quads):
        i = k if k < head else k + 4 * quads
        to[i] = values[i] * (one + strength * _normal(start + i, clock, stream, one))


@kernel
def scale_noise_backward(dx, dy, stddev, clock, stream):
    # dx, dy (n, m)
    one, strength = dy.dtype.type(1), stddev[0]
    to, slopes = dx.reshape(dy.size), dy.reshape(dy.size)
    start = clock[2] * dy.shape[1]
    head = -start & 3
    quads = max(dy.size - head, 0) >> 2
    first = (start + head) >> 2
    for q in range(quads):
        a, b, c, d = draw(first + q, clock, stream)
        p, r = _normal_pair(a, b, one)
        s, t = _normal_pair(c, d, one)
        i = head + 4 * q
        to[i] += slopes[i] * (one + strength * p)
        to[i + 1] += slopes[i + 1] * (one + strength * r)
        to[i + 2] += slopes[i + 2] * (one + strength * s)
        to[i + 3] += slopes[i + 3] * (one + strength * t)
    for k in range(dy.size - 4 * quads):
        i = k if k < head else k + 4 * quads
        to[i] += slopes[i] * (one + strength * _normal(start + i, clock, stream, one))


@inlined
def _limit(rate):
    """Words below this are dropped."""
    return np.uint64(np.float64(rate[0]) * 4294967296.0)


@kernel
def alpha_dropout_forward(y, x, rate, kept, dropped, offset, clock, stream):
    # y, x (n, m): x * kept + offset, or `dropped` with probability rate; all (1,)
    limit, factor, low, shift = _limit(rate), kept[0], dropped[0], offset[0]
    to, values = y.reshape(x.size), x.reshape(x.size)
    start = clock[2] * x.shape[1]
    head = -start & 3
    quads = max(x.size - head, 0) >> 2
    first = (start + head) >> 2
    for q in range(quads):
        a, b, c, d = draw(first + q, clock, stream)
        i = head + 4 * q
        to[i] = low if a < limit else values[i] * factor + shift
        to[i + 1] = low if b < limit else values[i + 1] * factor + shift
        to[i + 2] = low if c < limit else values[i + 2] * factor + shift
        to[i + 3] = low if d < limit else values[i + 3] * factor + shift
    for k in range(x.size - 4 * quads):
        i = k if k < head else k + 4 * quads
        to[i] = low if word(start + i, clock, stream) < limit else values[i] * factor + shift


@kernel
def alpha_dropout_backward(dx, dy, rate, kept, clock, stream):
    # dx, dy (n, m), rate, kept (1,)
    zero, limit, factor = dy.dtype.type(0), _limit(rate), kept[0]
    to, slopes = dx.reshape(dy.size), dy.reshape(dy.size)
    start = clock[2] * dy.shape[1]
    head = -start & 3
    quads = max(dy.size - head, 0) >> 2
    first = (start + head) >> 2
    for q in range(quads):
        a, b, c, d = draw(first + q, clock, stream)
        i = head + 4 * q
        to[i] += zero if a < limit else slopes[i] * factor
        to[i + 1] += zero if b < limit else slopes[i + 1] * factor
        to[i + 2] += zero if c < limit else slopes[i + 2] * factor
        to[i + 3] += zero if d < limit else slopes[i + 3] * factor
    for k in range(dy.size - 4 * quads):
        i = k if k < head else k + 4 * quads
        to[i] += zero if word(start + i, clock, stream) < limit else slopes[i] * factor


@kernel
def alpha_dropout_shared_forward(y, x, index, rate, kept, dropped, offset, clock, stream, decisions):
    # as alpha_dropout_forward, with index (m,) of ints in [0, decisions)
    limit, factor, low, shift = _limit(rate), kept[0], dropped[0], offset[0]
    for i in range(x.shape[0]):
        start = (clock[2] + i) * decisions
        for j in range(x.shape[1]):
            drop = word(start + index[j], clock, stream) < limit
            y[i, j] = low if drop else x[i, j] * factor + shift


@kernel
def alpha_dropout_shared_backward(dx, dy, index, rate, kept, clock, stream, decisions):
    # as alpha_dropout_backward, with index (m,) of ints in [0, decisions)
    zero, limit, factor = dy.dtype.type(0), _limit(rate), kept[0]
    for i in range(dy.shape[0]):
        start = (clock[2] + i) * decisions
        for j in range(dy.shape[1]):
            dx[i, j] += zero if word(start + index[j], clock, stream) < limit else dy[i, j] * factor


@kernel
def find_mask(mask, x, value):
    # mask (n,) uint8: whether any of a row's elements differs from value (1,); x (n, m)
    for i in range(x.shape[0]):
        mask[i] = 0
        for j in range(x.shape[1]):
            if x[i, j] != value[0]:
                mask[i] = 1
                break


@kernel
def apply_mask(y, x, mask):
    # y, x (n, m), mask (n,): rows where it is 0 become 0
    zero = y.dtype.type(0)
    for i in range(x.shape[0]):
        if mask[i] != 0:
            for j in range(x.shape[1]):
                y[i, j] = x[i, j]
        else:
            for j in range(x.shape[1]):
                y[i, j] = zero


@kernel
def apply_mask_backward(dx, dy, mask):
    # dx, dy (n, m), mask (n,)
    for i in range(dy.shape[0]):
        if mask[i] != 0:
            for j in range(dy.shape[1]):
                dx[i, j] += dy[i, j]

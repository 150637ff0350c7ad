"""Dropout: zero with probability `rate`, else times 1 / (1 - rate). Backward draws the same numbers again.

Arrays are (rows, elements of a sample), see `dseq.kernels.random`; rate is an array of one element. Where one
decision serves several elements (Keras' `noise_shape`), `index` says which decision each element obeys.
"""

import numpy as np

from dseq.kernels.base import inlined, kernel
from dseq.kernels.random import draw, word


@inlined
def _limit(rate):
    """Words below this are dropped."""
    return np.uint64(np.float64(rate[0]) * 4294967296.0)


@kernel
def dropout_forward(y, x, rate, clock, stream):
    # y, x (n, m), rate (1,), clock (3,)
    zero, one = x.dtype.type(0), x.dtype.type(1)
    limit, scale = _limit(rate), one / (one - rate[0])
    flat_y, flat_x = y.reshape(x.size), x.reshape(x.size)
    start = clock[2] * x.shape[1]
    head = -start & 3  # a draw decides on four elements; the first may belong to the rank before
    quads = max(x.size - head, 0) >> 2
    first = (start + head) >> 2
    for q in range(quads):
        a, b, c, d = draw(first + q, clock, stream)
        i = head + 4 * q
        flat_y[i] = zero if a < limit else flat_x[i] * scale
        flat_y[i + 1] = zero if b < limit else flat_x[i + 1] * scale
        flat_y[i + 2] = zero if c < limit else flat_x[i + 2] * scale
        flat_y[i + 3] = zero if d < limit else flat_x[i + 3] * scale
    for k in range(x.size - 4 * quads):
        i = k if k < head else k + 4 * quads
        flat_y[i] = zero if word(start + i, clock, stream) < limit else flat_x[i] * scale


@kernel
def dropout_backward(dx, dy, rate, clock, stream):
    # dx, dy (n, m), rate (1,), clock (3,)
    zero, one = dy.dtype.type(0), dy.dtype.type(1)
    limit, scale = _limit(rate), one / (one - rate[0])
    flat_dx, flat_dy = dx.reshape(dy.size), dy.reshape(dy.size)
    start = clock[2] * dy.shape[1]
    head = -start & 3
    quads = max(dy.size - head, 0) >> 2
    first = (start + head) >> 2
    for q in range(quads):
        a, b, c, d = draw(first + q, clock, stream)
        i = head + 4 * q
        flat_dx[i] += zero if a < limit else flat_dy[i] * scale
        flat_dx[i + 1] += zero if b < limit else flat_dy[i + 1] * scale
        flat_dx[i + 2] += zero if c < limit else flat_dy[i + 2] * scale
        flat_dx[i + 3] += zero if d < limit else flat_dy[i + 3] * scale
    for k in range(dy.size - 4 * quads):
        i = k if k < head else k + 4 * quads
        flat_dx[i] += zero if word(start + i, clock, stream) < limit else flat_dy[i] * scale


@kernel
def dropout_shared_forward(y, x, index, rate, clock, stream, decisions):
    # y, x (n, m), index (m,) of ints in [0, decisions), rate (1,), clock (3,)
    zero, one = x.dtype.type(0), x.dtype.type(1)
    limit, scale = _limit(rate), one / (one - rate[0])
    for i in range(x.shape[0]):
        start = (clock[2] + i) * decisions
        for j in range(x.shape[1]):
            y[i, j] = zero if word(start + index[j], clock, stream) < limit else x[i, j] * scale


@kernel
def dropout_shared_backward(dx, dy, index, rate, clock, stream, decisions):
    # dx, dy (n, m), index (m,) of ints in [0, decisions), rate (1,), clock (3,)
    zero, one = dy.dtype.type(0), dy.dtype.type(1)
    limit, scale = _limit(rate), one / (one - rate[0])
    for i in range(dy.shape[0]):
        start = (clock[2] + i) * decisions
        for j in range(dy.shape[1]):
            dx[i, j] += zero if word(start + index[j], clock, stream) < limit else dy[i, j] * scale

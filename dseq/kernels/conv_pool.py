"""Convolutions of which only maxima of windows side by side are read: their results never leave the caches.

Images are (n, 1, height, width, channels). The usual windows, 2 x 2 pixels of whole vectors, leave the registers as
maxima (`dseq.kernels.quads`). Of others a few rows of the result are made in a scratch, pooled and forgotten, and for
the gradient of the convolution's kernel that of a few rows is spread out there from the maxima and `places`, which
`dseq.kernels.pool.max_places` tells. Worth it where channels are few: the product then takes less time than its result
on the way to memory and back.
"""

import numpy as np

from dseq.kernels.base import JIT, kernel
from dseq.kernels.conv import conv_backward_kernel, conv_forward
from dseq.kernels.epilogue import NONE, activate
from dseq.kernels.gemm import operand_of
from dseq.kernels.pool import max_forward, max_places, places_bias, places_write
from dseq.kernels.quads import quads_forward, quads_gradient
from dseq.kernels.vector import BYTES, address_of, size_of


@kernel
def _conv_quads(y, places, x, w, b, sh, sw, dh, dw, activation):
    # windows of 2 x 2 pixels, o whole vectors
    n, _, oh, ow, o = y.shape
    h, wide, c = x.shape[2:]
    rows, columns = w.shape[1:3]
    size = size_of(y)
    left, start, k = np.empty(rows * columns * c, np.int64), np.zeros(o, y.dtype), 0
    for q in range(rows):
        for t in range(columns):
            for j in range(c):
                left[k] = size * ((q * dh * wide + t * dw) * c + j)
                k += 1
    if b is not None:
        for j in range(o):
            start[j] = b[j]
    step, taps = size * sh * wide * c, operand_of(y, w)
    for i in range(n):
        upper = operand_of(y, x) + size * i * h * wide * c
        for r in range(oh):
            where = 0
            if places is not None:
                where = address_of(places) + (i * oh + r) * ow * o
            quads_forward(
                y, upper, upper + step, size * sw * c, address_of(left), k, taps, size * o, address_of(start),
                address_of(y) + size * (i * oh + r) * ow * o, where, ow, size * o, activation,
            )  # fmt: skip
            upper += 2 * step


@kernel
def _conv_quads_kernel(dw_, db, x, dy, places, sh, sw, dh, dw):
    n, _, oh, ow, o = dy.shape
    h, wide, c = x.shape[2:]
    rows, columns = dw_.shape[1:3]
    size = size_of(dw_)
    step, run, runs, bias = size * sh * wide * c, c, columns, 0
    if dw == 1:
        run, runs = columns * c, 1
    for i in range(n):
        upper = operand_of(dw_, x) + size * i * h * wide * c
        for r in range(oh):
            done = (i * oh + r) * ow * o
            if db is not None:
                bias = operand_of(dw_, db)
            for t in range(runs):
                first = upper + size * t * dw * c
                quads_gradient(
                    dw_, address_of(dw_) + size * t * c * o, size * o, size * columns * c * o, rows, run,
                    first, first + step, size * sw * c, size * dh * wide * c,
                    operand_of(dw_, dy) + size * done, address_of(places) + done, ow, size * o,
                    bias,
                )  # fmt: skip
                bias = 0
            upper += 2 * step


@kernel
def conv_max(y, places, scratch, x, w, b, sh, sw, dh, dw, kh, kw, activation):
    # y (n, 1, oh, ow, o), places the same or None, scratch (1, rows, wide, o), x (n, 1, h, w, c) padded, w (1, taps,
    # taps, c, o), b (o,) or None; windows of kh x kw; the activation goes up
    n, _, oh, ow, o = y.shape
    if JIT and kh == 2 and kw == 2 and o * size_of(y) % BYTES == 0:
        _conv_quads(y, places, x, w, b, sh, sw, dh, dw, activation)
        return
    band, wide = scratch.shape[1] // kh, scratch.shape[2]
    reach = (w.shape[1] - 1) * dh + 1
    for i in range(n):
        for r in range(0, oh, band):
            count = min(band, oh - r)
            first, last = r * kh * sh, ((r + count) * kh - 1) * sh + reach
            rows = scratch[0, : count * kh].reshape((1, 1, count * kh, wide, o))
            image = x[i, 0, first:last].reshape((1, 1, last - first, x.shape[3], x.shape[4]))
            conv_forward(rows, image, w, b, 1, sh, sw, 1, dh, dw, 1, NONE)
            out = y[i, 0, r : r + count].reshape((1, 1, count, ow, o))
            if places is not None:
                where = places[i, 0, r : r + count].reshape((1, 1, count, ow, o))
                max_places(out, where, rows, 1, kh, kw, 1, kh, kw, 0, 0, 0, activation)
            else:
                max_forward(out, rows, 1, kh, kw, 1, kh, kw, 0, 0, 0)
                activate(out.reshape(out.size), activation)


@kernel
def conv_max_kernel(dw_, db, scratch, x, dy, places, sh, sw, dh, dw, kh, kw):
    # dw_ (1, taps, taps, c, o) of the kernel, db (o,) of the bias or None, scratch (1, rows, wide, o), x (n, 1, h, w,
    # c) padded, dy, places (n, 1, oh, ow, o)
    n, _, oh, ow, o = dy.shape
    if JIT and kh == 2 and kw == 2 and o * size_of(dy) % BYTES == 0:
        _conv_quads_kernel(dw_, db, x, dy, places, sh, sw, dh, dw)
        return
    if db is not None:
        places_bias(db, dy.reshape((n * oh * ow, o)), places.reshape((n * oh * ow, o)), kh * kw)
    band, wide = scratch.shape[1] // kh, scratch.shape[2]
    reach = (dw_.shape[1] - 1) * dh + 1
    for i in range(n):
        for r in range(0, oh, band):
            count = min(band, oh - r)
            first, last = r * kh * sh, ((r + count) * kh - 1) * sh + reach
            rows = scratch[0, : count * kh].reshape((1, 1, count * kh, wide, o))
            given = dy[i, 0, r : r + count].reshape((1, 1, count, ow, o))
            where = places[i, 0, r : r + count].reshape((1, 1, count, ow, o))
            places_write(rows, given, where, 1, kh, kw, 1, kh, kw, 0, 0, 0)
            image = x[i, 0, first:last].reshape((1, 1, last - first, x.shape[3], x.shape[4]))
            conv_backward_kernel(dw_, image, rows, 1, sh, sw, 1, dh, dw, 1)


@kernel
def conv_max_write_kernel(dw_, db, scratch, x, dy, places, sh, sw, dh, dw, kh, kw):
    # the same where dw_ holds nothing yet; db is added to
    whole = dw_.reshape(dw_.size)
    for j in range(whole.size):
        whole[j] = 0
    conv_max_kernel(dw_, db, scratch, x, dy, places, sh, sw, dh, dw, kh, kw)

"""Convolutions of which only maxima of windows side by side are read: their results never leave the caches.

Images are (n, 1, height, width, channels). A few rows of a result are made in a scratch, pooled and forgotten; for the
gradient of the convolution's kernel, that of a few rows is spread out there from the maxima and `places`, which
`dseq.kernels.pool.max_places` tells. Worth it where channels are few: the product then takes less time than its
result on the way to memory and back.
"""

from dseq.kernels.base import kernel
from dseq.kernels.conv import conv_backward_kernel, conv_forward
from dseq.kernels.epilogue import NONE, activate
from dseq.kernels.pool import max_forward, max_places, places_write


@kernel
def conv_max(y, places, scratch, x, w, b, sh, sw, dh, dw, kh, kw, activation):
    # y (n, 1, oh, ow, o), places the same or None, scratch (1, rows, wide, o), x (n, 1, h, w, c) padded, w (1, taps,
    # taps, c, o), b (o,) or None; windows of kh x kw; the activation goes up
    n, _, oh, ow, o = y.shape
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
def conv_max_kernel(dw_, scratch, x, dy, places, sh, sw, dh, dw, kh, kw):
    # dw_ (1, taps, taps, c, o) of the kernel, scratch (1, rows, wide, o), x (n, 1, h, w, c) padded, dy, places
    # (n, 1, oh, ow, o)
    n, _, oh, ow, o = dy.shape
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
def conv_max_write_kernel(dw_, scratch, x, dy, places, sh, sw, dh, dw, kh, kw):
    # the same where dw_ holds nothing yet
    whole = dw_.reshape(dw_.size)
    for j in range(whole.size):
        whole[j] = 0
    conv_max_kernel(dw_, scratch, x, dy, places, sh, sw, dh, dw, kh, kw)

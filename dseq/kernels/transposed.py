"""Transposed convolutions: the gradients of convolutions with the roles of input and output changed.

Images are (n, depth, height, width, channels), as in `dseq.kernels.conv`, whose kernels do the work: what a convolution
calls the gradient of its input is the output here, and its output is the input.
"""

from dseq.kernels.base import kernel
from dseq.kernels.conv import conv_forward
from dseq.kernels.epilogue import NONE


@kernel
def spread_forward(y, b):
    # y (n, o): b (o,) in each row, to which the taps are added
    for i in range(y.shape[0]):
        row = y[i]
        for j in range(row.size):
            row[j] = b[j]


@kernel
def transposed_write_input(dx, dy, w, sd, sh, sw, dd, dh, dw, spare):
    # dx (n, d, h, w, c), dy (n, od, oh, ow, o) all that the taps reach, w (kd, kh, kw, o, c), spare as dx
    conv_forward(dx, dy, w, None, sd, sh, sw, dd, dh, dw, 1, NONE)


@kernel
def transposed_backward_input(dx, dy, w, sd, sh, sw, dd, dh, dw, spare):
    # The same, added: through `spare`, for the convolution writes.
    conv_forward(spare, dy, w, None, sd, sh, sw, dd, dh, dw, 1, NONE)
    to, more = dx.reshape(dx.size), spare.reshape(spare.size)
    for i in range(to.size):
        to[i] += more[i]


@kernel
def crop_forward(y, x, before_d, before_h, before_w):
    # y (n, d, h, w, c): x (n, d', h', w', c) from `before` on
    n, d, h, w, c = y.shape
    for i in range(n):
        for z in range(d):
            for r in range(h):
                row = x[i, before_d + z, before_h + r].reshape(x.shape[3] * c)[before_w * c : (before_w + w) * c]
                target = y[i, z, r].reshape(w * c)
                for j in range(w * c):
                    target[j] = row[j]


@kernel
def crop_backward(dx, dy, before_d, before_h, before_w):
    # dx (n, d', h', w', c), dy (n, d, h, w, c)
    n, d, h, w, c = dy.shape
    for i in range(n):
        for z in range(d):
            for r in range(h):
                row = dx[i, before_d + z, before_h + r].reshape(dx.shape[3] * c)[before_w * c : (before_w + w) * c]
                given = dy[i, z, r].reshape(w * c)
                for j in range(w * c):
                    row[j] += given[j]

"""y = x * scale + offset, and its gradient."""

from dseq.kernels.base import kernel


@kernel
def rescale_forward(y, x, scale, offset):
    # y (n,), x (n,), scale (1,), offset (1,)
    factor, term = scale[0], offset[0]
    for i in range(y.size):
        y[i] = x[i] * factor + term


@kernel
def rescale_backward(dx, dy, scale):
    # dx (n,), dy (n,), scale (1,)
    factor = scale[0]
    for i in range(dx.size):
        dx[i] += dy[i] * factor

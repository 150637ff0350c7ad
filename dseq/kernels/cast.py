"""Data of any type of number as floats: pixels, counts, the other float type."""

from dseq.kernels.base import kernel


@kernel
def cast_forward(y, x):
    # y (n,) of floats, x (n,) of any type of number
    for i in range(y.size):
        y[i] = x[i]

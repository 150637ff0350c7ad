"""One value everywhere."""

from dseq.kernels.base import kernel


@kernel
def fill(y, value):
    # y (n,), value (1,)
    single = value[0]
    for i in range(y.size):
        y[i] = single

"""What is added to the loss besides the losses of outputs: tensors given to `add_loss`."""

from dseq.kernels.base import kernel


@kernel
def loss_sum(total, x):
    # total (1,), x (n,)
    s = 0.0
    for i in range(x.size):
        s += x[i]
    total[0] += s


@kernel
def loss_sum_backward(dx):
    # dx (n,)
    one = dx.dtype.type(1)
    for i in range(dx.size):
        dx[i] += one


@kernel
def shared_loss(total, x, clock):
    # total (1,), x (n,), clock (5,); every rank has the same x, and the first adds it
    if clock[3] == 0:
        s = 0.0
        for i in range(x.size):
            s += x[i]
        total[0] += s

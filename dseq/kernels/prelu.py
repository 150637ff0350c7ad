"""The rectifier with learned slopes: y = x above zero, alpha * x below, and its gradients."""

from dseq.kernels.base import kernel


@kernel
def prelu_forward(y, x, alpha, index):
    # y, x (n, m), alpha (slopes,), index (m,) which slope a feature uses
    zero = x.dtype.type(0)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            y[i, j] = alpha[index[j]] * x[i, j] if x[i, j] <= zero else x[i, j]


@kernel
def prelu_backward(dx, dy, x, alpha, index):
    # dx, dy, x (n, m), alpha (slopes,), index (m,)
    zero = x.dtype.type(0)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            dx[i, j] += alpha[index[j]] * dy[i, j] if x[i, j] <= zero else dy[i, j]


@kernel
def prelu_backward_alpha(dalpha, dy, x, index):
    # dalpha (slopes,), dy, x (n, m), index (m,)
    zero = x.dtype.type(0)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            dalpha[index[j]] += dy[i, j] * x[i, j] if x[i, j] <= zero else zero

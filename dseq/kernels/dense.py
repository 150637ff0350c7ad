"""y = activation(x @ w + b), and its gradients. Forward writes, backward adds.

The gradients also have kernels that write: a plan takes those where nothing was added before.
"""

from dseq.kernels.base import kernel
from dseq.kernels.gemm import add_matmul_nt, add_matmul_tn, matmul_bias, matmul_nt, matmul_tn


@kernel
def dense_forward(y, x, w, b, activation):
    # y (n, m), x (n, k), w (k, m), b (m,) or None; the activation's code is one of dseq.kernels.epilogue
    matmul_bias(y, x, w, b, activation)


@kernel
def dense_backward_input(dx, dy, w):
    # dx (n, k), dy (n, m), w (k, m)
    add_matmul_nt(dx, dy, w)


@kernel
def dense_write_input(dx, dy, w):
    # dx (n, k), dy (n, m), w (k, m)
    matmul_nt(dx, dy, w)


@kernel
def dense_backward_kernel(dw, x, dy):
    # dw (k, m), x (n, k), dy (n, m)
    add_matmul_tn(dw, x, dy)


@kernel
def dense_write_kernel(dw, x, dy):
    # dw (k, m), x (n, k), dy (n, m)
    matmul_tn(dw, x, dy)


@kernel
def dense_backward_bias(db, dy):
    # db (m,), dy (n, m)
    for i in range(dy.shape[0]):
        for j in range(dy.shape[1]):
            db[j] += dy[i, j]


@kernel
def dense_write_bias(db, dy):
    # db (m,), dy (n, m)
    for j in range(db.size):
        db[j] = 0
    dense_backward_bias(db, dy)

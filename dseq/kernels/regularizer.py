"""Penalties on weights and activations, and their gradients.

Weights are the same on all ranks, so each rank treats its part of a weight only: `clock` is the int64 array
[seed, step, first_row, shard, shards], and sums over shards count everything once. Activations are a rank's own rows.
Real parameters are arrays of one element; values are added up in float64.
"""

from numpy import float64

from dseq.kernels.base import inlined, kernel
from dseq.kernels.gemm import matmul, matmul_nt, matmul_tn


@inlined
def part(size, clock):
    """The first and last but one of `size` things that belong to this shard."""
    return size * clock[3] // clock[4], size * (clock[3] + 1) // clock[4]


# reassoc: sums along contiguous elements, whose order depends on their number alone.
@kernel(fastmath={"reassoc"})
def _sums(x):
    # x (n,): the sums of |x| and of x^2
    absolute, square = 0.0, 0.0
    for i in range(x.size):
        value = float64(x[i])
        absolute += abs(value)
        square += value * value
    return absolute, square


@kernel
def l1l2_weight_forward(total, w, l1, l2, clock):
    # total (1,) += l1 * sum |w| + l2 * sum w^2 over this shard's part of w (n,)
    first, last = part(w.size, clock)
    absolute, square = _sums(w[first:last])
    total[0] += l1[0] * absolute + l2[0] * square


@kernel
def l1l2_weight_backward(dw, w, l1, l2, clock):
    # dw, w (n,)
    zero, weak, strong = w.dtype.type(0), w.dtype.type(l1[0]), w.dtype.type(2 * l2[0])
    first, last = part(w.size, clock)
    target, values = dw[first:last], w[first:last]
    for i in range(values.size):
        x = values[i]
        sign = weak if x > zero else (-weak if x < zero else weak * x)
        target[i] += sign + strong * x


@kernel
def l1l2_weight_write(dw, w, l1, l2, clock):
    # the same where dw holds nothing yet
    for i in range(dw.size):
        dw[i] = 0
    l1l2_weight_backward(dw, w, l1, l2, clock)


@kernel
def l1l2_activity_forward(total, y, l1, l2):
    # total (1,) += l1 * sum |y| + l2 * sum y^2, y (n, m): row by row
    absolute, square = 0.0, 0.0
    for i in range(y.shape[0]):
        one, two = _sums(y[i])
        absolute += one
        square += two
    total[0] += l1[0] * absolute + l2[0] * square


@kernel
def l1l2_activity_backward(dy, y, l1, l2, scale):
    # dy, y (n,), scale (1,): 1 / (rows of the global batch)
    zero, weak, strong = y.dtype.type(0), y.dtype.type(l1[0] * scale[0]), y.dtype.type(2 * l2[0] * scale[0])
    for i in range(y.size):
        x = y[i]
        sign = weak if x > zero else (-weak if x < zero else weak * x)
        dy[i] += sign + strong * x


@kernel
def unit_rows(u, inverse, w):
    # u, w (n, m), inverse (n,) float64: w's rows at length 1
    for i in range(w.shape[0]):
        square = _sums(w[i])[1]
        inverse[i] = min(1.0 / square**0.5 if square > 0 else 1e7, 1e7)
        factor = w.dtype.type(inverse[i])
        for j in range(w.shape[1]):
            u[i, j] = w[i, j] * factor


@kernel
def unit_columns(u, inverse, w):
    # u, w (n, m), inverse (m,) float64: w's columns at length 1
    for j in range(w.shape[1]):
        inverse[j] = 0.0
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            inverse[j] += float64(w[i, j]) * float64(w[i, j])
    for j in range(w.shape[1]):
        inverse[j] = min(1.0 / inverse[j] ** 0.5 if inverse[j] > 0 else 1e7, 1e7)
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            u[i, j] = w.dtype.type(w[i, j] * inverse[j])


@kernel
def row_products(signs, u):
    # signs (n, n) = u (n, m) @ u.T
    matmul_nt(signs, u, u)


@kernel
def column_products(signs, u):
    # signs (m, m) = u.T @ u (n, m)
    matmul_tn(signs, u, u)


@kernel
def orthogonal_forward(total, products, factor, clock):
    # total (1,) += factor * sum of |products| off the diagonal, over this shard's rows of products (n, n)
    first, last = part(products.shape[0], clock)
    absolute = 0.0
    for i in range(first, last):
        absolute += _sums(products[i])[0] - abs(float64(products[i, i]))
    total[0] += factor[0] * absolute


@kernel
def off_diagonal_signs(signs, products):
    # signs, products (n, n): -1, 0 or 1, and 0 on the diagonal
    zero, one = products.dtype.type(0), products.dtype.type(1)
    for i in range(products.shape[0]):
        for j in range(products.shape[1]):
            x = products[i, j]
            signs[i, j] = one if x > zero else (-one if x < zero else zero)
        signs[i, i] = zero


@kernel
def orthogonal_rows_backward(dw, pull, signs, u, inverse, factor, clock):
    # dw, u (n, m), pull (n, m) scratch, signs (n, n), inverse (n,): this shard's rows of dw
    matmul(pull, signs, u)
    first, last = part(u.shape[0], clock)
    for i in range(first, last):
        along = 0.0
        for j in range(u.shape[1]):
            along += float64(pull[i, j]) * float64(u[i, j])
        scale = 2.0 * factor[0] * inverse[i]
        for j in range(u.shape[1]):
            dw[i, j] += u.dtype.type(scale * (pull[i, j] - along * u[i, j]))


@kernel
def orthogonal_columns_backward(dw, pull, signs, u, inverse, factor, clock):
    # dw, u (n, m), pull (n, m) scratch, signs (m, m), inverse (m,): this shard's columns of dw
    matmul(pull, u, signs)
    first, last = part(u.shape[1], clock)
    for j in range(first, last):
        along = 0.0
        for i in range(u.shape[0]):
            along += float64(pull[i, j]) * float64(u[i, j])
        scale = 2.0 * factor[0] * inverse[j]
        for i in range(u.shape[0]):
            dw[i, j] += u.dtype.type(scale * (pull[i, j] - along * u[i, j]))


@kernel
def count_once(total, value, clock):
    # total (1,) += value (1,), on the first shard alone: all shards have the same value
    if clock[3] == 0:
        total[0] += value[0]


@kernel
def slope_once(dvalue, scale, clock):
    # dvalue (1,) += scale (1,), on the first shard alone
    if clock[3] == 0:
        dvalue[0] += dvalue.dtype.type(scale[0])

"""Products of many matrices, where one side's may serve several of the other's. Forward writes, backward adds.

Matrix r of the result has matrix `(r // every) % count` of each side, without the remainder for a count of 0.
"""

from dseq.kernels.base import kernel
from dseq.kernels.broadcast import run_of
from dseq.kernels.dot import product


@kernel
def batched_forward(c, a, b, a_every, a_count, b_every, b_count):
    # c (rows, n, m), a (.., n, k), b (.., k, m)
    for r in range(c.shape[0]):
        product(c[r], a[run_of(r, a_every, a_count)], b[run_of(r, b_every, b_count)], 0, 0, 0)


@kernel
def batched_backward_first(da, dc, b, a_every, a_count, b_every, b_count):
    # da (.., n, k), dc (rows, n, m), b (.., k, m)
    for r in range(dc.shape[0]):
        product(da[run_of(r, a_every, a_count)], dc[r], b[run_of(r, b_every, b_count)], 0, 1, 1)


@kernel
def batched_backward_second(db, a, dc, a_every, a_count, b_every, b_count):
    # db (.., k, m), a (.., n, k), dc (rows, n, m)
    for r in range(dc.shape[0]):
        product(db[run_of(r, b_every, b_count)], a[run_of(r, a_every, a_count)], dc[r], 1, 0, 1)

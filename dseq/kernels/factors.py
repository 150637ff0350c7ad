"""The gradient of a matrix that ranks do not sum: they exchange what it is a product of.

The sum over ranks of dw = x.T @ dy is the product of the rows of all ranks. Where these are few, each rank leaves its
rows of dy and then of x in the memory in which others else find its dw, and makes of all of them those rows of dw that
it updates. dw, x, dy have the shapes (k, m), (n, k), (n, m).

counts has, as int64: this rank's number, the first of the rows of dw that it updates, the one behind their last, then
for each rank its number n of rows. On one rank dw is made where it is used, a piece at a time.
"""

import numpy as np

from dseq.kernels.base import JIT, inlined, kernel
from dseq.kernels.gemm import ITSELF, linked_contract, matmul_tn, operand_of
from dseq.kernels.shared import sum_rows
from dseq.kernels.vector import address_of

HEADER = 3  # numbers that come before those of rows
SHORT = 32  # rows up to which those of two ranks are multiplied at once: sums are not written and read between them
ALONE = HEADER + 1  # size of counts on one rank, which has nobody to give anything


@inlined
def _are_few(counts, most):
    few = True
    for i in range(HEADER, counts.size):
        few = few and counts[i] <= most
    return few


@kernel
def give_factors(dw, x, dy, counts, most):
    # dw = x.T @ dy; or if no rank has more than `most` rows, dy and x, without what this rank alone needs of x
    if counts.size == ALONE:
        return
    if not _are_few(counts, most):
        matmul_tn(dw, x, dy)
        return
    n, k = x.shape
    m, lo, hi = dy.shape[1], counts[1], counts[2]
    memory, products = dw.reshape(dw.size), dy.reshape(dy.size)
    for i in range(n * m):
        memory[i] = products[i]
    for i in range(n):
        place = n * m + i * k
        row, source = memory[place : place + k], x[i]
        for j in range(lo):
            row[j] = source[j]
        for j in range(hi, k):
            row[j] = source[j]


@kernel
def _place(dw, x, dy, rows, start, counts, rank):
    # the number of a rank's rows, and their addresses in x and dy
    n = counts[HEADER + rank]
    if rank == counts[0]:
        return x.shape[0], operand_of(dw, x), operand_of(dw, dy)
    b = operand_of(dw, rows) + (rank * rows.shape[1] + start) * dw.itemsize
    return n, b + n * dy.shape[1] * dw.itemsize, b


@kernel
def take_factors(dw, x, dy, rows, start, first, counts, most, block):
    # dw (r, m) = rows `first` .. of the sum over ranks; rows (ranks, s) what each gave, from element `start` on
    # block is scratch of sum_rows
    if counts.size > ALONE and not _are_few(counts, most):
        sum_rows(dw.reshape(dw.size), rows, start + first * dw.shape[1], block)
        return
    r, m = dw.shape
    k, size = x.shape[1], dw.itemsize
    ranks = counts.size - HEADER
    begin = rank = 0
    while rank < ranks:
        if JIT:
            n, a, b = _place(dw, x, dy, rows, start, counts, rank)
            runs, far_a, far_b = 1, 0, 0
            if n <= SHORT and rank + 1 < ranks:
                further, further_a, further_b = _place(dw, x, dy, rows, start, counts, rank + 1)
                if further == n:
                    runs, far_a, far_b = 2, (further_a - a) // size, (further_b - b) // size
            linked_contract(
                dw, (address_of(dw), a + first * size, b, begin, 1, 1, 1, r, 0, 0, 0, m, 0, 0, 0, 1,
                    1, 1, runs, 0, 0, far_a, 0, 0, far_b, n, k, m, 0, m, 0),
            )  # fmt: skip
            begin = ITSELF
            rank += runs
        else:
            n, a, b = counts[HEADER + rank], x, dy
            if rank != counts[0]:
                memory = rows[rank, start : start + n * (m + k)]
                a, b = memory[n * m :].reshape(n, k), memory[: n * m].reshape(n, m)
            if rank == 0:
                dw[:] = 0
            dw += np.matmul(a[:, first : first + r].T, b)
            rank += 1

"""Rows of a table by number, and the gradient of the table. Numbers outside the table are counted, never read."""

from dseq.kernels.base import kernel


@kernel
def embedding_forward(y, ids, table, fault):
    # y (n, m), ids (n,) of integers, table (v, m), fault (1,) or None
    zero = y.dtype.type(0)
    for i in range(y.shape[0]):
        row, number = y[i], ids[i]
        if 0 <= number < table.shape[0]:
            source = table[number]
            for j in range(row.size):
                row[j] = source[j]
        else:
            for j in range(row.size):
                row[j] = zero
            if fault is not None:
                fault[0] += 1


@kernel
def embedding_backward(dtable, dy, ids):
    # dtable (v, m), dy (n, m), ids (n,) of integers
    for i in range(dy.shape[0]):
        number = ids[i]
        if 0 <= number < dtable.shape[0]:
            target, row = dtable[number], dy[i]
            for j in range(row.size):
                target[j] += row[j]


@kernel
def unequal_forward(mask, ids, number):
    # mask (n,) of bytes: whether ids (n,) is another number
    for i in range(ids.size):
        mask[i] = 1 if ids[i] != number else 0

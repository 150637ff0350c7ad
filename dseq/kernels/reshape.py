"""Values moved, not changed: axes permuted, vectors repeated, rows gathered. Forward writes, backward adds."""

from dseq.kernels.base import kernel


@kernel
def transpose_forward(y, x, n1, n2, n3, n4, s1, s2, s3, s4):
    # y, x (rows * n1 * n2 * n3 * n4,); y's axes have sizes n, the same axes lie in a row of x at strides s
    row = n1 * n2 * n3 * n4
    rows = y.size // row if row > 0 else 0
    for r in range(rows):
        out = r * row
        for i1 in range(n1):
            for i2 in range(n2):
                for i3 in range(n3):
                    place = r * row + i1 * s1 + i2 * s2 + i3 * s3
                    for i4 in range(n4):
                        y[out + i4] = x[place + i4 * s4]
                    out += n4


@kernel
def transpose_backward(dx, dy, n1, n2, n3, n4, s1, s2, s3, s4):
    # dx, dy (rows * n1 * n2 * n3 * n4,), sizes and strides as in forward
    row = n1 * n2 * n3 * n4
    rows = dy.size // row if row > 0 else 0
    for r in range(rows):
        out = r * row
        for i1 in range(n1):
            for i2 in range(n2):
                for i3 in range(n3):
                    place = r * row + i1 * s1 + i2 * s2 + i3 * s3
                    for i4 in range(n4):
                        dx[place + i4 * s4] += dy[out + i4]
                    out += n4


@kernel
def repeat_forward(y, x):
    # y (rows, n, f), x (rows, f)
    for r in range(y.shape[0]):
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                y[r, i, j] = x[r, j]


@kernel
def repeat_backward(dx, dy):
    # dx (rows, f), dy (rows, n, f)
    for r in range(dy.shape[0]):
        for i in range(dy.shape[1]):
            for j in range(dy.shape[2]):
                dx[r, j] += dy[r, i, j]


@kernel
def gather_rows(block, source, index):
    # block (n, f) of any type, source (rows, f) of any type, index (n,) rows of source
    for i in range(index.size):
        row = index[i]
        for j in range(block.shape[1]):
            block[i, j] = source[row, j]

"""Products of matrices on the microkernel: c = a @ b, and c += with a or b transposed.

Each element is a chain of multiply-adds over the inner axis, in order, that starts from 0, the bias or c itself.
Blocking cuts the chain into pieces that pass through c, which changes no bit, and a row's bits do not depend on the
other rows.
"""

import numpy as np
from numba import carray, types
from numba.core.errors import TypingError

from dseq.kernels.base import JIT, kernel, primitive
from dseq.kernels.epilogue import activate
from dseq.kernels.link import linked
from dseq.kernels.microkernel import narrow_panel, wide_panel
from dseq.kernels.packing import copy_panel, scratch, transpose_panel, zeros
from dseq.kernels.vector import BYTES, DEPTH, MASKED_LOADS, TILE, Emitter, address_of, emits, size_of

VECTORS, HIGHEST = TILE.vectors, TILE.rows[0]
PART = 2112  # bytes of a column of A: times DEPTH it stays in an L2 of 1 MiB while the panels of B pass
WORTH = 24  # rows from which a panel of B is copied
FAR = 1 << 20  # bytes of C from which it is fetched ahead; below, the requests only take time


@kernel
def multiply(pointer, a, lda, ka, b, ldb, transposed, start, lds, n, m, k, activation):
    # c (n, m) at pointer, a (n, k) at strides lda and ka, b (k, m) at stride ldb, or (m, k) and transposed;
    # start (n, m) at stride lds, or 0 for zeros; all but the pointer are addresses;
    # `activation` is a code of dseq.kernels.epilogue
    size = size_of(pointer)
    c = address_of(pointer)
    lanes = BYTES // size
    width = VECTORS * lanes
    panel = scratch(pointer)
    moves = size
    if start == 0:
        start, lds, moves = zeros(pointer), 0, 0
    far = 1 if n * m * size > FAR else 0
    blocks = max(1, (k + DEPTH - 1) // DEPTH)
    piece = max(1, ((k + blocks - 1) // blocks + lanes - 1) // lanes * lanes)
    parts = max(1, (n * size + PART - 1) // PART)
    part = max(1, ((n + parts - 1) // parts + HIGHEST - 1) // HIGHEST * HIGHEST)
    for k0 in range(0, max(k, 1), piece):
        depth = min(piece, k - k0)
        for i0 in range(0, n, part):
            rows = min(part, n - i0)
            left = a + size * (i0 * lda + k0 * ka)
            for j0 in range(0, m, width):
                columns = min(width, m - j0)
                copy = 0
                if transposed != 0:
                    transpose_panel(pointer, panel, b + size * (j0 * ldb + k0), ldb, depth, columns)
                    right, step = panel, width
                elif columns < width and (rows >= WORTH or not MASKED_LOADS):
                    copy_panel(pointer, panel, b + size * (k0 * ldb + j0), ldb, depth, columns)
                    right, step = panel, width
                else:
                    right, step = b + size * (k0 * ldb + j0), ldb
                    copy = panel if rows >= WORTH else 0
                to = c + size * (i0 * m + j0)
                origin = start + moves * (i0 * lds + j0)
                if columns == width:
                    wide_panel(
                        pointer, left, 0, lda, ka, right, 0, step,
                        to, m, origin, lds, rows, columns, 1, depth, far, copy,
                    )  # fmt: skip
                else:
                    for j in range(0, columns, lanes):
                        narrow_panel(
                            pointer, left, 0, lda, ka, right + size * j, 0, step,
                            to + size * j, m, origin + moves * j, lds, rows, columns - j, 1, depth, 0, 0,
                        )  # fmt: skip
            if activation != 0 and k0 + depth >= k:
                activate(carray(pointer, (n * m,))[i0 * m : (i0 + rows) * m], activation)
        start, lds, moves = c, m, size


linked_multiply = linked(multiply, 12)


@primitive(twin=None)
def operand_of(typingctx, c, a):
    """The address of a's data. An address has no type, so that arrays of another type than c's are refused here."""
    if c.dtype != a.dtype:
        raise TypingError(f"The matrices of a product must have one type. Received: {a.dtype} for {c.dtype}")
    signature, codegen = emits(Emitter, lambda emitter, builder, address: address, 0, types.int64)(a)
    return types.int64(c, a), lambda context, builder, _, arguments: codegen(context, builder, signature, arguments[1:])


@kernel
def matmul(c, a, b):
    # c (n, m) = a (n, k) @ b (k, m)
    if JIT:
        n, k = a.shape
        m = b.shape[1]
        linked_multiply(c, (operand_of(c, a), k, 1, operand_of(c, b), m, 0, 0, 0, n, m, k, 0))
    else:
        np.matmul(a, b, out=c)


@kernel
def matmul_bias(c, a, b, bias, activation):
    # c (n, m) = a (n, k) @ b (k, m) + bias (m,) or None, then the activation of this code (dseq.kernels.epilogue)
    if JIT:
        n, k = a.shape
        m = b.shape[1]
        start = 0
        if bias is not None:
            start = operand_of(c, bias)
        linked_multiply(c, (operand_of(c, a), k, 1, operand_of(c, b), m, 0, start, 0, n, m, k, activation))
    else:
        np.matmul(a, b, out=c)
        if bias is not None:
            c += bias
        activate(c.reshape(c.size), activation)


@kernel
def matmul_tn(c, a, b):
    # c (k, m) = a (n, k).T @ b (n, m)
    if JIT:
        n, k = a.shape
        m = b.shape[1]
        linked_multiply(c, (operand_of(c, a), 1, k, operand_of(c, b), m, 0, 0, 0, k, m, n, 0))
    else:
        np.matmul(a.T, b, out=c)


@kernel
def add_matmul_tn(c, a, b):
    # c (k, m) += a (n, k).T @ b (n, m)
    if JIT:
        n, k = a.shape
        m = b.shape[1]
        linked_multiply(c, (operand_of(c, a), 1, k, operand_of(c, b), m, 0, address_of(c), m, k, m, n, 0))
    else:
        c += np.matmul(a.T, b)


@kernel
def matmul_nt(c, a, b):
    # c (n, k) = a (n, m) @ b (k, m).T
    if JIT:
        n, m = a.shape
        k = b.shape[0]
        linked_multiply(c, (operand_of(c, a), m, 1, operand_of(c, b), m, 1, 0, 0, n, k, m, 0))
    else:
        np.matmul(a, b.T, out=c)


@kernel
def add_matmul_nt(c, a, b):
    # c (n, k) += a (n, m) @ b (k, m).T
    if JIT:
        n, m = a.shape
        k = b.shape[0]
        linked_multiply(c, (operand_of(c, a), m, 1, operand_of(c, b), m, 1, address_of(c), k, n, k, m, 0))
    else:
        c += np.matmul(a, b.T)

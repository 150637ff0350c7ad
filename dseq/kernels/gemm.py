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
from dseq.kernels.packing import copy_panel, pointer_at, scratch, transpose_panel, words, zeros
from dseq.kernels.vector import BYTES, DEPTH, MASKED_LOADS, TILE, Emitter, address_of, emits, size_of

VECTORS, HIGHEST = TILE.vectors, TILE.rows[0]
PART = 2112  # bytes of a column of A: times DEPTH it stays in an L2 of 1 MiB while the panels of B pass
WORTH = 24  # rows from which a panel of B is copied
FAR = 1 << 20  # bytes of C from which it is fetched ahead; below, the requests only take time
LONGEST = PART // 4 + 2 * HIGHEST  # rows of a part
ITSELF = 1

row_words, run_words = words(LONGEST), words(3 * DEPTH)


@kernel
def fill_rows(table, first, base, n1, n2, n3, s0, s1, s2, s3):
    # table (count,): the addresses of rows `first` on; row ((i0 n1 + i1) n2 + i2) n3 + i3 is at base + sum of i s
    done, count = 0, table.size
    while done < count:
        rest, i3 = divmod(first + done, n3)
        rest, i2 = divmod(rest, n2)
        i0, i1 = divmod(rest, n1)
        address = base + i0 * s0 + i1 * s1 + i2 * s2 + i3 * s3
        part = table[done : done + min(n3 - i3, count - done)]
        for j in range(part.size):
            part[j] = address + j * s3
        done += part.size


@kernel
def fill_runs(table, first, depth, length, n1, n2, a0, a1, a2, step, b0, b1, b2, ldb):
    # table (3 .. ): the runs that k = first .. first + depth falls into, of those of `length` each; how many they are.
    # Runs that follow each other in A and B are one.
    done, pieces, next_a, next_b = 0, 0, -1, -1
    while done < depth:
        run, inside = divmod(first + done, length)
        rest, i2 = divmod(run, n2)
        i0, i1 = divmod(rest, n1)
        part = min(length - inside, depth - done)
        from_a = i0 * a0 + i1 * a1 + i2 * a2 + inside * step
        from_b = i0 * b0 + i1 * b1 + i2 * b2 + inside * ldb
        if pieces > 0 and from_a == next_a and from_b == next_b:
            table[3 * pieces - 2] += part * step
        else:
            table[3 * pieces] = from_a
            table[3 * pieces + 1] = part * step
            table[3 * pieces + 2] = from_b
            pieces += 1
        next_a, next_b = from_a + part * step, from_b + part * ldb
        done += part
    return pieces


@kernel
def join_runs(joined, table, pieces):
    # The runs of a table for a packed B: those that follow each other in A are one; how many they are.
    count = 0
    for r in range(pieces):
        entry = table[3 * r : 3 * r + 3]
        if count > 0 and joined[3 * count - 3] + joined[3 * count - 2] == entry[0]:
            joined[3 * count - 2] += entry[1]
        else:
            joined[3 * count] = entry[0]
            joined[3 * count + 1] = entry[1]
            count += 1
    return count


@kernel
def contract(
    pointer, c, a, b, start, n0, n1, n2, n3, c0, c1, c2, c3, a0, a1, a2, a3,
    runs0, runs1, runs2, ra0, ra1, ra2, rb0, rb1, rb2, length, step, ldb, transposed, m, activation,
):  # fmt: skip
    # Rows of m elements: C[row] = activation of start + sum over runs, then k < length, of A[row, run, k] B[run, k].
    # The row (i0, i1, i2, i3) is at c + i0 c0 + .. in C and a + i0 a0 + .. in A, the run (r0, r1, r2) at r0 ra0 + ..
    # from there and at b + r0 rb0 + .. in B, where k is `step` on in A and ldb on in B. a, b and c are addresses, all
    # else counts elements. B may be (m, k) and transposed: then there is one run. start: 0 for zeros, ITSELF for C,
    # or the address of one row for all. `activation` is a code of dseq.kernels.epilogue.
    size = size_of(pointer)
    lanes = BYTES // size
    width = VECTORS * lanes
    n, k = n0 * n1 * n2 * n3, runs0 * runs1 * runs2 * length
    panel, nothing = scratch(pointer), zeros(pointer)
    sources, targets = carray(row_words(pointer), (LONGEST,)), carray(row_words(pointer), (LONGEST,))
    runs, joined = carray(run_words(pointer), (3 * DEPTH,)), carray(run_words(pointer), (3 * DEPTH,))
    far = 1 if n * m * size > FAR else 0
    # Whether rows of A come from memory, share little with each other and leave little out between them.
    fresh = 1 if step == 1 and n * a3 * size > FAR and a3 <= k <= 4 * a3 else 0
    blocks = max(1, (k + DEPTH - 1) // DEPTH)
    piece = max(1, ((k + blocks - 1) // blocks + lanes - 1) // lanes * lanes)
    parts = max(1, (n * size + PART - 1) // PART)
    part = max(1, ((n + parts - 1) // parts + HIGHEST - 1) // HIGHEST * HIGHEST)
    by, row_a, row_c = ldb * size, address_of(sources), address_of(targets)
    for i0 in range(0, n, part):
        rows = min(part, n - i0)
        fill_rows(sources[:rows], i0, a, n1, n2, n3, a0 * size, a1 * size, a2 * size, a3 * size)
        fill_rows(targets[:rows], i0, c, n1, n2, n3, c0 * size, c1 * size, c2 * size, c3 * size)
        if k == 0 and start != ITSELF:
            for i in range(rows):
                row = carray(pointer_at(pointer, targets[i]), (m,))
                for j in range(m):
                    row[j] = 0
                if start != 0:
                    bias = carray(pointer_at(pointer, start), (m,))
                    for j in range(m):
                        row[j] = bias[j]
        origin = start
        for k0 in range(0, k, piece):
            depth = min(piece, k - k0)
            pieces = fill_runs(
                runs, k0, depth, length, runs1, runs2, ra0 * size, ra1 * size, ra2 * size, step * size,
                rb0 * size, rb1 * size, rb2 * size, by,
            )  # fmt: skip
            fewer = join_runs(joined, runs, pieces)
            soon, soon_row, soon_step = 0, 0, 0
            if fresh != 0 and k0 + depth >= k:
                # The rows of the next tile, from where the last run begins.
                span = (sources[rows - 1] - sources[0]) // max(1, rows - 1)
                soon_row, soon_step = span, max(1, HIGHEST * span // depth)
                soon = sources[0] + HIGHEST * span + runs[3 * pieces - 3]
            for j0 in range(0, m, width):
                columns = min(width, m - j0)
                column = j0 * size
                right, ahead, packed, copy, count, table = b + column, by, 0, 0, pieces, address_of(runs)
                if transposed != 0:
                    transpose_panel(pointer, panel, b + size * (j0 * ldb + k0), ldb, depth, columns)
                    packed = 1
                elif rows >= WORTH and fewer < pieces or columns < width and (rows >= WORTH or not MASKED_LOADS):
                    done = 0
                    for r in range(pieces):
                        some = runs[3 * r + 1] // (step * size)
                        copy_panel(pointer, panel + done * width * size, right + runs[3 * r + 2], ldb, some, columns)
                        done += some
                    packed = 1
                elif rows >= WORTH and ldb != width:
                    copy = panel
                if packed != 0:
                    right, ahead, count, table = panel, width * size, fewer, address_of(joined)
                from_row = nothing
                if origin == ITSELF:
                    from_row = 0
                elif origin != 0:
                    from_row = origin + column
                if columns == width:
                    wide_panel(
                        pointer, row_a, row_c, rows, table, count, step * size, right, ahead, packed,
                        from_row, column, columns, far, soon if j0 == 0 else 0, soon_row, soon_step, copy,
                    )  # fmt: skip
                else:
                    for j in range(0, columns, lanes):
                        if from_row != 0 and from_row != nothing:
                            from_row = origin + column + j * size
                        narrow_panel(
                            pointer, row_a, row_c, rows, table, count, step * size, right + j * size, ahead, packed,
                            from_row, column + j * size, columns - j, 0, 0, 0, 0, 0,
                        )  # fmt: skip
            origin = ITSELF
        if activation != 0:
            if targets[rows - 1] - targets[0] == (rows - 1) * m * size:
                activate(carray(pointer_at(pointer, targets[0]), (rows * m,)), activation)
            else:
                for i in range(rows):
                    activate(carray(pointer_at(pointer, targets[i]), (m,)), activation)


linked_contract = linked(contract, 31)


@kernel
def multiply(c, a, lda, ka, b, ldb, transposed, start, n, m, k, activation):
    # c (n, m), a (n, k) at strides lda and ka, b (k, m) at stride ldb, or (m, k) and transposed; a and b are addresses
    linked_contract(
        c, (address_of(c), a, b, start, 1, 1, 1, n, 0, 0, 0, m, 0, 0, 0, lda,
            1, 1, 1, 0, 0, 0, 0, 0, 0, k, ka, ldb, transposed, m, activation),
    )  # fmt: skip


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
        multiply(c, operand_of(c, a), k, 1, operand_of(c, b), m, 0, 0, n, m, k, 0)
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
        multiply(c, operand_of(c, a), k, 1, operand_of(c, b), m, 0, start, n, m, k, activation)
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
        multiply(c, operand_of(c, a), 1, k, operand_of(c, b), m, 0, 0, k, m, n, 0)
    else:
        np.matmul(a.T, b, out=c)


@kernel
def add_matmul_tn(c, a, b):
    # c (k, m) += a (n, k).T @ b (n, m)
    if JIT:
        n, k = a.shape
        m = b.shape[1]
        multiply(c, operand_of(c, a), 1, k, operand_of(c, b), m, 0, ITSELF, k, m, n, 0)
    else:
        c += np.matmul(a.T, b)


@kernel
def matmul_nt(c, a, b):
    # c (n, k) = a (n, m) @ b (k, m).T
    if JIT:
        n, m = a.shape
        k = b.shape[0]
        multiply(c, operand_of(c, a), m, 1, operand_of(c, b), m, 1, 0, n, k, m, 0)
    else:
        np.matmul(a, b.T, out=c)


@kernel
def add_matmul_nt(c, a, b):
    # c (n, k) += a (n, m) @ b (k, m).T
    if JIT:
        n, m = a.shape
        k = b.shape[0]
        multiply(c, operand_of(c, a), m, 1, operand_of(c, b), m, 1, ITSELF, n, k, m, 0)
    else:
        c += np.matmul(a, b.T)

"""Products of matrices on the microkernel: c = a @ b, and c += with a or b transposed.

Each element is a chain of multiply-adds over the inner axis, in order, that starts from 0, the bias or c itself.
Blocking cuts the chain into pieces that pass through c, which changes no bit, and a row's bits do not depend on the
other rows.
"""

import numpy as np
from numba import carray, types
from numba.core.errors import TypingError

from dseq.kernels.base import JIT, inlined, kernel, primitive
from dseq.kernels.epilogue import activate
from dseq.kernels.link import linked
from dseq.kernels.microkernel import LINE, broad_panel, narrow_panel, wide_panel
from dseq.kernels.packing import copy_panel, pointer_at, scratch, transpose_panel, words, zeros
from dseq.kernels.vector import BROAD, BYTES, DEPTH, MASKED_LOADS, SHORTER, WIDE, Emitter, address_of, emits, size_of

TWO = BROAD != WIDE
UNIT = max(BROAD.rows[0], WIDE.rows[0])
PART = 2112  # bytes of a column of A: times DEPTH it stays in an L2 of 1 MiB while the panels of B pass
LARGE = 3 << 20  # bytes of C that no L2 holds
KEPT = 1 << 19  # bytes of C that stay in L2 beside rows of A and a panel of B
LEAST = 96  # rows of a part, or the panels of B would pass too often
WORTH = 24  # rows from which a panel of B is copied
AHEAD = 12  # steps along the inner axis that columns of A are fetched ahead
FAR = 1 << 20  # bytes of C from which it is fetched ahead; below, the requests only take time
LONGEST = PART // 4 + 2 * UNIT  # rows of a part
FEW = 192  # rows up to which multiplying takes about as long as B takes to come from beyond L2
STREAM = 1 << 18  # bytes of B from which it is fetched ahead
NEAR = 1 << 19  # bytes of a piece of B that L2 holds beside the next one
ITSELF = 1

row_words, step_words = words(LONGEST), words(DEPTH)


@kernel
def fill_rows(table, first, base, n1, n2, n3, s0, s1, s2, s3):
    # table (count,): the addresses of rows `first` on; row ((i0 n1 + i1) n2 + i2) n3 + i3 is at base + sum of i s
    rest, i3 = divmod(first, n3)
    rest, i2 = divmod(rest, n2)
    i0, i1 = divmod(rest, n1)
    done, count = 0, table.size
    while done < count:
        address = base + i0 * s0 + i1 * s1 + i2 * s2 + i3 * s3
        part = table[done : done + min(n3 - i3, count - done)]
        for j in range(part.size):
            part[j] = address + j * s3
        done += part.size
        i2, i3 = i2 + 1, 0
        if i2 == n2:
            i1, i2 = i1 + 1, 0
            if i1 == n1:
                i0, i1 = i0 + 1, 0


@kernel
def fill_steps(table, first, length, n1, n2, s0, s1, s2, step):
    # table (depth,): how far k = first .. first + depth are from where a row of A, or B, begins, in runs of `length`;
    # gives the place in the table where the last run begins
    done, last, depth = 0, 0, table.size
    while done < depth:
        run, inside = divmod(first + done, length)
        rest, i2 = divmod(run, n2)
        i0, i1 = divmod(rest, n1)
        distance = i0 * s0 + i1 * s1 + i2 * s2 + inside * step
        part = table[done : done + min(length - inside, depth - done)]
        for k in range(part.size):
            part[k] = distance + k * step
        last = done
        done += part.size
    return last


@kernel
def fill_columns(ahead, left):
    # ahead (depth,): what a step along the inner axis fetches where each is on another line of A: that of a later step
    depth = ahead.size
    sooner = max(0, depth - AHEAD)
    later = left[depth - sooner :]
    for k in range(sooner):
        ahead[k] = later[k]
    for k in range(sooner, depth):
        ahead[k] = left[depth - 1]


@kernel
def fill_lines(ahead, left, begin, tile, span, size):
    # ahead (depth,): the lines of the next tile's rows, which begin `tile` bytes on and are `span` bytes apart, spread
    # over the steps. Rows that share much with each other are one run of bytes from left[begin] on.
    depth = ahead.size
    lines = (depth * size + LINE - 1) // LINE
    apart = span >= depth * size
    count = tile // span * lines if apart else tile // LINE
    row, line, rest = 0, 0, 0
    for k in range(depth):
        if apart:
            ahead[k] = tile + row * span + left[min(line * LINE // size, depth - 1)]
        else:
            ahead[k] = tile + line * LINE + left[begin]
        rest += count
        while rest >= depth:
            rest -= depth
            line += 1
            if apart and line == lines:
                row, line = row + 1, 0


@kernel
def fill_rectangle(ahead, lines, across, tiles, apart):
    # ahead (depth,): what each step fetches of `across` rows of so many lines, `apart` bytes from each other, divided
    # among `tiles` tiles: those of the first. Gives the bytes to the next tile's.
    lines = max(1, min(lines, ahead.size))
    rows = max(1, min((across + tiles - 1) // tiles, ahead.size // lines))
    each = max(1, ahead.size // (rows * lines))  # steps to a line
    k = 0
    for row in range(rows):
        for line in range(lines):
            for _ in range(each):
                ahead[k] = row * apart + line * LINE
                k += 1
    for again in range(k, ahead.size):
        ahead[again] = ahead[k - 1]
    return rows * apart


@kernel
def fill_onward(ahead, transposed, contiguous, m, width, apart, tiles, size):
    # ahead (depth,): what each step of the first of so many tiles fetches of B, of which m columns are multiplied in
    # panels of `width`: the next panel or, if all panels follow each other in memory, a share of the next piece. Gives
    # the bytes to what the next tile fetches, and to the next panel's share.
    depth = ahead.size
    if transposed != 0:
        return fill_rectangle(ahead, depth * size // LINE, width, tiles, apart), 0
    if not contiguous:
        return fill_rectangle(ahead, width * size // LINE, depth, tiles, apart), 0
    panels = (m + width - 1) // width
    share = (depth * m * size + panels * LINE - 1) // (panels * LINE)
    lines = (share + tiles - 1) // tiles
    return fill_rectangle(ahead, lines, 1, 1, lines * LINE), share * LINE


@inlined
def onward_from(b, j0, columns, k0, depth, m, k, apart, transposed, contiguous, share, size):
    # From where a panel's tiles fetch ahead, see fill_onward; 0 if nothing comes behind it.
    along, across = (size, apart) if transposed != 0 else (apart, size)
    if not contiguous and j0 + columns < m:
        return b + (j0 + columns) * across + k0 * along
    return b + (k0 + depth) * along + share if k0 + depth < k else 0


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
    broad, wide = BROAD.vectors * lanes, WIDE.vectors * lanes
    n, k = n0 * n1 * n2 * n3, runs0 * runs1 * runs2 * length
    panel, nothing = scratch(pointer), zeros(pointer)
    sources, targets = carray(row_words(pointer), (LONGEST,)), carray(row_words(pointer), (LONGEST,))
    left, right = carray(step_words(pointer), (DEPTH,)), carray(step_words(pointer), (DEPTH,))
    ahead = carray(step_words(pointer), (DEPTH,))
    straight = (
        (runs2 == 1 or rb2 == length * ldb)
        and (runs1 == 1 or rb1 == runs2 * length * ldb)
        and (runs0 == 1 or rb0 == runs1 * runs2 * length * ldb)
    )
    copies = transposed == 0 and (not straight or m % wide != 0)
    far = 1 if n * m * size > FAR else 0
    # Whether rows of A come from memory, share little with each other and leave little out between them.
    fresh = step == 1 and n * a3 * size > FAR and a3 <= k <= 4 * a3
    # Whether B comes from far away, and there are few rows to hide that.
    onwards = step == 1 and not fresh and straight and WORTH <= n <= FEW and k * m * size >= STREAM
    deepest = SHORTER if m >= broad else DEPTH
    blocks = max(1, (k + deepest - 1) // deepest)
    piece = max(1, ((k + blocks - 1) // blocks + lanes - 1) // lanes * lanes)
    contiguous = transposed == 0 and ldb == m and piece * m * size <= NEAR
    parts = max(1, (n * size + PART - 1) // PART)
    if blocks > 3 and n * m * size > LARGE:  # a part of C stays in L2 from one piece to the next
        parts = max(parts, min(n * m * size // KEPT, n // LEAST))
    part = max(1, ((n + parts - 1) // parts + UNIT - 1) // UNIT * UNIT)
    filled, pace, share, highest = 0, 0, 0, BROAD.rows[0] if m >= broad else WIDE.rows[0]
    widest = broad if m >= broad else wide
    row_a, row_c, row_left, row_right = address_of(sources), address_of(targets), address_of(left), address_of(right)
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
            last = fill_steps(left[:depth], k0, length, runs1, runs2, ra0 * size, ra1 * size, ra2 * size, step * size)
            if copies:
                fill_steps(right[:depth], k0, length, runs1, runs2, rb0 * size, rb1 * size, rb2 * size, ldb * size)
            fetch = 0
            if step != 1:
                fill_columns(ahead[:depth], left)
                fetch = address_of(ahead)
            elif fresh and (a3 >= depth or k0 + depth >= k):
                fill_lines(ahead[:depth], left, last, highest * a3 * size, a3 * size, size)
                fetch = address_of(ahead)
            elif onwards:
                fetch = address_of(ahead)
                if depth != filled:
                    filled = depth
                    pace, share = fill_onward(
                        ahead[:depth], transposed, contiguous, m, widest, ldb * size, rows // highest, size
                    )
            j0 = 0
            while j0 < m:
                column = j0 * size
                from_row = nothing
                if origin == ITSELF:
                    from_row = 0
                elif origin != 0:
                    from_row = origin + column
                width = broad if TWO and m - j0 >= broad else wide
                columns = min(width, m - j0)
                place, apart, copy = b + column + k0 * ldb * size, ldb * size, 0
                if transposed != 0:
                    for j in range(0, width, wide):
                        transpose_panel(
                            pointer, panel + j * size, width, b + size * ((j0 + j) * ldb + k0), ldb, depth, columns - j
                        )
                    place, apart = panel, width * size
                elif not straight or columns < width and (rows >= WORTH or not MASKED_LOADS):
                    for j in range(0, width, wide):
                        at = panel + j * size
                        copy_panel(pointer, at, width, b + column + j * size, row_right, depth, columns - j)
                    place, apart = panel, width * size
                elif rows >= WORTH and ldb != width:
                    copy = panel
                first = fetch if j0 == 0 or step != 1 or onwards else 0  # later panels find rows in L2
                onward, reach = 0, width * size
                if onwards:
                    onward = onward_from(
                        b, j0, columns, k0, depth, m, k, ldb * size, transposed, contiguous, j0 // widest * share, size
                    )
                    reach = reach if contiguous else 0
                    first = fetch if onward != 0 else 0
                if columns < width:
                    for j in range(0, columns, lanes):
                        if from_row != 0 and from_row != nothing:
                            from_row = origin + column + j * size
                        narrow_panel(
                            pointer, row_a, row_c, rows, row_left, 0, depth, place + j * size, apart, from_row,
                            column + j * size, columns - j, 0, 0, 0, 0, 0,
                        )  # fmt: skip
                elif TWO and width == broad:
                    broad_panel(
                        pointer, row_a, row_c, rows, row_left, first, depth, place, apart, from_row,
                        column, columns, far, copy, onward, pace, reach,
                    )  # fmt: skip
                else:
                    wide_panel(
                        pointer, row_a, row_c, rows, row_left, first, depth, place, apart, from_row,
                        column, columns, far, copy, onward, pace, reach,
                    )  # fmt: skip
                j0 += columns
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

"""The gradients of a dense layer as sums over shards along a tree, without memory for each shard's part.

Each shard's part is the chain over its rows that `dense_write_kernel` or `dense_write_bias` makes; parts are added by a
program, as `kernels.tree.sum_tree` adds arrays. The kernel's gradient is made a strip of rows and a panel of columns at
a time: products and sums that wait for others lie on a stack in the cache, and memory sees the result only.
"""

import numpy as np
from numba import carray
from numba.core import cgutils

from dseq.kernels.base import JIT, kernel, primitive
from dseq.kernels.gemm import AHEAD, PART, TWO, UNIT, multiply, operand_of
from dseq.kernels.microkernel import LINE, Panel, broad_panel, wide_panel
from dseq.kernels.packing import copy_panel, scratch, words, zeros
from dseq.kernels.tree import ADD_ABOVE, ADD_ONE, ADD_TWO, TAKE
from dseq.kernels.vector import BROAD, BYTES, DEPTH, SHORTER, WIDE, Emitter, address_of, emits, word

STRIP = 96  # rows of the result at a time in a panel as wide as the wide tile
PLACE = STRIP * WIDE.vectors * BYTES  # bytes: what is added lies in L1, of 8 shards the rest of the stack in L2

row_words, step_words = words(STRIP), words(DEPTH + AHEAD)


def places(depth, dtype, allocate):
    """The stack for a program.

    Args:
        depth: Places that the program takes.
        dtype: The float type.
        allocate: `(nbytes) -> bytes`.
    """
    count = depth + 1  # a product that is about to be added takes one more
    return allocate(count * PLACE).view(dtype).reshape(count, -1)


@kernel
def dense_tree_kernel(dw, x, dy, part, cuts, program, stack):
    # dw (k, m) = the sum over shards, in the program's order, of x.T @ dy over the shard's rows; x (n, k), dy (n, m)
    # part (2,): which of so many parts of dw's rows is written; cuts (shards + 1,): the samples where shards begin, and
    # the end; program (lines, 4): see kernels.tree; stack: see `places`
    k = dw.shape[0]
    each = x.shape[0] // max(1, cuts[cuts.size - 1])  # rows of a sample
    first, last = k * part[0] // part[1], k * (part[0] + 1) // part[1]
    if JIT:
        if program.shape[0] == 1 and program[0, 0] == TAKE and last - first == k:
            multiply_shard(dw, x, dy, cuts[program[0, 2]] * each, cuts[program[0, 2] + 1] * each)
        else:
            add_products(dw, x, dy, first, last, cuts, each, program, stack)
    else:
        dw[first:last] = plain_sum(x, dy, cuts * each, program)[first:last]  # NumPy's bits depend on the columns taken


@kernel
def multiply_shard(dw, x, dy, begin, end):
    # The product of a single shard.
    k, m = dw.shape
    size = dw.itemsize
    a, b = operand_of(dw, x) + begin * k * size, operand_of(dw, dy) + begin * m * size
    multiply(dw, a, 1, k, b, m, 0, 0, k, m, end - begin, 0)


@kernel
def add_products(dw, x, dy, first, last, cuts, each, program, stack):
    # Rows first .. last of dw. As in `gemm.contract` rows are taken in parts whose columns of x stay in L2.
    m, size = dw.shape[1], dw.itemsize
    broad, wide = BROAD.vectors * BYTES // size, WIDE.vectors * BYTES // size
    part = max(STRIP, PART // size // STRIP * STRIP)
    panel = scratch(dw)
    for i0 in range(first, last, part):
        j0 = 0
        while j0 < m:
            width = broad if TWO and m - j0 >= broad else wide
            strip = STRIP * wide // width
            for i1 in range(i0, min(i0 + part, last), strip):
                count = min(strip, min(i0 + part, last) - i1)
                add_strip(dw, x, dy, i1, count, j0, width, cuts, each, program, stack, panel)
            j0 += width


@kernel
def add_strip(dw, x, dy, i0, count, j0, width, cuts, each, program, stack, panel):
    # Rows i0 .. i0 + count of a panel of dw.
    m, size = dw.shape[1], dw.itemsize
    columns = min(width, m - j0)
    sources, targets = row_words(dw), row_words(dw)
    source, target = carray(sources, (STRIP,)), carray(targets, (STRIP,))
    row_a, row_c = address_of(sources), address_of(targets)
    from_x, b, base = operand_of(dw, x), operand_of(dw, dy) + j0 * size, address_of(stack)
    for i in range(count):
        source[i] = from_x + (i0 + i) * size
        target[i] = base + i * width * size
    few, fetched = (count + cuts.size - 2) // (cuts.size - 1), 0
    for line in range(program.shape[0]):
        what, place = program[line, 0], program[line, 1]
        products = 2 if what == ADD_TWO else 1
        if what == ADD_ABOVE:
            products = 0
        for p in range(products):
            at = place + 1 if what == ADD_ONE else place + p
            shard = program[line, 2 + p]
            # What will be written is asked for bit by bit: products go on while it comes.
            fetch_strip(dw, i0 + fetched, i0 + min(count, fetched + few), j0, columns)
            fetched += few
            put_product(
                stack, at, row_a, row_c, count, b, width, columns, x.shape[1], m,
                cuts[shard] * each, cuts[shard + 1] * each, panel,
            )  # fmt: skip
        if what != TAKE:
            if line == program.shape[0] - 1 and columns == width:
                for i in range(count):
                    s = base + i * width * size
                    add_vectors(dw, address_of(dw) + ((i0 + i) * m + j0) * size, s, s + PLACE, width * size // BYTES)
                return
            s = base + place * PLACE
            add_vectors(dw, s, s, s + PLACE, count * width * size // BYTES)
    for i in range(count):
        s = stack[0][i * width : i * width + columns]
        t = dw[i0 + i][j0 : j0 + columns]
        for j in range(columns):
            t[j] = s[j]


@kernel
def put_product(stack, place, row_a, row_c, count, b, width, columns, k, m, begin, end, panel):
    # A strip and panel of x.T @ dy over rows begin .. end, to a place of the stack. row_a: the table of addresses of
    # the strip's columns of x; row_c: that of its rows in place 0; b: address of the panel's first column of dy
    size = stack.itemsize
    steps = step_words(stack)
    step, table = carray(steps, (DEPTH + AHEAD,)), address_of(steps)
    further = table + AHEAD * 8  # what is fetched ahead
    if begin == end:
        s = stack[place][: count * width]
        for i in range(s.size):
            s[i] = 0
    wide = WIDE.vectors * BYTES // size
    deepest = DEPTH if width == wide else SHORTER
    from_row = zeros(stack)
    for k0 in range(begin, end, deepest):
        depth = min(deepest, end - k0)
        right, ahead, copy = b + k0 * m * size, m * size, 0
        if columns < width:
            for i in range(depth):
                step[i] = i * m * size
            copy_panel(stack, panel, width, right, table, depth, columns)
            right, ahead = panel, width * size
        elif count >= UNIT:
            copy = panel
        for i in range(depth + AHEAD):  # the next shard's rows are fetched ahead too
            step[i] = (k0 + i) * k * size
        if TWO and width != wide:
            broad_panel(
                stack, row_a, row_c, count, table, further, depth, right, ahead, from_row,
                place * PLACE, width, 0, copy, 0, 0, width * size,
            )  # fmt: skip
        else:
            wide_panel(
                stack, row_a, row_c, count, table, further, depth, right, ahead, from_row,
                place * PLACE, width, 0, copy, 0, 0, width * size,
            )  # fmt: skip
        from_row = 0  # itself


class Sums(Emitter):
    """Writes sums of vectors as wide as the registers; left to itself LLVM takes half of them."""

    def add_vectors(self):
        """A function (to, a, b, count); see the primitive."""
        function, builder = self.function("add_vectors", 4)
        if builder is None:
            return function
        to, a, b, count = function.args
        with cgutils.for_range(builder, count) as vector:
            at = builder.mul(vector.index, word(BYTES))
            one, other = (self.load(builder, builder.add(place, at)) for place in (a, b))
            self.store(builder, builder.fadd(one, other), builder.add(to, at))
        builder.ret_void()
        return function


@primitive(twin=None)
def add_vectors(typingctx, like, to, a, b, count):
    """Vector by vector, what is at an address becomes the sum of what is at two."""
    return emits(Sums, lambda e, builder, _, *rest: builder.call(e.add_vectors(), rest), 4)(like)


@primitive(twin=None)
def fetch_to_write(typingctx, like, address):
    """Asks for the cache line at an address, to be written."""
    return emits(Panel, lambda e, builder, _, address: e.prefetch(builder, address, write=1, level=3), 1)(like)


@kernel
def fetch_strip(dw, first, last, j0, columns):
    size, m = dw.itemsize, dw.shape[1]
    for i in range(first, last):
        begin = address_of(dw) + (i * m + j0) * size
        for ahead in range(0, columns * size, LINE):
            fetch_to_write(dw, begin + ahead)


@kernel
def dense_tree_bias(db, dy, part, cuts, program, stack):
    # db (m,) = the sum over shards, in the program's order, of the sum of dy (n, m) over the shard's rows, one by one
    # the others: as for dense_tree_kernel; a part has some of the columns
    each = dy.shape[0] // max(1, cuts[cuts.size - 1])
    first, last = db.size * part[0] // part[1], db.size * (part[0] + 1) // part[1]
    for j0 in range(first, last, stack.shape[1]):
        size = min(stack.shape[1], last - j0)
        for line in range(program.shape[0]):
            what, place = program[line, 0], program[line, 1]
            sums = 2 if what == ADD_TWO else 1
            if what == ADD_ABOVE:
                sums = 0
            for p in range(sums):
                s = stack[place + 1 if what == ADD_ONE else place + p][:size]
                shard = program[line, 2 + p]
                for j in range(size):
                    s[j] = 0
                for i in range(cuts[shard] * each, cuts[shard + 1] * each):
                    row = dy[i][j0 : j0 + size]
                    for j in range(size):
                        s[j] += row[j]
            if what != TAKE:
                s, above = stack[place][:size], stack[place + 1][:size]
                for j in range(size):
                    s[j] += above[j]
        s, t = stack[0][:size], db[j0 : j0 + size]
        for j in range(size):
            t[j] = s[j]


def plain_sum(x, dy, cuts, program):
    """The same in NumPy, of whole arrays."""
    stack = {}
    for what, place, one, two in program:
        shards = {TAKE: (one,), ADD_TWO: (one, two), ADD_ONE: (one,), ADD_ABOVE: ()}[what]
        terms = [np.matmul(x[cuts[s] : cuts[s + 1]].T, dy[cuts[s] : cuts[s + 1]]) for s in shards]
        if what in (ADD_ONE, ADD_ABOVE):
            terms = [stack[place], *(terms or [stack[place + 1]])]
        stack[place] = terms[0] if len(terms) == 1 else terms[0] + terms[1]
    return stack[0]

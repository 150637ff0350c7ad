"""The register tile: C[i, j] = start[i, j] + sum over runs, then k, of A_i[run, k] * B[run, k, j], written in LLVM.

Rows of A and of C are addresses from tables: the rows of a tile lie anywhere. Along the inner axis A consists of runs,
which begin at the same distances from the address of every row:

    dense forward        rows are samples, one run                          B = w
    dense, kernel grad   rows are columns of x, one run down the samples    B = dy
    convolution          rows are pixels, a run is the window in one row of the kernel    B = its taps
    conv., kernel grad   rows are taps, a run is one row of output pixels   B = dy

Every element of C is one chain of fused multiply-adds in one fixed order, whatever tile it falls into: neither the
number of rows nor the blocking changes a bit. All distances are in bytes and run-time values.

The accumulators are phi nodes on purpose: with alloca, load and store the same tile runs at a third of the speed. The
addresses of A's rows stay in general registers and one offset is added to all of them: with pointers that move, or
rows reckoned from a stride, additions take every sixth turn of the units that multiply vectors.
"""

from typing import NamedTuple

from llvmlite import ir

from dseq.kernels.base import primitive
from dseq.kernels.vector import BYTES, INT32, MASKED_LOADS, POINTER, TILE, WORD, Emitter, emits, word

WORDS = 8  # bytes of a table's entry
AHEAD = 12  # steps along the inner axis that columns of A are fetched ahead
RUN = 24  # bytes of a run's entry: distance from the row's address in A, bytes along A, distance from `b`


class Product(NamedTuple):
    """The words that say which product a panel is: its arguments, in order."""

    rows: ir.Value  # the table of addresses in A
    targets: ir.Value  # the table of addresses in C
    count: ir.Value
    runs: ir.Value  # the table of runs
    pieces: ir.Value  # runs; at least one, none of them empty
    step: ir.Value  # bytes from one k to the next in A
    b: ir.Value
    ldb: ir.Value  # bytes from one k to the next in B
    packed: ir.Value  # whether the runs of B follow each other, whatever their table says
    start: ir.Value  # one row for all, or 0: C itself
    column: ir.Value  # bytes from the addresses in the table to this panel of C
    columns: ir.Value  # narrow panels only
    far: ir.Value  # wide panels only: whether C is too large for L2, so that it is fetched ahead
    soon: ir.Value  # wide panels only: 0, or where the rows of A after the next tile are: L2 gets them, piece by piece
    soon_row: ir.Value
    soon_step: ir.Value
    copy: ir.Value  # wide panels only: 0, or where the first tile copies B for the others


TABLES = ("rows", "targets")


class Panel(Emitter):
    """Writes the tiles, and the loop over rows around them."""

    def entry(self, builder, table, *offsets):
        """A word of a table."""
        place = table
        for offset in offsets:
            place = builder.add(place, offset)
        return builder.load(builder.inttoptr(place, POINTER), align=8, typ=WORD)

    def tile(self, builder, product, rows, vectors, mask, copies=False, fetches=None):
        """One register tile of C; the builder is left after its stores."""
        function, places = builder.function, [word(v * BYTES) for v in range(vectors)]
        tile = [(i, j) for i in range(rows) for j in range(vectors)]
        run_loop, depth_loop, run_end = (function.append_basic_block(name) for name in ("run", "depth", "run_end"))
        heads = [self.entry(builder, product.rows, word(i * WORDS)) for i in range(rows)]
        targets = [self.entry(builder, product.targets, word(i * WORDS)) for i in range(rows)]
        targets = [builder.add(target, product.column) for target in targets]
        itself = builder.icmp_signed("==", product.start, word(0))
        origins = [builder.select(itself, target, product.start) for target in targets]
        first = [self.load(builder, builder.add(origins[i], places[j]), mask) for i, j in tile]
        entry = builder.block

        def phis(values, source):
            result = []
            for value in values:
                phi = builder.phi(value.type)
                phi.add_incoming(value, source)
                result.append(phi)
            return result

        builder.branch(run_loop)
        builder.position_at_end(run_loop)
        run, followed, copied, soon, *outer = phis([word(0), product.b, product.copy, product.soon, *first], entry)
        where = builder.add(product.runs, builder.mul(run, word(RUN)))
        begin, length, beside = (self.entry(builder, where, word(n)) for n in (0, 8, 16))
        end = builder.add(begin, length)
        packed = builder.icmp_signed("!=", product.packed, word(0))
        b_begin = builder.select(packed, followed, builder.add(product.b, beside))
        builder.branch(depth_loop)

        builder.position_at_end(depth_loop)
        offset, b_row, place, asked, *sums = phis([begin, b_begin, copied, soon, *outer], run_loop)
        b_mask = mask if MASKED_LOADS else None
        right = [self.load(builder, builder.add(b_row, j), b_mask) for j in places]
        if copies:
            for j, value in zip(places, right, strict=True):
                self.store(builder, value, builder.add(place, j))
                # The next panel's part of this row is on the same page, but too far for the hardware to foresee.
                self.prefetch(builder, builder.add(builder.add(b_row, j), word(vectors * BYTES)), write=0, level=2)
        if fetches == "rows":
            self.prefetch(builder, asked, write=0, level=2)
        elif fetches == "columns":
            ahead = builder.add(offset, builder.mul(product.step, word(AHEAD)))
            for i in (0, rows - 1):
                self.prefetch(builder, builder.add(heads[i], ahead), write=0, level=3)
        new = []
        for i in range(rows):
            address = builder.add(heads[i], offset)
            left = builder.load(builder.inttoptr(address, POINTER), align=self.size, typ=self.scalar)
            left = self.broadcast(builder, left)
            new += [self.multiply_add(builder, left, right[j], sums[i * vectors + j]) for j in range(vectors)]
        following = [builder.add(offset, product.step), builder.add(b_row, product.ldb)]
        following += [builder.add(place, word(vectors * BYTES)), builder.add(asked, product.soon_step), *new]
        for phi, value in zip([offset, b_row, place, asked, *sums], following, strict=True):
            phi.add_incoming(value, depth_loop)
        builder.cbranch(builder.icmp_signed("!=", following[0], end), depth_loop, run_end)

        builder.position_at_end(run_end)
        next_run = builder.add(run, word(1))
        for phi, value in zip([run, followed, copied, soon, *outer], [next_run, *following[1:4], *new], strict=True):
            phi.add_incoming(value, run_end)
        after = function.append_basic_block("after")
        builder.cbranch(builder.icmp_signed("<", next_run, product.pieces), run_loop, after)
        builder.position_at_end(after)
        for value, (i, j) in zip(new, tile, strict=True):
            self.store(builder, value, builder.add(targets[i], places[j]), mask)

    def panel(self, name, vectors, masked):
        """A function for any number of rows: the highest tile as long as it fits, then the next."""
        function, builder = self.function(name, len(Product._fields))
        if builder is None:
            return function
        product = Product(*function.args)
        mask = self.first_lanes(builder, product.columns) if masked else None
        highest = TILE.rows[0]

        def tile(height, i, product, copies=False, fetches=None):
            moved = {name: builder.add(getattr(product, name), builder.mul(i, word(WORDS))) for name in TABLES}
            product = product._replace(**moved, soon=builder.add(product.soon, builder.mul(i, product.soon_row)))
            if not masked and height == highest:
                with builder.if_then(builder.icmp_signed("!=", product.far, word(0))):
                    # The loads of the next tile of C would stall its first multiply-adds.
                    for row in range(height, 2 * height):
                        target = self.entry(builder, product.targets, word(row * WORDS))
                        target = builder.add(target, product.column)
                        for v in range(vectors):
                            self.prefetch(builder, builder.add(target, word(v * BYTES)), write=1, level=3)
            self.tile(builder, product, height, vectors, mask, copies, fetches)

        done = word(0)
        if not masked:
            before, copying, after = builder.block, *(function.append_basic_block(n) for n in ("copying", "copied"))
            builder.cbranch(builder.icmp_signed("!=", product.copy, word(0)), copying, after)
            builder.position_at_end(copying)
            tile(highest, word(0), product, copies=True)
            copying = builder.block
            builder.branch(after)
            builder.position_at_end(after)

            def choose(otherwise, copied):
                phi = builder.phi(WORD)
                phi.add_incoming(otherwise, before)
                phi.add_incoming(copied, copying)
                return phi

            done = choose(word(0), word(highest))
            b = choose(product.b, product.copy)
            ldb = choose(product.ldb, word(vectors * BYTES))
            product = product._replace(b=b, ldb=ldb, packed=choose(product.packed, word(1)))
        for height in TILE.rows:
            before = builder.block
            test, body, after = (function.append_basic_block(f"{name}_{height}") for name in ("test", "body", "after"))
            builder.branch(test)
            builder.position_at_end(test)
            i = builder.phi(WORD)
            i.add_incoming(done, before)
            further = builder.add(i, word(height))
            builder.cbranch(builder.icmp_signed("<=", further, product.count), body, after)
            builder.position_at_end(body)
            if masked or height < highest:
                tile(height, i, product)
            else:
                # Down a column of A each k is on another line, often one that L1 cannot keep beside the others.
                down = builder.icmp_signed("!=", product.step, word(self.size))
                soon = builder.icmp_signed("!=", product.soon, word(0))
                with builder.if_else(builder.or_(down, soon)) as (fetching, plain):
                    with fetching, builder.if_else(down) as (columns, along):
                        with columns:
                            tile(height, i, product, fetches="columns")
                        with along:
                            tile(height, i, product, fetches="rows")
                    with plain:
                        tile(height, i, product)
            i.add_incoming(further, builder.block)
            builder.branch(test)
            builder.position_at_end(after)
            done = i
        builder.ret_void()
        return function

    def prefetch(self, builder, address, write, level):
        """Asks for a cache line; level 3 is L1, 2 is L2."""
        fetch = self.declare("llvm.prefetch.p0", ir.VoidType(), [POINTER, INT32, INT32, INT32])
        builder.call(fetch, [builder.inttoptr(address, POINTER), *(ir.Constant(INT32, n) for n in (write, level, 1))])


def _wide(emitter, builder, _, *product):
    builder.call(emitter.panel("wide_panel", TILE.vectors, False), product)


def _narrow(emitter, builder, _, *product):
    builder.call(emitter.panel("narrow_panel", 1, True), product)


@primitive(twin=None)
def wide_panel(
    typingctx,
    like,
    rows,
    targets,
    count,
    runs,
    pieces,
    step,
    b,
    ldb,
    packed,
    start,
    column,
    columns,
    far,
    soon,
    soon_row,
    soon_step,
    copy,
):
    """C of any number of rows, as wide as a register tile; `like` is an array or a pointer of the element type."""
    return emits(Panel, _wide, len(Product._fields))(like)


@primitive(twin=None)
def narrow_panel(
    typingctx,
    like,
    rows,
    targets,
    count,
    runs,
    pieces,
    step,
    b,
    ldb,
    packed,
    start,
    column,
    columns,
    far,
    soon,
    soon_row,
    soon_step,
    copy,
):
    """C of any number of rows and at most one vector of columns."""
    return emits(Panel, _narrow, len(Product._fields))(like)

"""The register tile: C[i, j] = start[i, j] + sum over k of A[i, k] * B[k, j], written in LLVM.

Rows of A and of C are addresses from tables: the rows of a tile lie anywhere. So do the places along the inner axis:
one more table says how far each k is from the address of every row in A.

    dense forward        rows are samples, k are features                       B = w
    dense, kernel grad   rows are columns of x, k are samples                   B = dy
    convolution          rows are pixels, k are places in a window, channels    B = its taps
    conv., kernel grad   rows are taps, k are output pixels                     B = dy

Every element of C is one chain of fused multiply-adds in one fixed order, whatever tile it falls into: neither the
number of rows nor the blocking changes a bit. All distances are in bytes and run-time values.

The accumulators are phi nodes on purpose: with alloca, load and store the same tile runs at a third of the speed. The
addresses of A's rows stay in general registers and one offset is added to all of them: with pointers that move, or
rows reckoned from a stride, additions take every sixth turn of the units that multiply vectors. One loop over a table
of places, instead of one over the runs of a window and one inside each, saves some sixty cycles a run: a mispredicted
branch and all the addresses behind it.
"""

from typing import NamedTuple

from llvmlite import ir

from dseq.kernels.base import primitive
from dseq.kernels.vector import (
    BROAD,
    BYTES,
    INT32,
    ISA,
    MASKED_LOADS,
    ON_ARM,
    POINTER,
    WIDE,
    WORD,
    Emitter,
    emits,
    word,
)

WORDS = 8  # bytes of a table's entry
LINE = 64  # bytes of a line of the caches
PINS = {"avx512": "v", "avx2": "x", "plain": "x"} if not ON_ARM else {}  # names of vector registers


class Product(NamedTuple):
    """The words that say which product a panel is: its arguments, in order."""

    rows: ir.Value  # the table of addresses in A
    targets: ir.Value  # the table of addresses in C
    count: ir.Value
    left: ir.Value  # the table of distances along A
    fetch: ir.Value  # full panels only: 0, or a table of what each step fetches ahead, as distances along A
    depth: ir.Value  # at least 1
    b: ir.Value
    ldb: ir.Value  # bytes from one k to the next in B
    start: ir.Value  # one row for all, or 0: C itself
    column: ir.Value  # bytes from the addresses in the table to this panel of C
    columns: ir.Value  # narrow panels only
    far: ir.Value  # full panels only: whether C is too large for L2, so that it is fetched ahead
    copy: ir.Value  # full panels only: 0, or where the first tile copies B for the others
    onward: ir.Value  # full panels only: 0, or the address from which `fetch` tells distances instead
    pace: ir.Value  # bytes by which it moves with each of the highest tiles
    reach: ir.Value  # full panels only: how far on in B each row is fetched while it is copied


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
        heads = [self.entry(builder, product.rows, word(i * WORDS)) for i in range(rows)]
        targets = [self.entry(builder, product.targets, word(i * WORDS)) for i in range(rows)]
        targets = [builder.add(target, product.column) for target in targets]
        itself = builder.icmp_signed("==", product.start, word(0))
        origins = [builder.select(itself, target, product.start) for target in targets]
        first = [self.load(builder, builder.add(origins[i], places[j]), mask) for i, j in tile]
        entry, loop, after = builder.block, *(function.append_basic_block(name) for name in ("depth", "after"))
        end = builder.add(product.left, builder.mul(product.depth, word(WORDS)))
        builder.branch(loop)

        builder.position_at_end(loop)
        began = [product.left, product.fetch, product.b, product.copy, *first]
        phis = [builder.phi(value.type) for value in began]
        for phi, value in zip(phis, began, strict=True):
            phi.add_incoming(value, entry)
        step, fetch, b_row, place, *sums = phis
        offset = self.entry(builder, step)
        b_mask = mask if MASKED_LOADS else None
        right = [self.load(builder, builder.add(b_row, j), b_mask) for j in places]
        if copies:
            for j, value in zip(places, right, strict=True):
                self.store(builder, value, builder.add(place, j))
                # The next panel's part of this row is on the same page, but too far for the hardware to foresee.
                self.prefetch(builder, builder.add(builder.add(b_row, j), product.reach), write=0, level=2)
        if fetches == "onward":
            self.prefetch(builder, builder.add(product.onward, self.entry(builder, fetch)), write=0, level=2)
        if fetches == "left":
            ahead = self.entry(builder, fetch)
            for i in {0, rows - 1} if rows % 4 else {0}:  # a few columns of A may lie on two lines
                self.prefetch(builder, builder.add(heads[i], ahead), write=0, level=3)
            # Down a column, the line beside this one is wanted some tiles later, and the hardware cannot know.
            beside = builder.add(builder.add(heads[rows - 1], offset), word(LINE))
            self.prefetch(builder, beside, write=0, level=2)
        new = []
        for i in range(rows):
            address = builder.add(heads[i], offset)
            left = builder.load(builder.inttoptr(address, POINTER), align=self.size, typ=self.scalar)
            left = self.broadcast(builder, left)
            row = [self.multiply_add(builder, left, right[j], sums[i * vectors + j]) for j in range(vectors)]
            new += self.pin(builder, row)
        following = [builder.add(pointer, word(WORDS)) for pointer in (step, fetch)]
        following += [builder.add(b_row, product.ldb), builder.add(place, word(vectors * BYTES)), *new]
        for phi, value in zip(phis, following, strict=True):
            phi.add_incoming(value, loop)
        builder.cbranch(builder.icmp_signed("!=", following[0], end), loop, after)

        builder.position_at_end(after)
        for value, (i, j) in zip(new, tile, strict=True):
            self.store(builder, value, builder.add(targets[i], places[j]), mask)

    def panel(self, tiles, masked=False):
        """A function for any number of rows: the highest tile as long as it fits, then the next.

        Args:
            tiles: A `Tile`.
            masked: Whether there may be fewer columns.
        """
        vectors, name = tiles.vectors, f"{'narrow' if masked else 'full'}_panel_{tiles.vectors}"
        function, builder = self.function(name, len(Product._fields))
        if builder is None:
            return function
        product = Product(*function.args)
        mask = self.first_lanes(builder, product.columns) if masked else None
        highest = tiles.rows[0]

        def tile(height, i, product, copies=False, fetches=None):
            moved = {name: builder.add(getattr(product, name), builder.mul(i, word(WORDS))) for name in TABLES}
            if fetches == "onward":
                moved["onward"] = builder.add(product.onward, builder.mul(builder.udiv(i, word(height)), product.pace))
            product = product._replace(**moved)
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
            with builder.if_else(builder.icmp_signed("!=", product.onward, word(0))) as (onward, plain):
                with onward:
                    tile(highest, word(0), product, copies=True, fetches="onward")
                with plain:
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
            b, ldb = choose(product.b, product.copy), choose(product.ldb, word(vectors * BYTES))
            product = product._replace(b=b, ldb=ldb)
        for height in tiles.rows:
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
                with builder.if_else(builder.icmp_signed("!=", product.fetch, word(0))) as (fetching, plain):
                    with (
                        fetching,
                        builder.if_else(builder.icmp_signed("!=", product.onward, word(0))) as (onward, left),
                    ):
                        with onward:
                            tile(height, i, product, fetches="onward")
                        with left:
                            tile(height, i, product, fetches="left")
                    with plain:
                        tile(height, i, product)
            i.add_incoming(further, builder.block)
            builder.branch(test)
            builder.position_at_end(after)
            done = i
        builder.ret_void()
        return function

    def pin(self, builder, values):
        """The values, behind an empty instruction that keeps their place: nothing moves past it.

        Left alone, LLVM may read a whole column of A before it multiplies; then registers don't suffice for the sums.
        """
        constraint = PINS.get(ISA)
        if constraint is None:
            return values
        operands = [f"={constraint}"] * len(values) + [str(i) for i in range(len(values))]
        kind = self.vector if len(values) == 1 else ir.LiteralStructType([self.vector] * len(values))
        kind = ir.FunctionType(kind, [self.vector] * len(values))
        pinned = builder.call(ir.InlineAsm(kind, "", ",".join([*operands, "~{memory}"]), side_effect=True), values)
        return [pinned] if len(values) == 1 else [builder.extract_value(pinned, i) for i in range(len(values))]

    def prefetch(self, builder, address, write, level):
        """Asks for a cache line; level 3 is L1, 2 is L2."""
        fetch = self.declare("llvm.prefetch.p0", ir.VoidType(), [POINTER, INT32, INT32, INT32])
        builder.call(fetch, [builder.inttoptr(address, POINTER), *(ir.Constant(INT32, n) for n in (write, level, 1))])


def _panel(tiles, masked=False):
    return lambda emitter, builder, _, *product: builder.call(emitter.panel(tiles, masked), product)


@primitive(twin=None)
def broad_panel(
    typingctx, like, rows, targets, count, left, fetch, depth, b, ldb, start, column, columns, far, copy,
    onward, pace, reach,
):  # fmt: skip
    """C of any number of rows, as wide as the broad tile; `like` is an array or a pointer of the element type."""
    return emits(Panel, _panel(BROAD), len(Product._fields))(like)


@primitive(twin=None)
def wide_panel(
    typingctx, like, rows, targets, count, left, fetch, depth, b, ldb, start, column, columns, far, copy,
    onward, pace, reach,
):  # fmt: skip
    """C of any number of rows, as wide as the wide tile."""
    return emits(Panel, _panel(WIDE), len(Product._fields))(like)


@primitive(twin=None)
def narrow_panel(
    typingctx, like, rows, targets, count, left, fetch, depth, b, ldb, start, column, columns, far, copy,
    onward, pace, reach,
):  # fmt: skip
    """C of any number of rows and at most one vector of columns."""
    return emits(Panel, _panel(WIDE._replace(vectors=1), True), len(Product._fields))(like)

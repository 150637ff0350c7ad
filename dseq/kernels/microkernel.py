"""The register tile: C[i, j] = start[i, j] + sum over b, then k, of A_b[i, k] * B_b[k, j], written in LLVM.

Every element of C is one chain of fused multiply-adds in one fixed order, whatever tile it falls into: neither the
number of rows nor the blocking changes a bit. Addresses are in bytes, strides in elements, all are run-time values:

    dense forward        A = x (lda = k, ka = 1), B = w, start = bias (stride 0)
    dense, kernel grad   A = x down its columns (lda = 1, ka = k), B = dy, start = C
    convolution          NHWC, for one row of the kernel: K = width * channels, NB = its height, lda = stride * channels

The accumulators are phi nodes on purpose: with alloca, load and store the same tile runs at a third of the speed.
"""

from typing import NamedTuple

from llvmlite import ir

from dseq.kernels.base import primitive
from dseq.kernels.vector import BYTES, INT32, MASKED_LOADS, POINTER, TILE, WORD, Emitter, emits, word


class Product(NamedTuple):
    """The words that say which product a panel is: its arguments, in order."""

    a: ir.Value
    sa: ir.Value
    lda: ir.Value
    ka: ir.Value
    b: ir.Value
    sb: ir.Value
    ldb: ir.Value
    c: ir.Value
    ldc: ir.Value
    start: ir.Value
    lds: ir.Value
    rows: ir.Value
    columns: ir.Value  # narrow panels only
    batches: ir.Value
    depth: ir.Value
    far: ir.Value  # wide panels only: whether C is too large for L2, so that it is fetched ahead
    copy: ir.Value  # wide panels of one batch only: 0, or where the first tile copies B for the others


class Panel(Emitter):
    """Writes the tiles, and the loop over rows around them."""

    def tile(self, builder, product, rows, vectors, mask, copies=False):
        """One register tile of C; the builder is left after its stores."""
        function, lanes = builder.function, [self.lanes * v for v in range(vectors)]
        tile = [(i, j) for i in range(rows) for j in range(vectors)]
        entry = builder.block
        batch_loop, depth_loop, batch_end, end = (
            function.append_basic_block(name) for name in ("batch", "depth", "batch_end", "end")
        )

        def corner(base, stride, i, j):
            return self.at(builder, base, builder.mul(stride, word(i)), word(lanes[j]))

        first = [self.load(builder, corner(product.start, product.lds, i, j), mask) for i, j in tile]
        some = [builder.icmp_signed(">", count, word(0)) for count in (product.batches, product.depth)]
        builder.cbranch(builder.and_(*some), batch_loop, end)

        def phis(values, source):
            result = []
            for value in values:
                phi = builder.phi(value.type)
                phi.add_incoming(value, source)
                result.append(phi)
            return result

        builder.position_at_end(batch_loop)
        batch, *outer = phis([word(0), *first], entry)
        a_batch = self.at(builder, product.a, builder.mul(batch, product.sa))
        b_batch = self.at(builder, product.b, builder.mul(batch, product.sb))
        # One pointer for four rows: base, stride and three strides make all of x86's address modes.
        heads = [self.at(builder, a_batch, builder.mul(product.lda, word(i))) for i in range(0, rows, 4)]
        a_step, b_step = (builder.mul(stride, word(self.size)) for stride in (product.ka, product.ldb))
        builder.branch(depth_loop)

        builder.position_at_end(depth_loop)
        k, b_row, place, *rest = phis([word(0), b_batch, product.copy, *heads, *outer], batch_loop)
        heads, sums = rest[: len(heads)], rest[len(heads) :]
        b_mask = mask if MASKED_LOADS else None
        right = [self.load(builder, builder.add(b_row, word(j * self.size)), b_mask) for j in lanes]
        if copies:
            for j, value in zip(lanes, right, strict=True):
                self.store(builder, value, self.at(builder, place, word(j)))
                # The next panel's part of this row is on the same page, but too far for the hardware to foresee.
                self.prefetch(builder, builder.add(b_row, word(j * self.size + vectors * BYTES)), write=0, level=2)
        new = []
        for i in range(rows):
            address = self.at(builder, heads[i // 4], builder.mul(product.lda, word(i % 4)))
            left = builder.load(builder.inttoptr(address, POINTER), align=self.size, typ=self.scalar)
            left = self.broadcast(builder, left)
            new += [self.multiply_add(builder, left, right[j], sums[i * vectors + j]) for j in range(vectors)]
        next_place = builder.add(place, word(vectors * BYTES))
        following = [builder.add(k, word(1)), builder.add(b_row, b_step), next_place]
        following += [*(builder.add(p, a_step) for p in heads), *new]
        for phi, value in zip([k, b_row, place, *heads, *sums], following, strict=True):
            phi.add_incoming(value, depth_loop)
        builder.cbranch(builder.icmp_signed("<", following[0], product.depth), depth_loop, batch_end)

        builder.position_at_end(batch_end)
        following = [builder.add(batch, word(1)), *new]
        for phi, value in zip([batch, *outer], following, strict=True):
            phi.add_incoming(value, batch_end)
        builder.cbranch(builder.icmp_signed("<", following[0], product.batches), batch_loop, end)

        builder.position_at_end(end)
        final = phis(first, entry)
        for phi, value in zip(final, new, strict=True):
            phi.add_incoming(value, batch_end)
        for value, (i, j) in zip(final, tile, strict=True):
            self.store(builder, value, corner(product.c, product.ldc, i, j), mask)

    def panel(self, name, vectors, masked):
        """A function for any number of rows: the highest tile as long as it fits, then the next."""
        function, builder = self.function(name, len(Product._fields))
        if builder is None:
            return function
        product = Product(*function.args)
        mask = self.first_lanes(builder, product.columns) if masked else None
        highest = TILE.rows[0]

        def tile(height, i, product, copies=False):
            moved = {
                name: self.at(builder, getattr(product, name), builder.mul(getattr(product, stride), i))
                for name, stride in (("a", "lda"), ("c", "ldc"), ("start", "lds"))
            }
            product = product._replace(**moved)
            if not masked and height == highest:
                with builder.if_then(builder.icmp_signed("!=", product.far, word(0))):
                    # The loads of the next tile of C would stall its first multiply-adds.
                    for row in range(height, 2 * height):
                        for v in range(vectors):
                            stride = builder.mul(product.ldc, word(row))
                            place = self.at(builder, product.c, stride, word(v * self.lanes))
                            self.prefetch(builder, place, write=1, level=3)
            self.tile(builder, product, height, vectors, mask, copies)

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
            beside = word(vectors * self.lanes)
            product = product._replace(b=choose(product.b, product.copy), ldb=choose(product.ldb, beside))
        for height in TILE.rows:
            before = builder.block
            test, body, after = (function.append_basic_block(f"{name}_{height}") for name in ("test", "body", "after"))
            builder.branch(test)
            builder.position_at_end(test)
            i = builder.phi(WORD)
            i.add_incoming(done, before)
            further = builder.add(i, word(height))
            builder.cbranch(builder.icmp_signed("<=", further, product.rows), body, after)
            builder.position_at_end(body)
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
    typingctx, like, a, sa, lda, ka, b, sb, ldb, c, ldc, start, lds, rows, columns, batches, depth, far, copy
):
    """C of any number of rows, as wide as a register tile; `like` is an array or a pointer of the element type."""
    return emits(Panel, _wide, len(Product._fields))(like)


@primitive(twin=None)
def narrow_panel(
    typingctx, like, a, sa, lda, ka, b, sb, ldb, c, ldc, start, lds, rows, columns, batches, depth, far, copy
):
    """C of any number of rows and at most one vector of columns."""
    return emits(Panel, _narrow, len(Product._fields))(like)

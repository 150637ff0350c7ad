"""Sums of products channel by channel, in LLVM: C[i] = start[i] + sum over b, then k, of A[b, k, i] * B[b, k].

A[b, k, i], B[b, k] and C[i] are vectors of channels, multiplied lane by lane; several i are kept in registers and share
B. This one form is all that depthwise convolutions consist of. Addresses are in bytes, strides in elements:

    forward          i: pixels of a row of the output; b, k: rows and columns of the kernel; A = x, B = w
    input gradient   i: pixels of a row of the input, one stride apart; A = dy, backwards; B = w
    kernel gradient  i: columns of the kernel; b, k: rows and columns of the output; A = x, B = dy

Every element of C is one chain of fused multiply-adds in this order, whatever tile it falls into.
"""

from typing import NamedTuple

from llvmlite import ir
from numba import types

from dseq.kernels.base import kernel, primitive
from dseq.kernels.epilogue import NONE, RELU6
from dseq.kernels.link import linked
from dseq.kernels.vector import BROAD, BYTES, MASKED_LOADS, WIDE, WORD, Emitter, emits, size_of, word

SUMS = BROAD.rows[0] * BROAD.vectors  # in registers at once
MANY = SUMS >= 24  # of 32 registers, not of 16
VECTORS = WIDE.vectors  # of many i
COUNTS = tuple(sorted({SUMS // VECTORS, *WIDE.rows}, reverse=True))
FEW, FEW_VECTORS = (5, 3, 1), 3 if MANY else 2  # columns of a kernel are few; most kernels have 3
REST = tuple(sorted({*COUNTS, *FEW}, reverse=True))
ONE_VECTORS = 8  # of a single i: enough chains to hide how long a multiply-add takes


class Strip(NamedTuple):
    """The words that say which sums are meant: a strip's arguments, in order."""

    a: ir.Value
    sa: ir.Value  # b's stride
    lda: ir.Value  # i's stride
    ka: ir.Value  # k's stride
    b: ir.Value
    sb: ir.Value
    ldb: ir.Value
    c: ir.Value
    ldc: ir.Value
    start: ir.Value
    lds: ir.Value
    count: ir.Value  # of i
    channels: ir.Value  # of the tail only
    batches: ir.Value
    depth: ir.Value
    activation: ir.Value  # a code of dseq.kernels.epilogue


class Strips(Emitter):
    """Writes the tiles, and the loop over i around them."""

    def phis(self, builder, values, source):
        result = []
        for value in values:
            phi = builder.phi(value.type)
            phi.add_incoming(value, source)
            result.append(phi)
        return result

    def tile(self, builder, strip, count, vectors, mask):
        """`count` vectors of C kept in registers; the builder is left after its stores."""
        function, entry = builder.function, builder.block
        lanes, tile = [self.lanes * v for v in range(vectors)], [(i, v) for i in range(count) for v in range(vectors)]
        batch_loop, depth_loop, batch_end, end = map(
            function.append_basic_block, ("batch", "depth", "batch_end", "end")
        )

        def corner(base, stride, i, v):
            return self.at(builder, base, builder.mul(stride, word(i)), word(lanes[v]))

        first = [self.load(builder, corner(strip.start, strip.lds, i, v), mask) for i, v in tile]
        some = [builder.icmp_signed(">", number, word(0)) for number in (strip.batches, strip.depth)]
        builder.cbranch(builder.and_(*some), batch_loop, end)

        builder.position_at_end(batch_loop)
        batch, *outer = self.phis(builder, [word(0), *first], entry)
        a_batch = self.at(builder, strip.a, builder.mul(batch, strip.sa))
        b_batch = self.at(builder, strip.b, builder.mul(batch, strip.sb))
        # One pointer for four i: base, stride and three strides make all of x86's address modes.
        heads = [self.at(builder, a_batch, builder.mul(strip.lda, word(i))) for i in range(0, count, 4)]
        a_step, b_step = (builder.mul(stride, word(self.size)) for stride in (strip.ka, strip.ldb))
        builder.branch(depth_loop)

        builder.position_at_end(depth_loop)
        k, right, *rest = self.phis(builder, [word(0), b_batch, *heads, *outer], batch_loop)
        heads, sums = rest[: len(heads)], rest[len(heads) :]
        shared = [self.load(builder, self.at(builder, right, word(lane)), mask) for lane in lanes]
        new = []
        for (i, v), total in zip(tile, sums, strict=True):
            place = self.at(builder, heads[i // 4], builder.mul(strip.lda, word(i % 4)), word(lanes[v]))
            new.append(self.multiply_add(builder, self.load(builder, place, mask), shared[v], total))
        following = [
            builder.add(k, word(1)),
            builder.add(right, b_step),
            *(builder.add(p, a_step) for p in heads),
            *new,
        ]
        for phi, value in zip([k, right, *heads, *sums], following, strict=True):
            phi.add_incoming(value, depth_loop)
        builder.cbranch(builder.icmp_signed("<", following[0], strip.depth), depth_loop, batch_end)

        builder.position_at_end(batch_end)
        following = [builder.add(batch, word(1)), *new]
        for phi, value in zip([batch, *outer], following, strict=True):
            phi.add_incoming(value, batch_end)
        builder.cbranch(builder.icmp_signed("<", following[0], strip.batches), batch_loop, end)

        builder.position_at_end(end)
        final = self.phis(builder, first, entry)
        for phi, value in zip(final, new, strict=True):
            phi.add_incoming(value, batch_end)
        places = [corner(strip.c, strip.ldc, i, v) for i, v in tile]
        with builder.if_else(builder.icmp_signed("!=", strip.activation, word(NONE))) as (then, otherwise):
            with then:
                for value, place in zip(self.rectified(builder, final, strip.activation), places, strict=True):
                    self.store(builder, value, place, mask)
            with otherwise:
                for value, place in zip(final, places, strict=True):
                    self.store(builder, value, place, mask)

    def rectified(self, builder, values, activation):
        """relu or relu6 of vectors; NaN comes out as NaN."""
        six, endless = (ir.Constant(self.scalar, number) for number in (6.0, float("inf")))
        most = builder.select(builder.icmp_signed("==", activation, word(RELU6)), six, endless)
        ceiling = self.broadcast(builder, most)
        for value in values:
            value = builder.select(builder.fcmp_ordered("<=", value, self.zero), self.zero, value)
            yield builder.select(builder.fcmp_ordered(">", value, ceiling), ceiling, value)

    def strip(self, name, counts, vectors, masked=False):
        """A function for any number of i: the largest tile as long as it fits, then the next."""
        function, builder = self.function(name, len(Strip._fields))
        if builder is None:
            return function
        strip, done = Strip(*function.args), word(0)
        mask = self.first_lanes(builder, strip.channels) if masked else None
        for count in counts:
            before = builder.block
            test, body, after = map(function.append_basic_block, ("test", "body", "after"))
            builder.branch(test)
            builder.position_at_end(test)
            (i,) = self.phis(builder, [done], before)
            further = builder.add(i, word(count))
            builder.cbranch(builder.icmp_signed("<=", further, strip.count), body, after)
            builder.position_at_end(body)
            moved = {
                name: self.at(builder, getattr(strip, name), builder.mul(getattr(strip, stride), i))
                for name, stride in (("a", "lda"), ("c", "ldc"), ("start", "lds"))
            }
            self.tile(builder, strip._replace(**moved), count, vectors, mask)
            i.add_incoming(further, builder.block)
            builder.branch(test)
            builder.position_at_end(after)
            done = i
        builder.ret_void()
        return function

    def nothing(self):
        """The address of zeros for the widest strip."""
        name = f"dseq_nothing_{self.suffix}"
        known = self.module.globals.get(name)
        if known is None:
            kind = ir.ArrayType(self.scalar, max(VECTORS, FEW_VECTORS, ONE_VECTORS) * BYTES // self.size)
            known = ir.GlobalVariable(self.module, kind, name)
            known.initializer = ir.Constant(kind, [0.0] * kind.count)
            known.linkage, known.global_constant, known.align = "internal", True, 64
        return known.ptrtoint(WORD)


class Singles(Strips):
    """The same for one channel at a time."""

    def __init__(self, module, element):
        super().__init__(module, element)
        self.lanes = 1
        self.vector = ir.VectorType(self.scalar, 1)
        self.zero = ir.Constant(self.vector, [0.0])


def _calls(name, counts, vectors, masked=False):
    return lambda e, builder, _, *strip: builder.call(e.strip(name, counts, vectors, masked), strip)


@primitive(twin=None)
def strip_of_many(typingctx, like, a, sa, lda, ka, b, sb, ldb, c, ldc, start, lds, count, channels, batches, depth, f):
    """`VECTORS` vectors of channels for many i."""
    return emits(Strips, _calls("strip_of_many", COUNTS, VECTORS), len(Strip._fields))(like)


@primitive(twin=None)
def strip_of_few(typingctx, like, a, sa, lda, ka, b, sb, ldb, c, ldc, start, lds, count, channels, batches, depth, f):
    """`FEW_VECTORS` vectors of channels for few i."""
    return emits(Strips, _calls("strip_of_few", FEW, FEW_VECTORS), len(Strip._fields))(like)


@primitive(twin=None)
def strip_of_pair(typingctx, like, a, sa, lda, ka, b, sb, ldb, c, ldc, start, lds, count, channels, batches, depth, f):
    """Two vectors of channels for few i."""
    return emits(Strips, _calls("strip_of_pair", FEW, 2), len(Strip._fields))(like)


@primitive(twin=None)
def strip_of_one(typingctx, like, a, sa, lda, ka, b, sb, ldb, c, ldc, start, lds, count, channels, batches, depth, f):
    """`ONE_VECTORS` vectors of channels for one i."""
    return emits(Strips, _calls("strip_of_one", (1,), ONE_VECTORS), len(Strip._fields))(like)


@primitive(twin=None)
def strip_of_rest(typingctx, like, a, sa, lda, ka, b, sb, ldb, c, ldc, start, lds, count, channels, batches, depth, f):
    """The last channels: one vector of them at most, or only one where the CPU has no masked loads."""
    kind = Strips if MASKED_LOADS else Singles
    return emits(kind, _calls("strip_of_rest", REST, 1, MASKED_LOADS), len(Strip._fields))(like)


@primitive(twin=None)
def nothing(typingctx, like):
    """The address of zeros."""
    return emits(Strips, lambda e, builder, _: e.nothing(), 0, types.int64)(like)


@kernel
def strips(pointer, a, sa, lda, ka, b, sb, ldb, c, ldc, start, lds, count, channels, batches, depth, activation, few):
    # C (count, channels) at stride ldc; start 0 for zeros; few: whether i are few and the sums long
    size = size_of(pointer)
    lanes = BYTES // size
    moves, j = size, 0
    if start == 0:
        start, lds, moves = nothing(pointer), 0, 0
    if count == 1:
        while channels - j >= ONE_VECTORS * lanes:
            strip_of_one(
                pointer, a + size * j, sa, lda, ka, b + size * j, sb, ldb,
                c + size * j, ldc, start + moves * j, lds, 1, 0, batches, depth, activation,
            )  # fmt: skip
            j += ONE_VECTORS * lanes
    if few != 0:
        while channels - j >= FEW_VECTORS * lanes:
            strip_of_few(
                pointer, a + size * j, sa, lda, ka, b + size * j, sb, ldb,
                c + size * j, ldc, start + moves * j, lds, count, 0, batches, depth, activation,
            )  # fmt: skip
            j += FEW_VECTORS * lanes
        while channels - j >= 2 * lanes:
            strip_of_pair(
                pointer, a + size * j, sa, lda, ka, b + size * j, sb, ldb,
                c + size * j, ldc, start + moves * j, lds, count, 0, batches, depth, activation,
            )  # fmt: skip
            j += 2 * lanes
    while channels - j >= VECTORS * lanes:
        strip_of_many(
            pointer, a + size * j, sa, lda, ka, b + size * j, sb, ldb,
            c + size * j, ldc, start + moves * j, lds, count, 0, batches, depth, activation,
        )  # fmt: skip
        j += VECTORS * lanes
    while j < channels:
        strip_of_rest(
            pointer, a + size * j, sa, lda, ka, b + size * j, sb, ldb,
            c + size * j, ldc, start + moves * j, lds, count, channels - j, batches, depth, activation,
        )  # fmt: skip
        j += lanes if MASKED_LOADS else 1


linked_strips = linked(strips, 17)

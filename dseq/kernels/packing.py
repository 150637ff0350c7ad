"""Panels of B beside each other in memory: copied, transposed, padded with zeros to the width of a register tile."""

from llvmlite import ir
from numba import types
from numba.core import cgutils

from dseq.kernels.base import primitive
from dseq.kernels.vector import BROAD, DEPTH, INT32, POINTER, WIDE, WORD, Emitter, emits, word


class Packing(Emitter):
    """Writes the copies."""

    def copy_panel(self):
        """A function (to, width, b, steps, depth, columns); see the primitive."""
        function, builder = self.function("copy_panel", 6)
        if builder is None:
            return function
        to, width, b, steps, depth, columns = function.args
        places = [word(v * self.lanes) for v in range(WIDE.vectors)]
        masks = [self.first_lanes(builder, builder.sub(columns, place)) for place in places]
        full = builder.icmp_signed(">=", columns, word(WIDE.vectors * self.lanes))

        def loop(masks):
            with cgutils.for_range(builder, depth) as row:
                step = builder.add(steps, builder.mul(row.index, word(8)))
                source = builder.add(b, builder.load(builder.inttoptr(step, POINTER), align=8, typ=WORD))
                target = self.at(builder, to, builder.mul(row.index, width))
                for place, mask in zip(places, masks, strict=True):
                    value = self.load(builder, self.at(builder, source, place), mask)
                    self.store(builder, value, self.at(builder, target, place))

        with builder.if_else(full) as (then, otherwise):
            with then:
                loop([None] * WIDE.vectors)
            with otherwise:
                loop(masks)
        builder.ret_void()
        return function

    def transpose_panel(self):
        """A function (to, width, b, ldb, depth, columns); see the primitive."""
        function, builder = self.function("transpose_panel", 6)
        if builder is None:
            return function
        to, width, b, ldb, depth, columns = function.args
        lanes = word(self.lanes)
        for v in range(WIDE.vectors):
            first = v * self.lanes
            blocks = builder.sdiv(builder.add(depth, word(self.lanes - 1)), lanes)
            with cgutils.for_range(builder, blocks) as block:
                k = builder.mul(block.index, lanes)
                source = self.at(builder, b, k, builder.mul(ldb, word(first)))
                target = self.at(builder, to, builder.mul(k, width), word(first))
                whole = builder.and_(
                    builder.icmp_signed(">=", columns, word(first + self.lanes)),
                    builder.icmp_signed(">=", depth, builder.add(k, lanes)),
                )

                def move(masks, source=source, target=target):
                    rows = [
                        self.load(builder, self.at(builder, source, builder.mul(ldb, word(j))), mask)
                        for j, mask in enumerate(masks)
                    ]
                    for p, value in enumerate(self.transpose(builder, rows)):
                        self.store(builder, value, self.at(builder, target, builder.mul(width, word(p))))

                with builder.if_else(whole) as (then, otherwise):
                    with then:
                        move([None] * self.lanes)
                    with otherwise:
                        inside = self.first_lanes(builder, builder.sub(depth, k))
                        none = ir.Constant(self.mask, [0] * self.lanes)
                        exists = [builder.icmp_signed(">", columns, word(first + j)) for j in range(self.lanes)]
                        move([builder.select(yes, inside, none) for yes in exists])
        builder.ret_void()
        return function

    def shuffle(self, builder, a, b, numbers):
        return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT32, self.lanes), numbers))

    def transpose(self, builder, rows):
        """The transposed block of as many vectors as a vector has lanes, in shuffles that are one instruction each."""
        inner = 16 // self.size  # elements of 128 bits, the piece within which x86 shuffles freely
        pieces = self.lanes // inner

        def interleave(a, b, run, half):
            numbers = []
            for piece in range(0, self.lanes, inner):
                for i in range(half * inner // 2, (half + 1) * inner // 2, run):
                    numbers += [piece + i + j for j in range(run)] + [self.lanes + piece + i + j for j in range(run)]
            return self.shuffle(builder, a, b, numbers)

        groups = []
        for first in range(0, self.lanes, inner):
            group = rows[first : first + inner]
            if inner == 4:
                low, high = ([interleave(group[i], group[i + 1], 1, half) for i in (0, 2)] for half in (0, 1))
                group = [interleave(*pair, 2, half) for pair in (low, high) for half in (0, 1)]
            else:
                group = [interleave(*group, 1, half) for half in (0, 1)]
            groups.append(group)

        def every_second(a, b, odd):
            numbers = [p * inner + i for p in range(odd, pieces, 2) for i in range(inner)]
            return self.shuffle(builder, a, b, numbers + [self.lanes + n for n in numbers])

        result = [None] * self.lanes
        for j in range(inner):
            column = {0: [group[j] for group in groups]}
            stride = 1
            while stride < pieces:
                # Pieces whose numbers agree so far are split into those of even and of odd number.
                column = {
                    number + odd * stride: [every_second(a, b, odd) for a, b in zip(v[::2], v[1::2], strict=True)]
                    for number, v in column.items()
                    for odd in (0, 1)
                }
                stride *= 2
            for number, (value,) in column.items():
                result[number * inner + j] = value
        return result

    def scratch(self, builder, depth):
        with builder.goto_entry_block():
            block = builder.alloca(self.scalar, size=word(depth * WIDE.vectors * self.lanes))
        block.align = 64
        return builder.ptrtoint(block, WORD)

    def words(self, builder, count):
        with builder.goto_entry_block():
            return builder.alloca(WORD, size=word(count))

    def zeros(self):
        name = f"dseq_zeros_{self.suffix}"
        known = self.module.globals.get(name)
        if known is None:
            kind = ir.ArrayType(self.scalar, BROAD.vectors * self.lanes)
            known = ir.GlobalVariable(self.module, kind, name)
            known.initializer = ir.Constant(kind, [0.0] * kind.count)
            known.linkage, known.global_constant, known.align = "internal", True, 64
        return known.ptrtoint(WORD)


@primitive(twin=None)
def copy_panel(typingctx, like, to, width, b, steps, depth, columns):
    """Copies `depth` rows of B, row k from `steps[k]` bytes after b, as wide as the wide tile and padded with zeros.

    The panel's rows are `width` elements apart, so that two of these make one of twice the width.
    """
    return emits(Packing, lambda e, builder, _, *rest: builder.call(e.copy_panel(), rest), 6)(like)


@primitive(twin=None)
def transpose_panel(typingctx, like, to, width, b, ldb, depth, columns):
    """Copies `depth` columns of a matrix of `columns` rows, transposed; width and padding are as by `copy_panel`."""
    return emits(Packing, lambda e, builder, _, *rest: builder.call(e.transpose_panel(), rest), 6)(like)


@primitive(twin=None)
def scratch(typingctx, like):
    """The address of a panel of B on the stack, aligned to a cache line; it lives as long as the kernel's call."""
    return emits(Packing, lambda e, builder, _: e.scratch(builder, DEPTH), 0, types.int64)(like)


@primitive(twin=None)
def zeros(typingctx, like):
    """The address of zeros as wide as the broad tile."""
    return emits(Packing, lambda e, builder, _: e.zeros(), 0, types.int64)(like)


def words(count):
    """A primitive: a pointer to so many 64-bit ints on the stack, which live as long as the kernel's call."""

    @primitive(twin=None)
    def allocate(typingctx, like):
        def codegen(context, builder, signature, arguments):
            return Packing(builder.module, signature.args[0].dtype).words(builder, count)

        return types.CPointer(types.int64)(like), codegen

    return allocate


@primitive(twin=None)
def pointer_at(typingctx, like, address):
    """A pointer to elements of the type of `like` at an address."""

    def codegen(context, builder, signature, arguments):
        return builder.inttoptr(arguments[1], context.get_value_type(signature.return_type))

    return types.CPointer(like.dtype)(like, types.int64), codegen

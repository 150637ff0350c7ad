"""Convolutions and their largest values of 2 x 2 pixels in one register tile, written in LLVM.

    forward            four sums for each window, which leave the registers as one: the largest, and a byte that says
                       which it is
    kernel's gradient  the gradient of a window goes to the pixel its byte names, as one of four vectors with zeros

A window's bits are those of the convolution followed by `dseq.kernels.pool.max_places`. Channels are whole vectors.
"""

from llvmlite import ir

from dseq.kernels.base import primitive
from dseq.kernels.epilogue import NONE, RELU6
from dseq.kernels.microkernel import WORDS, Panel
from dseq.kernels.vector import BYTES, ISA, POINTER, emits, word

FORWARD, BACKWARD = 13, 14  # words
BYTE = ir.IntType(8)
WIDEST = 2 if ISA in ("avx512", "neon") else 1  # vectors of channels: there are 32 registers, or 16
PIXELS = ((0, 0), (0, 1), (1, 0), (1, 1))


class Quads(Panel):
    """Writes the loops over windows."""

    def numbers(self, number):
        return ir.Constant(ir.VectorType(BYTE, self.lanes), [number] * self.lanes)

    def moved(self, builder, place, *steps):
        """An address, and `(count, stride)` that are added to it."""
        for count, stride in steps:
            place = builder.add(place, builder.mul(count, stride))
        return place

    def loop(self, builder, begin, end, by, body, carried=()):
        """As long as `by` more fit before the end: `body(at, *carried)` gives what is carried on.

        Returns:
            Where it ends, and what is carried then.
        """
        before, (test, inside, after) = builder.block, [builder.function.append_basic_block() for _ in range(3)]
        builder.branch(test)
        builder.position_at_end(test)
        phis = [builder.phi(value.type) for value in (begin, *carried)]
        for phi, value in zip(phis, (begin, *carried), strict=True):
            phi.add_incoming(value, before)
        further = builder.add(phis[0], word(by))
        builder.cbranch(builder.icmp_signed("<=", further, end), inside, after)
        builder.position_at_end(inside)
        for phi, value in zip(phis, (further, *(body(*phis) or ())), strict=True):
            phi.add_incoming(value, builder.block)
        builder.branch(test)
        builder.position_at_end(after)
        return phis[0], phis[1:]

    def scalar_at(self, builder, place):
        """A number in all lanes."""
        pointer = builder.inttoptr(place, POINTER)
        return self.broadcast(builder, builder.load(pointer, align=self.size, typ=self.scalar))

    def heads(self, builder, rows, right, number):
        """The addresses of a window's four pixels."""
        columns = builder.mul(number, word(2))
        return [self.moved(builder, rows[p], (builder.add(columns, word(q)), right)) for p, q in PIXELS]

    # Forward.

    def largest(self):
        """The function of `quads_forward`."""
        function, builder = self.function("quads_forward", FORWARD)
        if builder is None:
            return function
        upper, lower, right, left, depth, w, ldw, start, y, places, count, columns, activation = function.args
        end = self.moved(builder, left, (depth, word(WORDS)))
        none = builder.icmp_signed("==", activation, word(NONE))
        splat = {x: ir.Constant(self.vector, [float(x)] * self.lanes) for x in ("nan", "inf", 0, 6)}
        bottom = builder.select(none, splat["nan"], splat[0])
        top = builder.select(builder.icmp_signed("==", activation, word(RELU6)), splat[6], splat["inf"])
        top = builder.select(none, splat["nan"], top)

        def windows(first, vectors, number, at):
            heads = []
            for t in range(first):
                heads += self.heads(builder, (upper, lower), right, builder.add(number, word(t)))
            starts = [self.load(builder, builder.add(builder.add(start, at), word(v * BYTES))) for v in range(vectors)]

            def step(place, row, *sums):
                offset = self.entry(builder, place)
                taps = [self.load(builder, builder.add(row, word(v * BYTES))) for v in range(vectors)]
                new = []
                for i, head in enumerate(heads):
                    x = self.scalar_at(builder, builder.add(head, offset))
                    added = [self.multiply_add(builder, x, taps[v], sums[i * vectors + v]) for v in range(vectors)]
                    new += self.pin(builder, added)
                return builder.add(row, ldw), *new

            _, (_, *sums) = self.loop(builder, left, end, WORDS, step, (builder.add(w, at), *starts * len(heads)))
            for t in range(first):
                window = builder.add(number, word(t))
                for v in range(vectors):
                    self.finish(
                        builder, [sums[(4 * t + p) * vectors + v] for p in range(4)], bottom, top,
                        self.moved(builder, builder.add(y, word(v * BYTES)), (window, columns), (at, word(1))),
                        places, builder.add(builder.mul(window, columns), builder.add(at, word(v * BYTES))),
                    )  # fmt: skip

        def across(vectors, at):
            number = word(0)
            for first in (2, 1) if WIDEST == 2 else (1,):
                number, _ = self.loop(
                    builder, number, count, first, lambda s, first=first: windows(first, vectors, s, at)
                )

        at = word(0)
        for vectors in range(WIDEST, 0, -1):
            at, _ = self.loop(builder, at, columns, vectors * BYTES, lambda at, vectors=vectors: across(vectors, at))
        builder.ret_void()
        return function

    def finish(self, builder, sums, bottom, top, y, places, at):
        """Writes the largest of four sums, and which it is to the byte of element `at` (in bytes) of a row."""
        largest, number = sums[0], self.numbers(0)
        for n, other in enumerate(sums[1:], 1):
            stays = builder.or_(
                builder.fcmp_ordered(">=", largest, other), builder.fcmp_unordered("uno", largest, largest)
            )
            largest, number = builder.select(stays, largest, other), builder.select(stays, number, self.numbers(n))
        low = builder.fcmp_ordered("<=", largest, bottom)
        largest = builder.select(low, bottom, largest)
        largest = builder.select(builder.fcmp_ordered(">", largest, top), top, largest)
        self.store(builder, largest, y)
        flat = builder.or_(low, builder.fcmp_ordered(">=", largest, top))
        with builder.if_then(builder.icmp_signed("!=", places, word(0))):
            number = builder.select(flat, self.numbers(4), number)
            place = builder.add(places, builder.sdiv(at, word(self.size)))
            builder.store(number, builder.inttoptr(place, POINTER), align=1)

    # The kernel's gradient.

    def gradient(self):
        """The function of `quads_gradient`."""
        function, builder = self.function("quads_gradient", BACKWARD)
        if builder is None:
            return function
        to, ldw, next_row, rows, run, upper, lower, right, along, dy, places, count, columns, bias = function.args

        def given(vectors, number, at):
            """A window's gradient, and the bytes that say where it belongs."""
            found = []
            for v in range(vectors):
                place = builder.add(builder.mul(number, columns), builder.add(at, word(v * BYTES)))
                value = self.load(builder, builder.add(dy, place))
                place = builder.inttoptr(builder.add(places, builder.sdiv(place, word(self.size))), POINTER)
                found.append((value, builder.load(place, align=1, typ=ir.VectorType(BYTE, self.lanes))))
            return found

        def all_windows(vectors, at):
            """The bias' gradient."""
            targets = [builder.add(builder.add(bias, at), word(v * BYTES)) for v in range(vectors)]

            def window(number, *sums):
                parts = given(vectors, number, at)
                flat = [builder.icmp_signed("==", which, self.numbers(4)) for _, which in parts]
                parts = [builder.select(f, self.zero, value) for f, (value, _) in zip(flat, parts, strict=True)]
                return [builder.fadd(total, part) for total, part in zip(sums, parts, strict=True)]

            _, sums = self.loop(builder, word(0), count, 1, window, [self.load(builder, to) for to in targets])
            for value, target in zip(sums, targets, strict=True):
                self.store(builder, value, target)

        def taps(high, long, vectors, q, u, at):
            """As many taps down and along at once, over all windows of a row."""
            tile = [(i, j, v) for i in range(high) for j in range(long) for v in range(vectors)]
            targets = [
                builder.add(
                    self.moved(builder, to, (builder.add(q, word(i)), next_row), (builder.add(u, word(j)), ldw)),
                    builder.add(at, word(v * BYTES)),
                )
                for i, j, v in tile
            ]  # fmt: skip
            offset = self.moved(builder, word(0), (q, along), (u, word(self.size)))
            began = [builder.add(x, offset) for x in (upper, lower)]

            def window(number, *sums):
                heads = self.heads(builder, began, right, number)
                parts = []
                for value, which in given(vectors, number, at):
                    mine = [builder.icmp_signed("==", which, self.numbers(n)) for n in range(4)]
                    parts.append([builder.select(one, value, self.zero) for one in mine])
                new = []
                for i in range(high):
                    for j in range(long):
                        first = (i * long + j) * vectors
                        tap = list(sums[first : first + vectors])
                        for n, head in enumerate(heads):
                            x = self.moved(builder, builder.add(head, word(j * self.size)), (word(i), along))
                            x = self.scalar_at(builder, x)
                            tap = [self.multiply_add(builder, x, parts[v][n], tap[v]) for v in range(vectors)]
                        new += self.pin(builder, tap)
                return new

            sums = [self.load(builder, target) for target in targets]
            _, sums = self.loop(builder, word(0), count, 1, window, sums)
            for value, target in zip(sums, targets, strict=True):
                self.store(builder, value, target)

        def across(vectors, at):
            with builder.if_then(builder.icmp_signed("!=", bias, word(0))):
                all_windows(vectors, at)
            q = word(0)
            for high in (3, 1):

                def row(q, high=high):
                    u = word(0)
                    for long in (3, 1):
                        u, _ = self.loop(
                            builder, u, run, long, lambda u, long=long: taps(high, long, vectors, q, u, at)
                        )

                q, _ = self.loop(builder, q, rows, high, row)

        at = word(0)
        for vectors in range(WIDEST, 0, -1):
            at, _ = self.loop(builder, at, columns, vectors * BYTES, lambda at, vectors=vectors: across(vectors, at))
        builder.ret_void()
        return function


@primitive(twin=None)
def quads_forward(
    typingctx, like, upper, lower, right, left, depth, w, ldw, start, y, places, count, columns, activation,
):  # fmt: skip
    """A row of `count` windows: y the largest of four sums, places which it is, 4 where the activation is flat.

    `like` is an array of the element type. upper and lower are the addresses of the first window's left pixels, `right`
    the bytes from there to the next. `left` is a table of `depth` distances along x, for each of which there is a row
    of taps at w, ldw bytes apart; a sum begins with `start`. A pixel of y has so many bytes as `columns` says, one of
    places as many elements. places may be 0.
    """
    return emits(Quads, lambda e, builder, _, *words: builder.call(e.largest(), words), FORWARD)(like)


@primitive(twin=None)
def quads_gradient(
    typingctx, like, to, ldw, next_row, rows, run, upper, lower, right, along, dy, places, count, columns, bias,
):  # fmt: skip
    """Adds to the gradient of `rows` x `run` taps what comes from a row of windows.

    Taps are at `to`, ldw bytes apart along a run, and `next_row` from one run to the next; what they are multiplied by
    is one element apart along a run and `along` bytes from one run to the next. `bias` is the address of the bias'
    gradient, which is added to as well, or 0. All else as in `quads_forward`.
    """
    return emits(Quads, lambda e, builder, _, *words: builder.call(e.gradient(), words), BACKWARD)(like)

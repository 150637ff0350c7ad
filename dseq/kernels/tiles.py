"""Tiles of images between pixels and the products of Winograd's convolution, written in LLVM.

A tile of vectors is multiplied by a small matrix from the left, and by its transpose from the right: sums and
differences of a few vectors, all channels of a pixel at once. Loads and stores go where strides in bytes say, so that
one function takes tiles out of an image, or spreads them over the planes of a product, or puts them back.

The matrices are those of F(2 x 2, 3 x 3) at the points 0, 1, -1 and infinity. Source: A. Lavin and S. Gray, "Fast
Algorithms for Convolutional Neural Networks", CVPR 2016, section 4.1; of the kernel's gradient, which has three
results of two taps, the same construction.
"""

from llvmlite import ir

from dseq.kernels.base import primitive
from dseq.kernels.epilogue import NONE, RELU6
from dseq.kernels.packing import Packing
from dseq.kernels.vector import BYTES, WORD, emits, word

HALF = 0.5
INPUT = ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1))
OUTPUT = ((1, 1, 1, 0), (0, 1, -1, -1))
KERNEL = ((1, 0, 0), (HALF, HALF, HALF), (HALF, -HALF, HALF), (0, 0, 1))
GRADIENT = ((1, 0), (HALF, HALF), (HALF, -HALF), (0, 1))
KERNEL_GRADIENT = ((1, 1, 1, 0), (0, 1, -1, 0), (0, 1, 1, -1))

PLACES = 10  # source, its strides down, right and to the next tile, the same of the target, tiles, bytes of a pixel
FINISHING = 3  # one row to add or 0, whether to add to the target, the activation's code


class Tiles(Packing):
    """Writes the transforms."""

    def combine(self, builder, coefficients, vectors):
        """A sum of vectors times 0, one number or its negative."""
        terms = [(c, v) for c, v in zip(coefficients, vectors, strict=True) if c]
        terms.sort(key=lambda term: term[0] < 0)  # the first is positive
        (scale, total), *rest = terms
        for c, v in rest:
            total = builder.fadd(total, v) if c > 0 else builder.fsub(total, v)
        return total if scale == 1 else builder.fmul(total, ir.Constant(self.vector, [scale] * self.lanes))

    def both_sides(self, builder, matrix, tile):
        """The tile, a list of rows of vectors, between the matrix and its transpose."""
        columns = [[self.combine(builder, row, column) for row in matrix] for column in zip(*tile, strict=True)]
        return [[self.combine(builder, row, line) for row in matrix] for line in zip(*columns, strict=True)]

    def transform(self, name, matrix, finishes=False):
        """A function of `PLACES` words, and of `FINISHING` more where it finishes the pixels of an image."""
        function, builder = self.function(name, PLACES + FINISHING * finishes)
        if builder is None:
            return function
        source, down, right, step, target, t_down, t_right, t_step, count, nbytes, *finishing = function.args
        size, grown = len(matrix[0]), len(matrix)

        def loop(last, by, body):
            before, test, inside, after = builder.block, *(function.append_basic_block() for _ in range(3))
            builder.branch(test)
            builder.position_at_end(test)
            at = builder.phi(WORD)
            at.add_incoming(word(0), before)
            builder.cbranch(builder.icmp_signed("<", at, last), inside, after)
            builder.position_at_end(inside)
            body(at)
            at.add_incoming(builder.add(at, word(by)), builder.block)
            builder.branch(test)
            builder.position_at_end(after)

        def tiles(finish):
            def of_tile(number):
                origin = builder.add(source, builder.mul(number, step))
                goal = builder.add(target, builder.mul(number, t_step))

                def of_vector(at):
                    def place(first, i, along_i, j, along_j):
                        for number, stride in ((i, along_i), (j, along_j)):
                            first = builder.add(first, builder.mul(stride, word(number))) if number else first
                        return builder.add(first, at)

                    tile = [
                        [self.load(builder, place(origin, i, down, j, right)) for j in range(size)] for i in range(size)
                    ]
                    found = self.both_sides(builder, matrix, tile)
                    for i in range(grown):
                        for j in range(grown):
                            to = place(goal, i, t_down, j, t_right)
                            self.store(builder, finish(found[i][j], to, at), to)

                loop(nbytes, BYTES, of_vector)

            loop(count, 1, of_tile)

        if not finishes:
            tiles(lambda value, to, at: value)
        else:
            row, adds, activation = finishing
            bottom, top = self.bounds(builder, activation)
            given = builder.icmp_signed("!=", row, word(0))
            row, moves = builder.select(given, row, self.zeros()), builder.select(given, word(-1), word(0))

            def finish(value, to, at, adds):
                value = builder.fadd(value, self.load(builder, builder.add(row, builder.and_(at, moves))))
                if adds:
                    value = builder.fadd(value, self.load(builder, to))
                value = builder.select(builder.fcmp_ordered("<=", value, bottom), bottom, value)  # NaN stays
                return builder.select(builder.fcmp_ordered(">", value, top), top, value)

            with builder.if_else(builder.icmp_signed("!=", adds, word(0))) as (adding, writing):
                with adding:
                    tiles(lambda *where: finish(*where, True))
                with writing:
                    tiles(lambda *where: finish(*where, False))
        builder.ret_void()
        return function

    def bounds(self, builder, activation):
        """Between which values an activation leaves what it is given, by its code."""

        def splat(number):
            return ir.Constant(self.vector, [float(number)] * self.lanes)

        bottom = builder.select(builder.icmp_signed("==", activation, word(NONE)), splat("-inf"), splat(0))
        return bottom, builder.select(builder.icmp_signed("==", activation, word(RELU6)), splat(6), splat("inf"))


def _transform(name, matrix, finishes=False):
    return lambda emitter, builder, _, *words: builder.call(emitter.transform(name, matrix, finishes), words)


@primitive(twin=None)
def input_tiles(
    typingctx, like, source, down, right, step, target, t_down, t_right, t_step, count, nbytes,
):  # fmt: skip
    """Tiles of 4 x 4 pixels of an image for the products, 4 x 4 too; `like` is an array of the element type.

    Strides are in bytes: down and right inside a tile, and from one of the `count` tiles to the next. A pixel is
    `nbytes` that follow each other, so many vectors.
    """
    return emits(Tiles, _transform("input_tiles", INPUT), PLACES)(like)


@primitive(twin=None)
def gradient_tiles(
    typingctx, like, source, down, right, step, target, t_down, t_right, t_step, count, nbytes,
):  # fmt: skip
    """Tiles of 2 x 2 pixels of a gradient for the products, 4 x 4."""
    return emits(Tiles, _transform("gradient_tiles", GRADIENT), PLACES)(like)


@primitive(twin=None)
def kernel_tiles(
    typingctx, like, source, down, right, step, target, t_down, t_right, t_step, count, nbytes,
):  # fmt: skip
    """3 x 3 taps for the products, 4 x 4."""
    return emits(Tiles, _transform("kernel_tiles", KERNEL), PLACES)(like)


@primitive(twin=None)
def output_tiles(
    typingctx, like, source, down, right, step, target, t_down, t_right, t_step, count, nbytes, row, adds, activation,
):  # fmt: skip
    """Products, 4 x 4, as tiles of 2 x 2 pixels: with one row added, or what was there, then the activation."""
    return emits(Tiles, _transform("output_tiles", OUTPUT, True), PLACES + FINISHING)(like)


@primitive(twin=None)
def tap_tiles(
    typingctx, like, source, down, right, step, target, t_down, t_right, t_step, count, nbytes, row, adds, activation,
):  # fmt: skip
    """Products, 4 x 4, as the gradient of 3 x 3 taps."""
    return emits(Tiles, _transform("tap_tiles", KERNEL_GRADIENT, True), PLACES + FINISHING)(like)

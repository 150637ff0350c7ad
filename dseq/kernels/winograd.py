"""Convolutions of 3 x 3 taps and stride 1 in 16 products instead of 36: Winograd's F(2 x 2, 3 x 3).

Four output pixels are a tile. Tiles of 4 x 4 input pixels and the kernel's taps are transformed by sums and halves;
then each of 16 planes is a product of matrices, tiles by channels times channels by filters, and the results are
transformed back. The input's gradient is the same with turned taps, and the kernel's sums over tiles on the planes.

    forward            x tiles (t, c)   @  u (c, o)           ->  y tiles
    input's gradient   dy tiles (t, o)  @  u of turned taps   ->  dx tiles
    kernel's gradient  x tiles.T        @  dy tiles (t, o)    ->  taps

As many tiles as stay in L2 make a block. A tile's bits do not depend on the others, nor on the block it falls into.
Roundings differ from those of the sum over the window; their size does not (Lavin and Gray 2016, table 3, even find
them smaller).
"""

import numpy as np
from numba import carray

from dseq.kernels.base import JIT, kernel
from dseq.kernels.epilogue import NONE, activate
from dseq.kernels.gemm import operand_of
from dseq.kernels.planes import (
    MOST,
    PLANES,
    block_of,
    linked_gather,
    linked_planes,
    linked_spread,
    plane_bytes,
    tile_words,
)
from dseq.kernels.tiles import (
    GRADIENT,
    INPUT,
    KERNEL,
    KERNEL_GRADIENT,
    OUTPUT,
    kernel_tiles,
    tap_tiles,
)
from dseq.kernels.vector import address_of, size_of


def scratch_size(c, o, width, size, sums=False) -> int:
    """How many elements the kernels below need besides their operands.

    Args:
        c: Channels of one image.
        o: Channels of the other.
        width: Pixels of a row of the wider image.
        size: Bytes of an element.
        sums: Whether it is for the kernel's gradient, which is summed there.
    """
    nbytes = PLANES * (plane_bytes(MOST, c, size) + plane_bytes(MOST, o, size) + sums * plane_bytes(c, o, size))
    return nbytes // size + 4 * (width + 3) * max(c, o)


@kernel
def convolve(y, x, u, row, adds, activation, before_h, before_w, memory):
    n, _, oh, ow, o = y.shape
    _, _, h, w, c = x.shape
    size = size_of(y)
    down, across = (oh + 1) // 2, (ow + 1) // 2
    tiles = n * down * across
    block = block_of(tiles, c, o)
    spare = 1 if before_h == 0 and before_w == 0 and h == oh + 2 and w == ow + 2 else 0
    rows, targets = carray(tile_words(y), (MOST,)), carray(tile_words(y), (MOST,))
    given = address_of(memory)
    made = given + PLANES * plane_bytes(block, c, size)
    rest = made + PLANES * plane_bytes(block, o, size)
    for first in range(0, tiles, block):
        count = min(block, tiles - first)
        for t in range(count):
            rows[t], targets[t] = given + t * c * size, made + t * o * size
        linked_spread(
            y, (given, operand_of(y, x), n, h, w, c, first, count, down, across, before_h, before_w, 4, spare, rest)
        )
        linked_planes(
            y, (address_of(rows), address_of(targets), count, plane_bytes(count, c, size), size, c,
                address_of(u), c * o * size, o * size, plane_bytes(count, o, size), o, 0),
        )  # fmt: skip
        linked_gather(
            y, (made, operand_of(y, y), n, oh, ow, o, first, count, down, across, row, adds, activation, rest)
        )


@kernel
def winograd_kernel(u, w):
    # u (16, c, o) of the taps w (1, 3, 3, c, o), both multiples of 16
    if JIT:
        c, o = w.shape[3:]
        nbytes, taps = o * size_of(w), c * o * size_of(w)
        kernel_tiles(w, operand_of(u, w), 3 * taps, taps, nbytes, address_of(u), 4 * taps, taps, nbytes, c, nbytes)
    else:
        u[...] = both_sides(KERNEL, w[0]).reshape(u.shape)


@kernel
def winograd_forward(y, x, u, b, memory, before_h, before_w, activation):
    # y (n, 1, oh, ow, o), x (n, 1, h, w, c) with so many zeros before it, and behind it as many as are needed,
    # u as winograd_kernel makes it, b (o,) or None, memory of `scratch_size`; the activation's code is one of
    # dseq.kernels.epilogue
    if JIT:
        row = 0
        if b is not None:
            row = operand_of(y, b)
        convolve(y, x, u, row, 0, activation, before_h, before_w, memory)
    else:
        y[...] = products(y, x, u, before_h, before_w)
        if b is not None:
            y += b
        activate(y.reshape(y.size), activation)


@kernel
def winograd_backward_input(dx, dy, u, memory, before_h, before_w):
    # dx (n, 1, h, w, c), so far behind the first windows' beginning, dy (n, 1, oh, ow, o), u (16, o, c) of the taps
    # as conv_transpose_kernel turns them
    if JIT:
        convolve(dx, dy, u, 0, 1, NONE, 2 - before_h, 2 - before_w, memory)
    else:
        dx += products(dx, dy, u, 2 - before_h, 2 - before_w)


@kernel
def winograd_write_input(dx, dy, u, memory, before_h, before_w):
    # as winograd_backward_input, but dx is written
    if JIT:
        convolve(dx, dy, u, 0, 0, NONE, 2 - before_h, 2 - before_w, memory)
    else:
        dx[...] = products(dx, dy, u, 2 - before_h, 2 - before_w)


@kernel
def sum_taps(dw, x, dy, adds, memory):
    n, _, oh, ow, o = dy.shape
    c, size = x.shape[4], size_of(dw)
    down, across = (oh + 1) // 2, (ow + 1) // 2
    tiles = n * down * across
    block = block_of(tiles, c, o)
    rows, targets = carray(tile_words(dw), (MOST,)), carray(tile_words(dw), (MOST,))
    sums, plane = address_of(memory), plane_bytes(c, o, size)
    inputs = sums + PLANES * plane
    given = inputs + PLANES * plane_bytes(block, c, size)
    rest = given + PLANES * plane_bytes(block, o, size)
    for first in range(0, tiles, block):
        count = min(block, tiles - first)
        linked_spread(
            dw, (inputs, operand_of(dw, x), n, oh + 2, ow + 2, c, first, count, down, across, 0, 0, 4, 1, rest)
        )
        linked_spread(dw, (given, operand_of(dw, dy), n, oh, ow, o, first, count, down, across, 0, 0, 2, 0, rest))
        for i in range(0, c, MOST):
            channels = min(MOST, c - i)
            for j in range(channels):
                rows[j], targets[j] = inputs + (i + j) * size, sums + (i + j) * o * size
            linked_planes(
                dw, (address_of(rows), address_of(targets), channels, plane_bytes(count, c, size), c * size, count,
                     given, plane_bytes(count, o, size), o * size, plane, o, 0 if first == 0 else 1),
            )  # fmt: skip
    taps = c * o * size
    tap_tiles(
        dw, sums, 4 * plane, plane, o * size, address_of(dw), 3 * taps, taps, o * size, c, o * size, 0, adds, NONE
    )


@kernel
def winograd_backward_kernel(dw, x, dy, memory):
    # dw (1, 3, 3, c, o), x (n, 1, oh + 2, ow + 2, c), dy (n, 1, oh, ow, o)
    if JIT:
        if dy.size > 0:
            sum_taps(dw, x, dy, 1, memory)
    else:
        dw += taps(x, dy).reshape(dw.shape)


@kernel
def winograd_write_kernel(dw, x, dy, memory):
    # as winograd_backward_kernel, but dw is written
    if JIT:
        if dy.size > 0:
            sum_taps(dw, x, dy, 0, memory)
        else:
            dw[...] = 0
    else:
        dw[...] = taps(x, dy).reshape(dw.shape)


def both_sides(matrix, tiles):
    """Tiles (i, j, ...) between a matrix and its transpose: what the twins are made of."""
    return np.einsum("ki,lj,ij...->kl...", matrix, matrix, tiles).astype(tiles.dtype)


def tiles_of(image, down, across, before_h, before_w, window):
    """Tiles `(window, window, n, down, across, c)` of an image."""
    n, _, h, w, c = image.shape
    padded = np.zeros((n, 2 * down + 2 + before_h + h, 2 * across + 2 + before_w + w, c), image.dtype)
    padded[:, before_h : before_h + h, before_w : before_w + w] = image[:, 0]
    lines = [padded[:, i : i + 2 * down : 2] for i in range(window)]
    return np.array([[line[:, :, j : j + 2 * across : 2] for j in range(window)] for line in lines])


def products(y, x, u, before_h, before_w):
    """The convolution of x in the shape of y."""
    n, _, oh, ow, o = y.shape
    down, across = (oh + 1) // 2, (ow + 1) // 2
    planes = both_sides(INPUT, tiles_of(x, down, across, before_h, before_w, 4))
    made = both_sides(OUTPUT, np.einsum("ijnrqc,ijco->ijnrqo", planes, u.reshape(4, 4, *u.shape[1:])))
    return made.transpose(2, 3, 0, 4, 1, 5).reshape(n, 1, 2 * down, 2 * across, o)[:, :, :oh, :ow]


def taps(x, dy):
    """The gradient of 3 x 3 taps."""
    down, across = (dy.shape[2] + 1) // 2, (dy.shape[3] + 1) // 2
    planes = both_sides(INPUT, tiles_of(x, down, across, 0, 0, 4))
    given = both_sides(GRADIENT, tiles_of(dy, down, across, 0, 0, 2))
    return both_sides(KERNEL_GRADIENT, np.einsum("ijnrqc,ijnrqo->ijco", planes, given))

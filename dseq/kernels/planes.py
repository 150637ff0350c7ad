"""Between images and the 16 planes of their tiles: taken out, multiplied, put back. See `dseq.kernels.winograd`.

A tile is 2 x 2 pixels of a result, or those that they are made of. Plane p (count, channels) holds place p of all the
transformed tiles of a block.
"""

from numba import carray

from dseq.kernels.base import inlined, kernel
from dseq.kernels.gemm import WORTH
from dseq.kernels.link import linked
from dseq.kernels.microkernel import broad_panel, narrow_panel, wide_panel
from dseq.kernels.packing import pointer_at, scratch, words, zeros
from dseq.kernels.tiles import gradient_tiles, input_tiles, output_tiles
from dseq.kernels.vector import BROAD, BYTES, DEPTH, SHORTER, WIDE, address_of, size_of

PLANES = 16
TWO = BROAD != WIDE
MOST = 192  # tiles of a block: enough that many channels' planes of the kernel are worth fetching for them
FEW = 256  # channels of both images of which half as many tiles stay in L2
UNIT = 24  # tiles that fill register tiles of any height
LINE = 64

tile_words, step_words = words(MOST), words(DEPTH)


@inlined
def block_of(tiles, c, o):
    # Blocks of the same size, in whole register tiles, and one where there is nothing to do.
    most = MOST // 2 if c + o <= FEW else MOST
    blocks = max(1, (tiles + most - 1) // most)
    return max(UNIT, min(most, ((tiles + blocks - 1) // blocks + UNIT - 1) // UNIT * UNIT))


@inlined
def plane_bytes(rows, columns, size):
    # of rows x columns elements, and a line more: planes as far apart as a power of 2 share few lines of a cache
    return (rows * columns * size + LINE - 1) // LINE * LINE + LINE


@kernel
def multiply_planes(
    pointer, rows, targets, count, plane_a, step, depth, b, plane_b, ldb, plane_c, m, start
):  # fmt: skip
    # For each plane p, C[row] = start + sum over k < depth of A[row, k] B[k]: rows and targets are tables of `count`
    # addresses, and all else but depth, m and start is in bytes; a plane of A, B or C is so far from the one before.
    # start: 0 for zeros, 1 for C itself.
    size = size_of(pointer)
    lanes = BYTES // size
    broad, wide = BROAD.vectors * lanes, WIDE.vectors * lanes
    panel, nothing = scratch(pointer), zeros(pointer)
    left = carray(step_words(pointer), (DEPTH,))
    row_left = address_of(left)
    deepest = SHORTER if m >= broad else DEPTH
    pieces = (depth + deepest - 1) // deepest
    piece = max(1, ((depth + pieces - 1) // pieces + lanes - 1) // lanes * lanes)
    for p in range(PLANES):
        for k0 in range(0, depth, piece):
            part = min(piece, depth - k0)
            distances = left[:part]
            for k in range(part):
                distances[k] = p * plane_a + (k0 + k) * step
            from_row = nothing if k0 == 0 and start == 0 else 0
            j0 = 0
            while j0 < m:
                place, column = b + p * plane_b + k0 * ldb + j0 * size, p * plane_c + j0 * size
                if TWO and m - j0 >= broad:
                    copy = panel if count >= WORTH and ldb != broad * size else 0
                    broad_panel(
                        pointer, rows, targets, count, row_left, 0, part, place, ldb, from_row, column, broad, 0, copy,
                        0, 0, broad * size,
                    )  # fmt: skip
                    j0 += broad
                elif m - j0 >= wide:
                    copy = panel if count >= WORTH and ldb != wide * size else 0
                    wide_panel(
                        pointer, rows, targets, count, row_left, 0, part, place, ldb, from_row, column, wide, 0, copy,
                        0, 0, wide * size,
                    )  # fmt: skip
                    j0 += wide
                else:
                    columns = min(lanes, m - j0)
                    narrow_panel(
                        pointer, rows, targets, count, row_left, 0, part, place, ldb, from_row, column, columns, 0, 0,
                        0, 0, 0,
                    )  # fmt: skip
                    j0 += columns


linked_planes = linked(multiply_planes, 12)


@kernel
def pixel(image, s, r, q):
    # the address of a pixel of image (n, 1, h, w, c), which may lie outside
    _, _, h, w, c = image.shape
    return address_of(image) + ((s * h + r) * w + q) * c * size_of(image)


@kernel
def columns_inside(at, size, columns):
    # the first and the last + 1 column of so many from `at` on which lie in an axis
    return min(columns, max(0, -at)), max(0, min(columns, size - at))


@kernel
def cut_out(edge, image, s, r, q, rows, columns):
    # edge (rows, columns, c): the pixels of image from row r and column q on, zeros where there are none
    h, w, c = image.shape[2:]
    begin, end = columns_inside(q, w, columns)
    for i in range(rows):
        line = edge[i * columns * c : (i + 1) * columns * c]
        if r + i < 0 or r + i >= h:
            for k in range(line.size):
                line[k] = 0
            continue
        left, middle, right = line[: begin * c], line[begin * c : end * c], line[end * c :]
        row = image[s, 0, r + i].reshape(w * c)[(q + begin) * c : (q + end) * c]
        for k in range(left.size):
            left[k] = 0
        for k in range(middle.size):
            middle[k] = row[k]
        for k in range(right.size):
            right[k] = 0


@kernel
def put_back(image, edge, s, r, q, rows, columns):
    # the pixels of edge (rows, columns, c) that lie in the image, from row r and column q on
    h, w, c = image.shape[2:]
    for i in range(min(rows, h - r)):
        to = image[s, 0, r + i].reshape(w * c)[q * c : min(q + columns, w) * c]
        found = edge[i * columns * c : (i + 1) * columns * c]
        for k in range(to.size):
            to[k] = found[k]


@kernel
def spread(pointer, planes, at, n, h, w, c, first, count, down, across, before_h, before_w, window, spare, rest):
    # planes (16, count, c): tiles `first` on of an image (n, 1, h, w, c), each of window x window pixels, 2 beside the
    # one before; the first of a sample begins so far before the image. What is outside is zero; if `spare` it does not
    # matter: only results that nobody wants are made of it. Planes, image and the rest of the memory are addresses.
    image = carray(pointer_at(pointer, at), (n, 1, h, w, c))
    edge = carray(pointer_at(pointer, rest), (window * (2 * across + 2) * c,))
    size = size_of(pointer)
    nbytes, plane = c * size, plane_bytes(count, c, size)
    done = 0
    while done < count:
        line, q = divmod(first + done, across)
        s, r = divmod(line, down)
        run = min(across - q, count - done)
        top = 2 * r - before_h
        # Of these tiles those that lie in the image, if any of the row do.
        begin, end = (before_w + 1) // 2, max(0, w - window + before_w + 2) // 2
        if spare and (s + 1 < n or top + window < h):
            begin, end = 0, across
        elif top < 0 or top + window > h:
            begin, end = across, across
        while run > 0:
            to, left = planes + done * nbytes, 2 * q - before_w
            if begin <= q < end:
                here = min(run, end - q)
                source, source_row = pixel(image, s, top, left), w * nbytes
            else:
                here = run
                if q < begin:
                    here = min(run, begin - q)
                columns = 2 * here + window - 2
                cut_out(edge, image, s, top, left, window, columns)
                source, source_row = address_of(edge), columns * nbytes
            if window == 4:
                input_tiles(image, source, source_row, nbytes, 2 * nbytes, to, 4 * plane, plane, nbytes, here, nbytes)
            else:
                gradient_tiles(
                    image, source, source_row, nbytes, 2 * nbytes, to, 4 * plane, plane, nbytes, here, nbytes
                )
            q, run, done = q + here, run - here, done + here


linked_spread = linked(spread, 15)


@kernel
def gather(pointer, planes, at, n, h, w, c, first, count, down, across, row, adds, activation, rest):
    # tiles `first` on of an image (n, 1, h, w, c) from planes (16, count, c); these, the image and the rest of the
    # memory are addresses
    image = carray(pointer_at(pointer, at), (n, 1, h, w, c))
    edge = carray(pointer_at(pointer, rest), (4 * across * c,))
    size = size_of(pointer)
    nbytes, plane = c * size, plane_bytes(count, c, size)
    done = 0
    while done < count:
        line, q = divmod(first + done, across)
        s, r = divmod(line, down)
        run = min(across - q, count - done)
        end = w // 2 if 2 * r + 2 <= h else 0
        while run > 0:
            source, inside = planes + done * nbytes, q < end
            here = min(run, end - q) if inside else run
            to, to_row = pixel(image, s, 2 * r, 2 * q), w * nbytes
            if not inside:
                to, to_row = address_of(edge), 2 * here * nbytes
                if adds:
                    cut_out(edge, image, s, 2 * r, 2 * q, 2, 2 * here)
            output_tiles(
                image, source, 4 * plane, plane, nbytes, to, to_row, nbytes, 2 * nbytes, here, nbytes,
                row, adds, activation,
            )  # fmt: skip
            if not inside:
                put_back(image, edge, s, 2 * r, 2 * q, 2, 2 * here)
            q, run, done = q + here, run - here, done + here


linked_gather = linked(gather, 14)

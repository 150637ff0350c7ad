"""Images seen through a transformation of their own, and the transformations that random layers draw.

A transformation [a0, a1, a2, b0, b1, b2, c0, c1] takes the pixel in column x and row y of the result from column
(a0 x + a1 y + a2) / k and row (b0 x + b1 y + b2) / k, where k = c0 x + c1 y + 1. Images are (n, height, width, c).

What lies outside: 0 is the value `fill`, 1 the nearest pixel, 2 the image again, 3 its mirror image with the last pixel
twice, 4 the same with the last pixel once. Draws are in [0, 1); bounds are pairs of least and largest values.
"""

import numpy as np

from dseq.kernels.base import inlined, kernel

FILL_MODES = ("constant", "nearest", "wrap", "reflect", "mirror")
FAR = 1e9  # coordinates beyond it, and NaN, are cut: they have to fit an integer


@inlined
def _coordinates(t, x, y):
    """Where the pixel in column x and row y comes from: column, row."""
    column, row, one = t.dtype.type(x), t.dtype.type(y), t.dtype.type(1)
    across, down = t[0] * column + t[1] * row + t[2], t[3] * column + t[4] * row + t[5]
    if t[6] != 0 or t[7] != 0:
        k = t[6] * column + t[7] * row + one
        across, down = across / k, down / k
    return _cut(across), _cut(down)


@inlined
def _cut(place):
    return min(max(place, -FAR), FAR) if place == place else -FAR


@inlined
def _rounded(place):
    """The nearest integer; halves go away from 0."""
    return int(np.floor(place + 0.5)) if place >= 0 else -int(np.floor(0.5 - place))


@kernel
def _inside(place, size, mode):
    """The place inside that an integer place stands for, -1 if there is none."""
    if 0 <= place < size:
        return place
    if mode == 1:
        return min(max(place, 0), size - 1)
    if mode == 2:
        return place % size
    if mode == 3:
        again = place % (2 * size)
        return again if again < size else 2 * size - 1 - again
    if mode == 4:
        again = place % max(2 * size - 2, 1)
        return again if again < size else 2 * size - 2 - again
    return -1


@kernel
def affine_forward(y, x, transforms, smooth, mode, fill):
    # y (n, h', w', c), x (n, h, w, c), transforms (n or 1, 8), fill (1,); smooth 1 mixes four pixels, 0 takes one
    one, value = y.dtype.type(1), fill[0]
    height, width, channels = x.shape[1], x.shape[2], x.shape[3]
    for i in range(y.shape[0]):
        t = transforms[i % transforms.shape[0]]
        for r in range(y.shape[1]):
            for s in range(y.shape[2]):
                column, row = _coordinates(t, s, r)
                if smooth == 0:
                    p, q = _inside(_rounded(row), height, mode), _inside(_rounded(column), width, mode)
                    if p >= 0 and q >= 0:
                        for j in range(channels):
                            y[i, r, s, j] = x[i, p, q, j]
                    else:
                        for j in range(channels):
                            y[i, r, s, j] = value
                    continue
                above, left = int(np.floor(row)), int(np.floor(column))
                down, right = y.dtype.type(row - above), y.dtype.type(column - left)
                for j in range(channels):
                    y[i, r, s, j] = 0
                for k in range(4):
                    lower, further = k >> 1, k & 1
                    share = (down if lower else one - down) * (right if further else one - right)
                    p, q = _inside(above + lower, height, mode), _inside(left + further, width, mode)
                    if p >= 0 and q >= 0:
                        for j in range(channels):
                            y[i, r, s, j] += share * x[i, p, q, j]
                    else:
                        for j in range(channels):
                            y[i, r, s, j] += share * value


@kernel
def affine_backward(dx, dy, transforms, smooth, mode):
    # dx (n, h, w, c), dy (n, h', w', c), transforms (n or 1, 8)
    one = dy.dtype.type(1)
    height, width, channels = dx.shape[1], dx.shape[2], dx.shape[3]
    for i in range(dy.shape[0]):
        t = transforms[i % transforms.shape[0]]
        for r in range(dy.shape[1]):
            for s in range(dy.shape[2]):
                column, row = _coordinates(t, s, r)
                if smooth == 0:
                    p, q = _inside(_rounded(row), height, mode), _inside(_rounded(column), width, mode)
                    if p >= 0 and q >= 0:
                        for j in range(channels):
                            dx[i, p, q, j] += dy[i, r, s, j]
                    continue
                above, left = int(np.floor(row)), int(np.floor(column))
                down, right = dy.dtype.type(row - above), dy.dtype.type(column - left)
                for k in range(4):
                    lower, further = k >> 1, k & 1
                    share = (down if lower else one - down) * (right if further else one - right)
                    p, q = _inside(above + lower, height, mode), _inside(left + further, width, mode)
                    if p >= 0 and q >= 0:
                        for j in range(channels):
                            dx[i, p, q, j] += share * dy[i, r, s, j]


@inlined
def _between(bounds, first, draw):
    return bounds[first] + (bounds[first + 1] - bounds[first]) * draw


@inlined
def _write(t, a0, a1, a2, b0, b1, b2):
    t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7] = a0, a1, a2, b0, b1, b2, 0, 0


@kernel
def draw_flips(transforms, draws, horizontal, vertical, height, width):
    # transforms (n, 8), draws (n, 1): with the chance of a half, all that is asked for
    for i in range(transforms.shape[0]):
        flip = draws[i, 0] <= 0.5
        across, down = flip and horizontal != 0, flip and vertical != 0
        _write(transforms[i], -1 if across else 1, 0, width - 1 if across else 0,
               0, -1 if down else 1, height - 1 if down else 0)  # fmt: skip


@kernel
def draw_windows(transforms, draws, rows, columns):
    # transforms (n, 8), draws (n, 2): where a window begins, one of `rows` and one of `columns`
    for i in range(transforms.shape[0]):
        top, left = min(int(draws[i, 0] * rows), rows - 1), min(int(draws[i, 1] * columns), columns - 1)
        _write(transforms[i], 1, 0, left, 0, 1, top)


@kernel
def draw_rotations(transforms, draws, bounds, height, width):
    # transforms (n, 8), draws (n, 1), bounds (2,): angles in radians, about the middle
    x, y = 0.5 * (width - 1), 0.5 * (height - 1)
    for i in range(transforms.shape[0]):
        angle = _between(bounds, 0, draws[i, 0])
        c, s = np.cos(angle), np.sin(angle)
        _write(transforms[i], c, -s, x - x * c + y * s, s, c, y - x * s - y * c)


@kernel
def draw_translations(transforms, draws, bounds, height, width):
    # transforms (n, 8), draws (n, 2), bounds (4,): shares of the height, then of the width
    for i in range(transforms.shape[0]):
        down, across = _between(bounds, 0, draws[i, 0]) * height, _between(bounds, 2, draws[i, 1]) * width
        _write(transforms[i], 1, 0, -across, 0, 1, -down)


@kernel
def draw_zooms(transforms, draws, bounds, alike, height, width):
    # transforms (n, 8), draws (n, 2), bounds (4,): for the height, then for the width unless both are alike
    x, y = 0.5 * (width - 1), 0.5 * (height - 1)
    for i in range(transforms.shape[0]):
        tall = 1.0 + _between(bounds, 0, draws[i, 0])
        wide = tall if alike != 0 else 1.0 + _between(bounds, 2, draws[i, 1])
        _write(transforms[i], wide, 0, x * (1.0 - wide), 0, tall, y * (1.0 - tall))


@kernel
def draw_shears(transforms, draws, bounds):
    # transforms (n, 8), draws (n, 3), bounds (4,): along x, then along y; the third draw is for the sign of both
    for i in range(transforms.shape[0]):
        across, down = _between(bounds, 0, draws[i, 0]), _between(bounds, 2, draws[i, 1])
        sign = -1 if draws[i, 2] > 0.5 else 1
        _write(transforms[i], 1, sign * across, 0, sign * down, 1, 0)

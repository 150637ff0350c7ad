"""Depthwise convolutions: each channel with a kernel of its own. They move much memory and compute little.

Images are (n, height, width, channels), kernels (height, width, channels). Nothing is padded: `before` says how far the
first window reaches out of the image, and the taps outside are left out. A multiplier of channels is a repetition of
the input's channels beforehand.

Forward chains over the kernel's rows, then columns; the kernel's gradient over samples and rows of pixels, those whose
windows lie inside first. `strides`, `dilations` and `before` are for height, width.
"""

import numpy as np

from dseq.kernels.base import JIT, inlined, kernel
from dseq.kernels.epilogue import activate
from dseq.kernels.gemm import operand_of
from dseq.kernels.link import linked
from dseq.kernels.strip import FEW_VECTORS, linked_strips
from dseq.kernels.vector import BYTES, address_of, size_of

BLOCK = 1 << 16  # bytes of a block of dy that stays in L2 while the rows of the kernel pass


@inlined
def _up(a, b):
    """a / b, rounded up."""
    return -(-a // b)


@inlined
def _within(low, value, high):
    return min(max(low, value), high)


@inlined
def _turn(stride, dilation):
    """How many taps lie between two that meet pixels of the same phase."""
    step = 1
    while step * dilation % stride != 0:
        step += 1
    return step


@kernel
def depthwise_forward(y, x, w, b, sh, sw, dh, dw, bh, bw, activation):
    # y (n, oh, ow, c), x (n, h, w, c), w (kh, kw, c), b (c,) or None; the activation's code is one of
    # dseq.kernels.epilogue
    if JIT:
        n, oh, ow, c = y.shape
        _, h, wide, _ = x.shape
        kh, kw, _ = w.shape
        size = size_of(y)
        to, source, taps = operand_of(y, y), operand_of(y, x), operand_of(y, w)
        bias = 0
        if b is not None:
            bias = operand_of(y, b)
        # Columns from s0 to s1 see no border.
        s0 = _within(0, _up(bw, sw), ow)
        s1 = _within(s0, (wide - 1 - (kw - 1) * dw + bw) // sw + 1, ow)
        for i in range(n):
            for r in range(oh):
                top = r * sh - bh
                q0 = max(0, _up(-top, dh))
                rows = max(0, min(kh, _up(h - top, dh)) - q0)
                row = to + size * (i * oh + r) * ow * c
                left = source + size * (i * h + top + q0 * dh) * wide * c
                right = taps + size * q0 * kw * c
                if s1 > s0:
                    linked_strips(
                        y, (left + size * (s0 * sw - bw) * c, dh * wide * c, sw * c, dw * c, right, kw * c, c,
                            row + size * s0 * c, c, bias, 0, s1 - s0, c, rows, kw, activation, 0),
                    )  # fmt: skip
                for border in range(ow - s1 + s0):
                    s = border if border < s0 else border - s0 + s1
                    column = s * sw - bw
                    t0 = max(0, _up(-column, dw))
                    columns = max(0, min(kw, _up(wide - column, dw)) - t0)
                    linked_strips(
                        y, (left + size * (column + t0 * dw) * c, dh * wide * c, 0, dw * c,
                            right + size * t0 * c, kw * c, c,
                            row + size * s * c, c, bias, 0, 1, c, rows, columns, activation, 0),
                    )  # fmt: skip
    else:
        y[...] = 0 if b is None else b
        padded = around(x, w, y, sh, sw, dh, dw, bh, bw)
        for tap, window in windows(padded, w, y, sh, sw, dh, dw):
            y += window * w[tap]
        activate(y.reshape(y.size), activation)


@kernel
def input_gradient(pointer, given, taps, n, oh, ow, c, h, wide, kh, kw, sh, sw, dh, dw, bh, bw, adds):
    # dx (n, h, wide, c) at pointer, dy (n, oh, ow, c) at given, w (kh, kw, c) at taps; adds 1, or 0 to write
    size = size_of(pointer)
    to = address_of(pointer)
    turn_h, turn_w = _turn(sh, dh), _turn(sw, dw)
    away_h, away_w = turn_h * dh // sh, turn_w * dw // sw
    for i in range(n):
        for row in range(h):
            # Rows q of the kernel that meet this row in some row of dy: every `turn_h`-th from `q` on, with dy's rows
            # from `r` on upwards.
            q = max(0, _up(row + bh - (oh - 1) * sh, dh))
            while q < kh and (row + bh - q * dh) % sh != 0:
                q += 1
            last = min(kh - 1, (row + bh) // dh)
            rows = (last - q) // turn_h + 1 if q <= last else 0
            if rows == 0 and adds != 0:
                continue
            r = (row + bh - q * dh) // sh
            target = to + size * (i * h + row) * wide * c
            left = given + size * (i * oh + r) * ow * c
            right = taps + size * q * kw * c
            for phase in range(min(sw, wide)):
                # The same for the columns phase + e * sw.
                t = 0
                while t < kw and (phase + bw - t * dw) % sw != 0:
                    t += 1
                some = (kw - 1 - t) // turn_w + 1 if t < kw else 0
                many = _up(wide - phase, sw)
                first = (phase + bw - t * dw) // sw if t < kw else 0
                e0 = _within(0, (some - 1) * away_w - first, many)
                e1 = _within(e0, ow - first, many)
                if some == 0:
                    e0, e1 = 0, many
                if e1 > e0:
                    place = target + size * (phase + e0 * sw) * c
                    linked_strips(
                        pointer, (left + size * (first + e0) * c, -away_h * ow * c, c, -away_w * c,
                             right + size * t * c, turn_h * kw * c, turn_w * c,
                             place, sw * c, place * adds, sw * c, e1 - e0, c, rows, some, 0, 0),
                    )  # fmt: skip
                for border in range(many - e1 + e0):
                    e = border if border < e0 else border - e0 + e1
                    k0 = max(0, _up(first + e - ow + 1, away_w))
                    columns = max(0, min(some, (first + e) // away_w + 1) - k0)
                    place = target + size * (phase + e * sw) * c
                    linked_strips(
                        pointer, (left + size * (first + e - k0 * away_w) * c, -away_h * ow * c, 0, -away_w * c,
                             right + size * (t + k0 * turn_w) * c, turn_h * kw * c, turn_w * c,
                             place, 0, place * adds, 0, 1, c, rows, columns, 0, 0),
                    )  # fmt: skip


linked_input_gradient = linked(input_gradient, 17)


@kernel
def depthwise_backward_input(dx, dy, w, sh, sw, dh, dw, bh, bw):
    # dx (n, h, w, c), dy (n, oh, ow, c), w (kh, kw, c)
    if JIT:
        n, oh, ow, c = dy.shape
        _, h, wide, _ = dx.shape
        kh, kw, _ = w.shape
        linked_input_gradient(
            dx, (operand_of(dx, dy), operand_of(dx, w), n, oh, ow, c, h, wide, kh, kw, sh, sw, dh, dw, bh, bw, 1)
        )
    else:
        padded = around(np.zeros_like(dx), w, dy, sh, sw, dh, dw, bh, bw)
        for tap, window in windows(padded, w, dy, sh, sw, dh, dw):
            window += dy * w[tap]
        dx += padded[:, bh : bh + dx.shape[1], bw : bw + dx.shape[2]]


@kernel
def depthwise_write_input(dx, dy, w, sh, sw, dh, dw, bh, bw):
    # The same, written instead of added.
    if JIT:
        n, oh, ow, c = dy.shape
        _, h, wide, _ = dx.shape
        kh, kw, _ = w.shape
        linked_input_gradient(
            dx, (operand_of(dx, dy), operand_of(dx, w), n, oh, ow, c, h, wide, kh, kw, sh, sw, dh, dw, bh, bw, 0)
        )
    else:
        dx[...] = 0
        depthwise_backward_input(dx, dy, w, sh, sw, dh, dw, bh, bw)


@kernel
def depthwise_backward_kernel(dw_, x, dy, sh, sw, dh, dw, bh, bw):
    # dw_ (kh, kw, c), x (n, h, w, c), dy (n, oh, ow, c)
    if JIT:
        n, oh, ow, c = dy.shape
        _, h, wide, _ = x.shape
        kh, kw, _ = dw_.shape
        size = size_of(dw_)
        to, source, given = operand_of(dw_, dw_), operand_of(dw_, x), operand_of(dw_, dy)
        s0 = _within(0, _up(bw, sw), ow)
        s1 = _within(s0, (wide - 1 - (kw - 1) * dw + bw) // sw + 1, ow)
        slab = FEW_VECTORS * BYTES // size
        block = max(1, BLOCK // max(1, ow * min(c, slab) * size))
        for i in range(n):
            for r0 in range(0, oh, block):
                j = 0
                while j < c:
                    # One vector alone would take almost as long as two.
                    channels = min(c - j, slab if c - j != slab + BYTES // size else 2 * BYTES // size)
                    for q in range(kh):
                        ra = max(r0, _up(bh - q * dh, sh))
                        rows = min(min(oh, r0 + block), _up(h + bh - q * dh, sh)) - ra
                        if rows <= 0:
                            continue
                        left = source + size * (((i * h + ra * sh - bh + q * dh) * wide - bw) * c + j)
                        right = given + size * ((i * oh + ra) * ow * c + j)
                        target = to + size * (q * kw * c + j)
                        if s1 > s0:
                            linked_strips(
                                dw_, (left + size * s0 * sw * c, sh * wide * c, dw * c, sw * c,
                                      right + size * s0 * c, ow * c, c,
                                      target, c, target, c, kw, channels, rows, s1 - s0, 0, 1),
                            )  # fmt: skip
                        for t in range(kw):
                            low = max(0, _up(bw - t * dw, sw))
                            high = min(ow, _up(wide + bw - t * dw, sw))
                            place = target + size * t * c
                            for side in range(2):
                                first = low if side == 0 else max(low, s1)
                                behind = min(high, s0) if side == 0 else high
                                if behind > first:
                                    linked_strips(
                                        dw_, (left + size * (first * sw + t * dw) * c, sh * wide * c, 0, sw * c,
                                              right + size * first * c, ow * c, c,
                                              place, 0, place, 0, 1, channels, rows, behind - first, 0, 1),
                                    )  # fmt: skip
                    j += channels
    else:
        padded = around(x, dw_, dy, sh, sw, dh, dw, bh, bw)
        for tap, window in windows(padded, dw_, dy, sh, sw, dh, dw):
            dw_[tap] += (window * dy).sum(axis=(0, 1, 2))


def around(x, w, y, sh, sw, dh, dw, bh, bw):
    """Images with zeros around, so that every window lies inside: the twin's."""
    sides = [(0, 0)]
    for axis, stride, dilation, before in ((1, sh, dh, bh), (2, sw, dw, bw)):
        reach = (y.shape[axis] - 1) * stride + (w.shape[axis - 1] - 1) * dilation + 1
        sides.append((before, max(0, reach - before - x.shape[axis])))
    return np.pad(x, [*sides, (0, 0)])


def windows(x, w, y, sh, sw, dh, dw):
    """For each tap the pixels it meets, as a view of padded images `(n, oh, ow, c)`: the twin's loop."""
    _, oh, ow, _ = y.shape
    for q, t in np.ndindex(*w.shape[:2]):
        yield (q, t), x[:, q * dh : q * dh + (oh - 1) * sh + 1 : sh, t * dw : t * dw + (ow - 1) * sw + 1 : sw]


@kernel
def repeat_forward(y, x):
    # y (n, c m), x (n, c): each channel m times
    m = y.shape[1] // x.shape[1]
    for i in range(x.shape[0]):
        to, row = y[i], x[i]
        for j in range(row.size):
            for k in range(m):
                to[j * m + k] = row[j]


@kernel
def repeat_backward(dx, dy):
    # dx (n, c), dy (n, c m)
    m = dy.shape[1] // dx.shape[1]
    for i in range(dx.shape[0]):
        to, row = dx[i], dy[i]
        for j in range(to.size):
            for k in range(m):
                to[j] += row[j * m + k]

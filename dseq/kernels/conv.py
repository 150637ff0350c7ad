"""Convolutions in one, two and three dimensions on the register tile, without gathering windows (im2col).

Arrays are channels-last, images as (n, depth, height, width, channels); fewer dimensions have sizes of 1. The input
is padded beforehand, so that every window lies inside; its gradient is that of the image without the margins, which
`before` counts on each axis. For one row of the kernel the window (width, channels) is contiguous: a run of
`dseq.kernels.gemm.contract`. With dilation or groups a run is the channels of one group.

    forward            rows are output pixels of all images      runs are rows of the kernel
    kernel's gradient  rows are taps and channels                runs are rows of output pixels
    input's gradient   rows are input pixels                     runs are taps

Forward chains over kernel depth, row, column, channel, in this order; the kernel's gradient over samples, then output
pixels; the input's over kernel depth, row, column, each from the last to the first, filter: with a stride of 1 the
output pixels of a row's taps are then one run, and in the turned kernel all taps follow each other.
"""

import numpy as np

from dseq.kernels.base import JIT, kernel
from dseq.kernels.epilogue import activate
from dseq.kernels.frame import zero_frame
from dseq.kernels.gemm import ITSELF, linked_contract, operand_of
from dseq.kernels.vector import size_of

MANY = 128  # filters that are enough for a product of each tap
LARGE = 1 << 20  # bytes of taps that do not stay in L2 while they are read for each class of pixels
SQUARE = 64  # rows and columns that are turned at once: as they lie in memory they fall into few lines of a cache
BLOCK = 2048  # output pixels after which the next group's turn is, so that x stays in a cache


@kernel
def samples_at_once(n, pixels, groups):
    # All of them, unless the groups would each fetch all of x from memory.
    at_once = n if groups == 1 else min(n, BLOCK // max(pixels, 1))
    return max(1, at_once)


@kernel
def conv_forward(y, x, w, b, sd, sh, sw, dd, dh, dw, groups, activation):
    # y (n, od, oh, ow, o), x (n, d, h, w, c) padded, w (kd, kh, kw, c / groups, o), b (o,) or None; the activation's
    # code is one of dseq.kernels.epilogue
    if JIT:
        n, od, oh, ow, o = y.shape
        _, d, h, wide, c = x.shape
        kd, kh, kw, cg, _ = w.shape
        size = size_of(y)
        to, source, taps = operand_of(y, y), operand_of(y, x), operand_of(y, w)
        bias = 0
        if b is not None:
            bias = operand_of(y, b)
        og, pixels, image = o // groups, od * oh * ow, d * h * wide * c
        columns, length = kw, cg
        if groups == 1 and dw == 1:
            columns, length = 1, kw * c
        block = samples_at_once(n, pixels, groups)
        for i in range(0, n, block):
            for g in range(groups):
                start = bias
                if bias != 0:
                    start = bias + size * g * og
                linked_contract(
                    y, (to + size * (i * pixels * o + g * og), source + size * (i * image + g * cg),
                        taps + size * g * og, start,
                        min(block, n - i), od, oh, ow,
                        pixels * o, oh * ow * o, ow * o, o,
                        image, sd * h * wide * c, sh * wide * c, sw * c,
                        kd, kh, columns,
                        dd * h * wide * c, dh * wide * c, dw * c,
                        kh * kw * cg * o, kw * cg * o, cg * o,
                        length, 1, o, 0, og, activation),
                )  # fmt: skip
    else:
        y[...] = 0 if b is None else b
        for place, window in windows(x, w, y.shape, (sd, sh, sw), (dd, dh, dw)):
            for inner, outer in channels(w, groups):
                y[..., outer] += window[..., inner] @ w[place][:, outer]
        activate(y.reshape(y.size), activation)


@kernel
def kernel_gradient(dw_, x, dy, sd, sh, sw, dd, dh, dw, groups, start):
    n, od, oh, ow, o = dy.shape
    _, d, h, wide, c = x.shape
    kd, kh, kw, cg, _ = dw_.shape
    size = size_of(dw_)
    to, source, given = operand_of(dw_, dw_), operand_of(dw_, x), operand_of(dw_, dy)
    og, pixels, image = o // groups, od * oh * ow, d * h * wide * c
    columns, length = kw, cg
    if groups == 1 and dw == 1:
        columns, length = 1, kw * c
    block = samples_at_once(n, pixels, groups)
    for i in range(0, max(n, 1), block):
        for g in range(groups):
            linked_contract(
                dw_, (to + size * g * og, source + size * (i * image + g * cg),
                      given + size * (i * pixels * o + g * og), start,
                      kd, kh, columns, length,
                      kh * kw * cg * o, kw * cg * o, cg * o, o,
                      dd * h * wide * c, dh * wide * c, dw * c, 1,
                      min(block, n - i), od, oh,
                      image, sd * h * wide * c, sh * wide * c,
                      pixels * o, oh * ow * o, ow * o,
                      ow, sw * c, o, 0, og, 0),
            )  # fmt: skip
        start = ITSELF


@kernel
def conv_backward_kernel(dw_, x, dy, sd, sh, sw, dd, dh, dw, groups):
    # dw_ (kd, kh, kw, c / groups, o), x (n, d, h, w, c) padded, dy (n, od, oh, ow, o)
    if JIT:
        kernel_gradient(dw_, x, dy, sd, sh, sw, dd, dh, dw, groups, ITSELF)
    else:
        for place, window in windows(x, dw_, dy.shape, (sd, sh, sw), (dd, dh, dw)):
            for inner, outer in channels(dw_, groups):
                a, b = window[..., inner], dy[..., outer]
                dw_[place][:, outer] += a.reshape(-1, a.shape[-1]).T @ b.reshape(-1, b.shape[-1])


@kernel
def conv_write_kernel(dw_, x, dy, sd, sh, sw, dd, dh, dw, groups):
    # as conv_backward_kernel, but dw_ is written
    if JIT:
        kernel_gradient(dw_, x, dy, sd, sh, sw, dd, dh, dw, groups, 0)
    else:
        dw_[...] = 0
        conv_backward_kernel(dw_, x, dy, sd, sh, sw, dd, dh, dw, groups)


@kernel
def conv_transpose_kernel(wt, w):
    # wt (kd, kh, kw, o, c / groups) with the last tap first, w (kd, kh, kw, c / groups, o)
    kd, kh, kw, c, o = w.shape
    taps = kd * kh * kw
    source, target = w.reshape(taps, c, o), wt.reshape(taps, o, c)
    near = np.empty((SQUARE, SQUARE), w.dtype)
    for p in range(taps):
        for j0 in range(0, o, SQUARE):
            for i0 in range(0, c, SQUARE):
                for i in range(i0, min(i0 + SQUARE, c)):
                    row, to = source[p, i, j0 : min(j0 + SQUARE, o)], near[i - i0]
                    for j in range(row.size):
                        to[j] = row[j]
                for j in range(j0, min(j0 + SQUARE, o)):
                    to, column = target[taps - 1 - p, j, i0 : min(i0 + SQUARE, c)], j - j0
                    for i in range(to.size):
                        to[i] = near[i, column]


@kernel
def taps_of(at, size, outputs, stride, dilation, step):
    # The first and the last tap t < size with at = t * dilation + stride * (one of the outputs); or size, size - 1
    first = max(0, -((stride * (outputs - 1) - at) // dilation))
    while first < size and (at - first * dilation) % stride != 0:
        first += 1
    last = min(size - 1, at // dilation)
    if first > last:
        return size, size - 1
    return first, last - (last - first) % step


@kernel
def class_of(at, begin, end, size, outputs, stride, dilation):
    # Taps that reach the place `at` on an axis: the first, how many, each so many after the one before; and the number
    # of places at, at + stride, .. < end that the same taps reach, 0 if `at` is not the first of them from `begin` on.
    step, rest = stride, dilation
    while rest != 0:
        step, rest = rest, step % rest
    step = stride // step
    first, last = taps_of(at, size, outputs, stride, dilation, step)
    if at >= begin + stride and taps_of(at - stride, size, outputs, stride, dilation, step) == (first, last):
        return first, 0, step, 0
    count = 1
    while at + count * stride < end:
        if taps_of(at + count * stride, size, outputs, stride, dilation, step) != (first, last):
            break
        count += 1
    return first, (last - first) // step + 1, step, count


@kernel
def reached_by(offset, size, outputs):
    # Outputs whose tap meets an image of `size` pixels, that of output 0 at pixel `offset`: the first such pixel, the
    # first output, and how many
    first = max(0, -offset)
    return first + offset, first, max(0, min(outputs, size - offset) - first)


@kernel
def input_gradient_by_taps(dx, dy, wt, dd, dh, dw, groups, bd, bh, bw, start):
    # One product for each tap, added where it reaches: the taps are read once, however few pixels there are. Strides
    # are 1.
    n, od, oh, ow, o = dy.shape
    _, d, h, wide, c = dx.shape
    kd, kh, kw, _, cg = wt.shape
    size = size_of(dx)
    to, given, taps = operand_of(dx, dx), operand_of(dx, dy), operand_of(dx, wt)
    og, pixels, image = o // groups, od * oh * ow, d * h * wide * c
    if start != ITSELF:
        whole = dx.reshape(dx.size)
        for j in range(whole.size):
            whole[j] = 0
    block = samples_at_once(n, pixels, groups)
    for i in range(0, n, block):
        for tap in range(kd * kh * kw):
            rest, t = divmod(tap, kw)
            p, q = divmod(rest, kh)
            z, z0, nz = reached_by((kd - 1 - p) * dd - bd, d, od)
            r, r0, nr = reached_by((kh - 1 - q) * dh - bh, h, oh)
            s, s0, ns = reached_by((kw - 1 - t) * dw - bw, wide, ow)
            if nz * nr * ns == 0:
                continue
            first, source = (z * h + r) * wide + s, (z0 * oh + r0) * ow + s0
            for g in range(groups):
                linked_contract(
                    dx, (to + size * (i * image + first * c + g * cg),
                         given + size * ((i * pixels + source) * o + g * og),
                         taps + size * (tap * o + g * og) * cg, ITSELF,
                         min(block, n - i), nz, nr, ns,
                         image, h * wide * c, wide * c, c,
                         pixels * o, oh * ow * o, ow * o, o,
                         1, 1, 1, 0, 0, 0, 0, 0, 0, og, 1, cg, 0, cg, 0),
                )  # fmt: skip


@kernel
def input_gradient(dx, dy, wt, sd, sh, sw, dd, dh, dw, groups, bd, bh, bw, start):
    # Input pixels that the same taps reach make a class, evenly spread along each axis: one product each.
    n, od, oh, ow, o = dy.shape
    _, d, h, wide, c = dx.shape
    kd, kh, kw, _, cg = wt.shape
    if sd * sh * sw == 1 and kd * kh * kw > 1 and o // groups >= MANY and wt.size * size_of(dx) > LARGE:
        input_gradient_by_taps(dx, dy, wt, dd, dh, dw, groups, bd, bh, bw, start)
        return
    size = size_of(dx)
    to, given, taps = operand_of(dx, dx), operand_of(dx, dy), operand_of(dx, wt)
    og, pixels, image = o // groups, od * oh * ow, d * h * wide * c
    block = samples_at_once(n, pixels, groups)
    for i in range(0, n, block):
        for z in range(d):
            p, n_p, p_step, nz = class_of(z + bd, bd, d + bd, kd, od, sd, dd)
            p += max(n_p - 1, 0) * p_step  # the last of them
            for r in range(h):
                q, nq, q_step, nr = class_of(r + bh, bh, h + bh, kh, oh, sh, dh)
                q += max(nq - 1, 0) * q_step  # the last of them
                if nz * nr == 0:
                    continue
                for s in range(wide):
                    t, nt, t_step, ns = class_of(s + bw, bw, wide + bw, kw, ow, sw, dw)
                    t += max(nt - 1, 0) * t_step  # the last of them
                    if ns == 0:
                        continue
                    first, tap = 0, 0
                    if n_p * nq * nt != 0:
                        first = ((z + bd - p * dd) // sd) * oh + (r + bh - q * dh) // sh
                        first = first * ow + (s + bw - t * dw) // sw
                        tap = ((kd - 1 - p) * kh + kh - 1 - q) * kw + kw - 1 - t
                    for g in range(groups):
                        linked_contract(
                            dx, (to + size * (i * image + ((z * h + r) * wide + s) * c + g * cg),
                                 given + size * ((i * pixels + first) * o + g * og),
                                 taps + size * (tap * o + g * og) * cg, start,
                                 min(block, n - i), nz, nr, ns,
                                 image, sd * h * wide * c, sh * wide * c, sw * c,
                                 pixels * o, oh * ow * o, ow * o, o,
                                 n_p, nq, nt,
                                 p_step * dd // sd * oh * ow * o, q_step * dh // sh * ow * o, t_step * dw // sw * o,
                                 p_step * kh * kw * o * cg, q_step * kw * o * cg, t_step * o * cg,
                                 og, 1, cg, 0, cg, 0),
                        )  # fmt: skip


@kernel
def conv_backward_input(dx, dy, wt, sd, sh, sw, dd, dh, dw, groups, bd, bh, bw):
    # dx (n, d, h, w, c), so far behind the first windows' beginning, dy (n, od, oh, ow, o), wt as
    # conv_transpose_kernel makes it
    if JIT:
        input_gradient(dx, dy, wt, sd, sh, sw, dd, dh, dw, groups, bd, bh, bw, ITSELF)
    else:
        strides, dilations, before, taps = (sd, sh, sw), (dd, dh, dw), (bd, bh, bw), wt[::-1, ::-1, ::-1]
        ends = [
            max(first + size, (outputs - 1) * stride + (window - 1) * dilation + 1)
            for first, size, outputs, stride, window, dilation in zip(
                before, dx.shape[1:4], dy.shape[1:4], strides, wt.shape, dilations, strict=False
            )
        ]
        padded = np.zeros((dx.shape[0], *ends, dx.shape[4]), dx.dtype)
        for place, window in windows(padded, taps, dy.shape, strides, dilations):
            for outer, inner in channels(np.swapaxes(taps, 3, 4), groups):
                window[..., outer] += dy[..., inner] @ taps[place][inner]
        d, h, w = dx.shape[1:4]
        dx += padded[:, bd : bd + d, bh : bh + h, bw : bw + w]


@kernel
def conv_write_input(dx, dy, wt, sd, sh, sw, dd, dh, dw, groups, bd, bh, bw):
    # as conv_backward_input, but dx is written
    if JIT:
        input_gradient(dx, dy, wt, sd, sh, sw, dd, dh, dw, groups, bd, bh, bw, 0)
    else:
        dx[...] = 0
        conv_backward_input(dx, dy, wt, sd, sh, sw, dd, dh, dw, groups, bd, bh, bw)


def windows(x, w, shape, strides, dilations):
    """For each place in the kernel, the pixels it meets as a view `(n, od, oh, ow, c)`: the twin's loop."""
    for place in np.ndindex(*w.shape[:3]):
        window = x
        for axis, (offset, count, stride, dilation) in enumerate(
            zip(place, shape[1:4], strides, dilations, strict=True), 1
        ):
            first = offset * dilation
            window = window[(slice(None),) * axis + (slice(first, first + (count - 1) * stride + 1, stride),)]
        yield place, window


def channels(w, groups):
    """The input and output channels of each group."""
    c, o = w.shape[3], w.shape[4] // groups
    return [(slice(g * c, (g + 1) * c), slice(g * o, (g + 1) * o)) for g in range(groups)]


@kernel
def pad_forward(y, x, before_d, before_h, before_w):
    # y (n, d', h', w', c) zeros but for x (n, d, h, w, c) in its middle
    n, d, h, w, c = x.shape
    for i in range(n):
        zero_frame(y[i], before_d, before_h, before_w, d, h, w)
        for z in range(d):
            for r in range(h):
                row = y[i, before_d + z, before_h + r].reshape(y.shape[3] * c)[before_w * c : (before_w + w) * c]
                source = x[i, z, r].reshape(w * c)
                for j in range(w * c):
                    row[j] = source[j]

"""Convolutions in one, two and three dimensions on the register tile, without gathering windows (im2col).

Arrays are channels-last, images as (n, depth, height, width, channels); fewer dimensions have sizes of 1. The input
is padded beforehand, so that every window lies inside. For one row of the kernel the window (width, channels) is
contiguous, and so a row of output pixels is a product of matrices: K = kernel width * channels, and successive rows of
A are one stride apart. With dilation or groups K is the channels of one group.

Forward chains over kernel depth, row, column, channel, in this order; the kernel's gradient over samples, then output
pixels. `strides` and `dilations` are for depth, height, width.
"""

import numpy as np

from dseq.kernels.base import JIT, kernel
from dseq.kernels.epilogue import activate
from dseq.kernels.gemm import operand_of
from dseq.kernels.link import linked
from dseq.kernels.microkernel import narrow_panel, wide_panel
from dseq.kernels.packing import copy_panel, scratch, zeros
from dseq.kernels.vector import BYTES, DEPTH, MASKED_LOADS, TILE, size_of

VECTORS = TILE.vectors


@kernel
def sweep(pointer, a, sa, lda, ka, b, sb, ldb, c, ldc, start, lds, n, m, batches, k):
    # c (n, m) at stride ldc = start (n, m) + sum over batches of a (n, k) @ b (k, m); start 0 for zeros
    size = size_of(pointer)
    lanes = BYTES // size
    width = VECTORS * lanes
    moves = size
    if start == 0:
        start, lds, moves = zeros(pointer), 0, 0
    for j0 in range(0, m, width):
        columns = min(width, m - j0)
        if columns == width:
            wide_panel(
                pointer, a, sa, lda, ka, b + size * j0, sb, ldb,
                c + size * j0, ldc, start + moves * j0, lds, n, columns, batches, k, 0, 0,
            )  # fmt: skip
        elif MASKED_LOADS:
            for j in range(j0, j0 + columns, lanes):
                narrow_panel(
                    pointer, a, sa, lda, ka, b + size * j, sb, ldb,
                    c + size * j, ldc, start + moves * j, lds, n, m - j, batches, k, 0, 0,
                )  # fmt: skip
        else:
            panel = scratch(pointer)
            origin, stride, step = start + moves * j0, lds, moves
            for batch in range(batches):
                for k0 in range(0, max(k, 1), DEPTH):
                    depth = min(DEPTH, k - k0)
                    copy_panel(pointer, panel, b + size * (batch * sb + k0 * ldb + j0), ldb, depth, columns)
                    for j in range(0, columns, lanes):
                        narrow_panel(
                            pointer, a + size * (batch * sa + k0 * ka), 0, lda, ka, panel + size * j, 0, width,
                            c + size * (j0 + j), ldc, origin + step * j, stride, n, columns - j, 1, depth, 0, 0,
                        )  # fmt: skip
                    origin, stride, step = c + size * j0, ldc, size


linked_sweep = linked(sweep, 15)


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
        og = o // groups
        whole = groups == 1 and dw == 1
        for i in range(n):
            for g in range(groups):
                for z in range(od):
                    for r in range(oh):
                        row = to + size * ((((i * od + z) * oh + r) * ow) * o + g * og)
                        start, lds = bias, 0
                        if bias != 0:
                            start = bias + size * g * og
                        for p in range(kd):
                            first = (i * d + z * sd + p * dd) * h + r * sh
                            left = source + size * (first * wide * c + g * cg)
                            right = taps + size * (p * kh * kw * cg * o + g * og)
                            if whole:
                                linked_sweep(
                                    y, (left, dh * wide * c, sw * c, 1, right, kw * c * o, o,
                                        row, o, start, lds, ow, og, kh, kw * c),
                                )  # fmt: skip
                                start, lds = row, o
                            else:
                                for q in range(kh):
                                    linked_sweep(
                                        y, (left + size * q * dh * wide * c, dw * c, sw * c, 1,
                                            right + size * q * kw * cg * o, cg * o, o,
                                            row, o, start, lds, ow, og, kw, cg),
                                    )  # fmt: skip
                                    start, lds = row, o
            if activation != 0:
                image = y[i]
                activate(image.reshape(image.size), activation)
    else:
        y[...] = 0 if b is None else b
        for place, window in windows(x, w, y.shape, (sd, sh, sw), (dd, dh, dw)):
            for inner, outer in channels(w, groups):
                y[..., outer] += window[..., inner] @ w[place][:, outer]
        activate(y.reshape(y.size), activation)


@kernel
def conv_backward_kernel(dw_, x, dy, sd, sh, sw, dd, dh, dw, groups):
    # dw_ (kd, kh, kw, c / groups, o), x (n, d, h, w, c) padded, dy (n, od, oh, ow, o)
    if JIT:
        n, od, oh, ow, o = dy.shape
        _, d, h, wide, c = x.shape
        kd, kh, kw, cg, _ = dw_.shape
        size = size_of(dw_)
        to, source, given = operand_of(dw_, dw_), operand_of(dw_, x), operand_of(dw_, dy)
        og = o // groups
        whole = groups == 1 and dw == 1
        for i in range(n):
            for g in range(groups):
                for z in range(od):
                    right = given + size * ((i * od + z) * oh * ow * o + g * og)
                    for p in range(kd):
                        for q in range(kh):
                            image = (i * d + z * sd + p * dd) * h + q * dh
                            left = source + size * (image * wide * c + g * cg)
                            target = to + size * ((p * kh + q) * kw * cg * o + g * og)
                            if whole:
                                linked_sweep(
                                    dw_, (left, sh * wide * c, 1, sw * c, right, ow * o, o,
                                          target, o, target, o, kw * c, og, oh, ow),
                                )  # fmt: skip
                            else:
                                for t in range(kw):
                                    place = target + size * t * cg * o
                                    linked_sweep(
                                        dw_, (left + size * t * dw * c, sh * wide * c, 1, sw * c, right, ow * o, o,
                                              place, o, place, o, cg, og, oh, ow),
                                    )  # fmt: skip
    else:
        for place, window in windows(x, dw_, dy.shape, (sd, sh, sw), (dd, dh, dw)):
            for inner, outer in channels(dw_, groups):
                a, b = window[..., inner], dy[..., outer]
                dw_[place][:, outer] += a.reshape(-1, a.shape[-1]).T @ b.reshape(-1, b.shape[-1])


@kernel
def conv_transpose_kernel(wt, w):
    # wt (kd, kh, kw, o, c / groups), w (kd, kh, kw, c / groups, o)
    kd, kh, kw, c, o = w.shape
    source, target = w.reshape(kd * kh * kw, c, o), wt.reshape(kd * kh * kw, o, c)
    for p in range(source.shape[0]):
        for j0 in range(0, o, 16):
            for i in range(c):
                row = source[p, i]
                for j in range(j0, min(j0 + 16, o)):
                    target[p, j, i] = row[j]


@kernel
def conv_backward_input(dx, dy, wt, sd, sh, sw, dd, dh, dw, groups):
    # dx (n, d, h, w, c) padded, dy (n, od, oh, ow, o), wt (kd, kh, kw, o, c / groups)
    if JIT:
        n, od, oh, ow, o = dy.shape
        _, d, h, wide, c = dx.shape
        kd, kh, kw, _, cg = wt.shape
        size = size_of(dx)
        to, given, taps = operand_of(dx, dx), operand_of(dx, dy), operand_of(dx, wt)
        og = o // groups
        for i in range(n):
            for g in range(groups):
                for z in range(od):
                    for p in range(kd):
                        for row in range(h):
                            # Kernel rows q with row = r * sh + q * dh for some output row r: every `step`-th from
                            # `first` on, with output rows from `r` on downwards.
                            step = sh if dh == 1 else 1
                            first = max(0, (row - (oh - 1) * sh + dh - 1) // dh)
                            while first < kh and (row - first * dh) % sh != 0:
                                first += 1
                            last = min(kh - 1, row // dh)
                            if first > last:
                                continue
                            count = (last - first) // step + 1
                            r = (row - first * dh) // sh
                            away = step * dh // sh
                            left = given + size * (((i * od + z) * oh + r) * ow * o + g * og)
                            image = (i * d + z * sd + p * dd) * h + row
                            for t in range(kw):
                                target = to + size * ((image * wide + t * dw) * c + g * cg)
                                right = taps + size * ((((p * kh + first) * kw + t) * o + g * og) * cg)
                                linked_sweep(
                                    dx, (left, -away * ow * o, o, 1, right, step * kw * o * cg, cg,
                                         target, sw * c, target, sw * c, ow, cg, count, og),
                                )  # fmt: skip
    else:
        for place, window in windows(dx, wt, dy.shape, (sd, sh, sw), (dd, dh, dw)):
            for outer, inner in channels(np.swapaxes(wt, 3, 4), groups):
                window[..., outer] += dy[..., inner] @ wt[place][inner]


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
    y.reshape(y.size)[:] = 0
    for i in range(n):
        for z in range(d):
            for r in range(h):
                row = y[i, before_d + z, before_h + r].reshape(y.shape[3] * c)[before_w * c : (before_w + w) * c]
                source = x[i, z, r].reshape(w * c)
                for j in range(w * c):
                    row[j] = source[j]


@kernel
def pad_backward(dx, dy, before_d, before_h, before_w):
    # dx (n, d, h, w, c), dy (n, d', h', w', c)
    n, d, h, w, c = dx.shape
    for i in range(n):
        for z in range(d):
            for r in range(h):
                row = dy[i, before_d + z, before_h + r].reshape(dy.shape[3] * c)[before_w * c : (before_w + w) * c]
                target = dx[i, z, r].reshape(w * c)
                for j in range(w * c):
                    target[j] += row[j]

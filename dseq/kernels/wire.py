"""What makes messages between nodes shorter: numbers of 16 bits, and the largest of many numbers.

Conversions are written in integer instructions, which every processor has and every loop of them vectorises; they round
to nearest, ties to even, as IEEE 754 says. A float64 is rounded to float32 first.
"""

import numpy as np
from llvmlite import ir
from numba import types

from dseq.kernels.base import kernel, primitive

BLOCK = 1024  # elements of a sum at a time: they stay in L1
BINS = 2048  # classes of magnitude: eight for each power of two
WORD, FLOAT = ir.IntType(32), ir.FloatType()


def _bits(builder, x):
    return builder.bitcast(builder.fptrunc(x, FLOAT) if x.type == ir.DoubleType() else x, WORD)


def _encoding(twin):
    """A primitive from a float to 16 bits, of a function that writes it for 32 bits."""

    def wrap(write):
        @primitive(twin=twin)
        def encode(typingctx, x):
            def codegen(context, builder, signature, args):
                bits = write(builder, _bits(builder, args[0]), lambda value: ir.Constant(WORD, value))
                return builder.trunc(bits, ir.IntType(16))

            return types.uint16(x), codegen

        return encode

    return wrap


def _decoding(twin):
    def wrap(write):
        @primitive(twin=twin)
        def decode(typingctx, h):
            def codegen(context, builder, signature, args):
                bits = builder.zext(args[0], WORD)
                return builder.bitcast(write(builder, bits, lambda value: ir.Constant(WORD, value)), FLOAT)

            return types.float32(h), codegen

        return decode

    return wrap


def _half_twin(x):
    with np.errstate(over="ignore"):
        return int(np.float32(x).astype(np.float16).view(np.uint16))


@_encoding(_half_twin)
def to_half(b, u, c):
    """Five bits of exponent, ten of mantissa. Below 2**-14, adding 0.5 puts the bits where they belong."""
    sign = b.and_(u, c(0x80000000))
    a = b.xor(u, sign)
    special = b.select(b.icmp_unsigned(">", a, c(0x7F800000)), c(0x7E00), c(0x7C00))
    small = b.sub(b.bitcast(b.fadd(b.bitcast(a, FLOAT), ir.Constant(FLOAT, 0.5)), WORD), c(0x3F000000))
    odd = b.and_(b.lshr(a, c(13)), c(1))
    normal = b.lshr(b.add(b.add(a, c(0xC8000FFF)), odd), c(13))
    finite = b.select(b.icmp_unsigned("<", a, c(113 << 23)), small, normal)
    found = b.select(b.icmp_unsigned(">=", a, c(143 << 23)), special, finite)
    return b.or_(found, b.lshr(sign, c(16)))


@_decoding(lambda h: np.uint16(h).view(np.float16).astype(np.float32))
def from_half(b, h, c):
    """The float32 of the same value."""
    sign = b.shl(b.and_(h, c(0x8000)), c(16))
    a = b.shl(b.and_(h, c(0x7FFF)), c(13))
    exponent = b.and_(a, c(0x0F800000))
    normal = b.add(a, c(112 << 23))
    special = b.add(normal, c(112 << 23))
    least = b.bitcast(c(113 << 23), FLOAT)
    small = b.bitcast(b.fsub(b.bitcast(b.add(normal, c(1 << 23)), FLOAT), least), WORD)
    finite = b.select(b.icmp_unsigned("==", exponent, c(0)), small, normal)
    return b.or_(b.select(b.icmp_unsigned("==", exponent, c(0x0F800000)), special, finite), sign)


def _bfloat_twin(x):
    bits = int(np.float32(x).view(np.uint32))
    return bits >> 16 | 0x40 if bits & 0x7FFFFFFF > 0x7F800000 else (bits + 0x7FFF + (bits >> 16 & 1)) >> 16


@_encoding(_bfloat_twin)
def to_bfloat(b, u, c):
    """The upper half of a float32: its range, with eight bits of mantissa."""
    nan = b.icmp_unsigned(">", b.and_(u, c(0x7FFFFFFF)), c(0x7F800000))
    upper = b.lshr(u, c(16))
    rounded = b.lshr(b.add(b.add(u, c(0x7FFF)), b.and_(upper, c(1))), c(16))
    return b.select(nan, b.or_(upper, c(0x40)), rounded)


@_decoding(lambda h: np.uint32(int(h) << 16).view(np.float32))
def from_bfloat(b, h, c):
    """The float32 of the same value."""
    return b.shl(h, c(16))


def _magnitude_twin(x):
    return (int(np.float32(x).view(np.uint32)) & 0x7FFFFFFF) >> 20


@primitive(twin=_magnitude_twin)
def magnitude(typingctx, x):
    """The class of a number's magnitude, 0 to BINS - 1: the larger the number, the higher."""

    def codegen(context, builder, signature, args):
        bits = builder.and_(_bits(builder, args[0]), ir.Constant(WORD, 0x7FFFFFFF))
        return builder.zext(builder.lshr(bits, ir.Constant(WORD, 20)), ir.IntType(64))

    return types.int64(x), codegen


@kernel
def pack_half(h, x):
    # h (n,) uint16 of x (n,)
    for i in range(x.size):
        h[i] = to_half(x[i])


@kernel
def unpack_half(x, h):
    # x (n,) of h (n,)
    for i in range(x.size):
        x[i] = from_half(h[i])


@kernel
def sum_half(total, rows, block):
    # total (n,) of the sum of rows (k, n), both uint16, added in their order in float32; block (BLOCK,) is scratch
    for lo in range(0, total.size, BLOCK):
        size = min(BLOCK, total.size - lo)
        s, a, t = block[:size], rows[0][lo : lo + size], total[lo : lo + size]
        for i in range(size):
            s[i] = from_half(a[i])
        for r in range(1, rows.shape[0]):
            b = rows[r][lo : lo + size]
            for i in range(size):
                s[i] += from_half(b[i])
        for i in range(size):
            t[i] = to_half(s[i])


@kernel
def pack_bfloat(h, x):
    # h (n,) uint16 of x (n,)
    for i in range(x.size):
        h[i] = to_bfloat(x[i])


@kernel
def unpack_bfloat(x, h):
    # x (n,) of h (n,)
    for i in range(x.size):
        x[i] = from_bfloat(h[i])


@kernel
def sum_bfloat(total, rows, block):
    # as sum_half
    for lo in range(0, total.size, BLOCK):
        size = min(BLOCK, total.size - lo)
        s, a, t = block[:size], rows[0][lo : lo + size], total[lo : lo + size]
        for i in range(size):
            s[i] = from_bfloat(a[i])
        for r in range(1, rows.shape[0]):
            b = rows[r][lo : lo + size]
            for i in range(size):
                s[i] += from_bfloat(b[i])
        for i in range(size):
            t[i] = to_bfloat(s[i])


@kernel
def count_magnitudes(counts, x):
    # counts (BINS,) int64: how many of x (n,) are of each class
    for i in range(BINS):
        counts[i] = 0
    for i in range(x.size):
        counts[magnitude(x[i])] += 1


@kernel
def take_largest(index, value, x, counts):
    # moves the k largest of x (n,), as counts tells their classes, into value (k,) with their places in index (k,)
    # int32; 0 stays in x. Of the last class, which not all may be taken from, those that come first
    left, least = index.size, BINS - 1
    while least > 0 and counts[least] <= left:
        left -= counts[least]
        least -= 1
    k, zero = 0, x.dtype.type(0)
    for i in range(x.size):
        found = magnitude(x[i])
        if found >= least and k < index.size:
            if found == least:
                if left <= 0:
                    continue
                left -= 1
            index[k] = i
            value[k] = x[i]
            x[i] = zero
            k += 1


@kernel
def scatter_add(x, index, value):
    # x (n,) gets value (k,) added at index (k,) int32, in order
    for k in range(index.size):
        x[index[k]] += value[k]

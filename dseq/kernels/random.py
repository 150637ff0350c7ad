"""Random numbers from counters: Philox4x32-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011).

A draw is a function of (seed, step, stream, sample, element of the sample) and of nothing else, so it is the same
however samples are dealt out to ranks, and backward can draw again what forward drew. `clock` is the int64 array
[seed, step, first_row]; first_row is the number of the first sample this rank has. Arrays are (rows, elements of
a sample): a sample of several axes has to be flattened, or different samples would share draws.
"""

import numpy as np
from llvmlite import ir
from numba import types

from dseq.kernels.base import inlined, kernel, primitive
from dseq.kernels.math import log, turn
from dseq.kernels.primitives import fma, is_single, like, square_root

MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
WEYL = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10
WORD = np.uint64(0xFFFFFFFF)
BITS = np.uint64(32)


def _philox_twin(c0, c1, c2, c3, k0, k1):
    c0, c1, c2, c3, k0, k1 = map(int, (c0, c1, c2, c3, k0, k1))
    for _ in range(ROUNDS):
        first, second = MULTIPLIERS[0] * c0, MULTIPLIERS[1] * c2
        c0, c2 = (second >> 32) ^ c1 ^ k0, (first >> 32) ^ c3 ^ k1
        c1, c3 = second & 0xFFFFFFFF, first & 0xFFFFFFFF
        k0, k1 = (k0 + WEYL[0]) & 0xFFFFFFFF, (k1 + WEYL[1]) & 0xFFFFFFFF
    return np.uint64(c0), np.uint64(c1), np.uint64(c2), np.uint64(c3)


@primitive(twin=_philox_twin)
def philox(typingctx, c0, c1, c2, c3, k0, k1):
    """Four random words from four words of counter and two of key; all uint64 below 2**32.

    Words stay in 64-bit integers, as SIMD units multiply 32 by 32 bits in 64-bit lanes. Written in LLVM, for a loop
    of rounds inside the loop over counters would not become SIMD code.
    """

    def codegen(context, builder, signature, args):
        word = ir.IntType(64)
        mask, half = word(0xFFFFFFFF), word(32)
        c0, c1, c2, c3, k0, k1 = args
        for _ in range(ROUNDS):
            first, second = builder.mul(c0, word(MULTIPLIERS[0])), builder.mul(c2, word(MULTIPLIERS[1]))
            c0 = builder.xor(builder.xor(builder.lshr(second, half), c1), k0)
            c2 = builder.xor(builder.xor(builder.lshr(first, half), c3), k1)
            c1, c3 = builder.and_(second, mask), builder.and_(first, mask)
            k0 = builder.and_(builder.add(k0, word(WEYL[0])), mask)
            k1 = builder.and_(builder.add(k1, word(WEYL[1])), mask)
        return context.make_tuple(builder, signature.return_type, [c0, c1, c2, c3])

    return types.UniTuple(types.uint64, 4)(*[types.uint64] * 6), codegen


@inlined
def draw(index, clock, stream):
    """The four words number `index` of a stream, at the clock's step."""
    index, seed = np.uint64(index), np.uint64(clock[0])
    step, number = np.uint64(clock[1]) & WORD, np.uint64(stream) & WORD
    return philox(index & WORD, index >> BITS, step, number, seed & WORD, seed >> BITS)


@inlined
def pick(words, place):
    """Word number `place` of four, by selects."""
    low = words[0] if place == 0 else words[1]
    high = words[2] if place == 2 else words[3]
    return low if place < 2 else high


@inlined
def word(index, clock, stream):
    """Word number `index` of a stream: element j of sample i is number i * (elements of a sample) + j."""
    return pick(draw(index >> 2, clock, stream), index & 3)


@inlined
def _unit(high, low, one):
    """A number in [0, 1): 24 bits of the first word in float32, 53 of both in float64."""
    high, low = np.uint64(high), np.uint64(low)
    coarse = like(one, np.int32(high >> np.uint64(8))) * like(one, 2.0**-24)
    first, second = like(one, np.int32(high >> np.uint64(5))), like(one, np.int32(low >> np.uint64(6)))
    fine = fma(first, like(one, 2.0**26), second) * like(one, 2.0**-53)
    return coarse if is_single(one) else fine


@inlined
def _more(index):
    """The number of a second draw for the same element: float64 needs more bits than a word has."""
    return np.uint64(index) | np.uint64(1 << 62)


@inlined
def _uniforms(flat, start, clock, stream):
    one = flat.dtype.type(1)
    head = -start & 3  # a draw makes four words; the first may belong to the rank before
    quads = max(flat.size - head, 0) >> 2
    first = (start + head) >> 2
    for q in range(quads):
        a, b, c, d = draw(first + q, clock, stream)
        e, f, g, h = draw(_more(first + q), clock, stream)
        i = head + 4 * q
        flat[i] = _unit(a, e, one)
        flat[i + 1] = _unit(b, f, one)
        flat[i + 2] = _unit(c, g, one)
        flat[i + 3] = _unit(d, h, one)
    for k in range(flat.size - 4 * quads):
        i = k if k < head else k + 4 * quads
        number = (start + i) >> 2
        high = pick(draw(number, clock, stream), (start + i) & 3)
        low = pick(draw(_more(number), clock, stream), (start + i) & 3)
        flat[i] = _unit(high, low, one)


@inlined
def _normal_pair(first, second, one):
    """Two independent normal numbers from two words (Box and Muller)."""
    # Half a unit more: the logarithm of 0 would be infinite.
    chance = fma(like(one, first), like(one, 2.0**-32), like(one, 2.0**-33))
    radius = square_root(like(one, -2.0) * log(chance))
    cosine, sine = turn(second, one)
    return radius * cosine, radius * sine


@kernel
def uniform(out, clock, stream):
    # out (n, m): numbers in [0, 1)
    _uniforms(out.reshape(out.size), clock[2] * out.shape[1], clock, stream)


@kernel
def uniform_alike(out, clock, stream):
    # out (n,): numbers in [0, 1), the same on every rank
    _uniforms(out, 0, clock, stream)


@inlined
def _normals(flat, start, clock, stream):
    one = flat.dtype.type(1)
    head = -start & 3
    quads = max(flat.size - head, 0) >> 2
    first = (start + head) >> 2
    for q in range(quads):
        a, b, c, d = draw(first + q, clock, stream)
        i = head + 4 * q
        flat[i], flat[i + 1] = _normal_pair(a, b, one)
        flat[i + 2], flat[i + 3] = _normal_pair(c, d, one)
    for k in range(flat.size - 4 * quads):
        i = k if k < head else k + 4 * quads
        words = draw((start + i) >> 2, clock, stream)
        place = (start + i) & 2
        cosine, sine = _normal_pair(pick(words, place), pick(words, place + 1), one)
        flat[i] = sine if (start + i) & 1 else cosine


@kernel
def normal(out, clock, stream):
    # out (n, m): numbers of mean 0 and variance 1
    _normals(out.reshape(out.size), clock[2] * out.shape[1], clock, stream)


@kernel
def normal_alike(out, clock, stream):
    # out (n,): numbers of mean 0 and variance 1, the same on every rank
    _normals(out, 0, clock, stream)

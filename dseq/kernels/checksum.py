"""Checksums of replicas, and the flags in which ranks tell them each other: one number per bit, so that sums are exact.

A checksum is the sum of 32-bit words, each times an odd number of its place, modulo 2**64. One flipped bit changes it
by a power of two below 2**32 times an odd number, two flipped bits by the sum of two different ones: by something that
is not zero. NaNs count as one value, as processors differ in which of two they keep.

Flags are elements of a float array that is summed over ranks: `STOP`, `BAD`, `STRAYED`, then one for each bit of the
checksum. A sum of bits is 0 or the number of ranks exactly where all ranks have the same bit.
"""

from dseq.kernels.base import inlined, kernel

STOP, BAD, STRAYED, FIRST_BIT = 0, 1, 2, 3
BITS = 64
FLAGS = FIRST_BIT + BITS


@inlined
def _narrow(words, first):
    total = 0
    for i in range(words.size):
        w = int(words[i]) & 0xFFFFFFFF
        w = 0x7FC00000 if (w & 0x7FFFFFFF) > 0x7F800000 else w
        total += w * ((2 * (first + i) + 1) & 0xFFFFFFFF)
    return total


@inlined
def _wide(words, first):
    total = 0
    for i in range(words.size):
        w = int(words[i])
        nan = (w & 0x7FFFFFFFFFFFFFFF) > 0x7FF0000000000000
        high = 0x7FF80000 if nan else (w >> 32) & 0xFFFFFFFF
        low = 0 if nan else w & 0xFFFFFFFF
        total += low * ((4 * (first + i) + 1) & 0xFFFFFFFF) + high * ((4 * (first + i) + 3) & 0xFFFFFFFF)
    return total


@kernel
def checksum(words, lo, hi):
    # words (n,) int32 or int64, what floats look like as integers: returns the checksum of words[lo:hi]
    return _narrow(words[lo:hi], lo) if words.itemsize == 4 else _wide(words[lo:hi], lo)


@kernel(fastmath={"reassoc"})
def write_flags(flags, stop, strayed, sums, grads, lo, hi, words, first, last):
    # flags (FLAGS,) = this rank's; BAD, which it returns, if anything in sums (k,) or grads[lo:hi] is not finite; the
    # checksum of words[first:last]
    zero = flags.dtype.type(0)
    bad = zero
    for i in range(sums.size):
        bad += sums[i] * zero
    part = grads[lo:hi]
    for i in range(part.size):
        bad += part[i] * zero
    total = checksum(words, first, last)
    flags[STOP] = stop
    found = 0 if bad == zero else 1
    flags[BAD] = found
    flags[STRAYED] = strayed
    for i in range(BITS):
        flags[FIRST_BIT + i] = (total >> i) & 1
    return found


@kernel(fastmath={"reassoc"})
def read_flags(tail, first, size):
    # tail (first + FLAGS,) summed over ranks, other sums first: returns bits 1 if any rank stops, 2 if any sum is not
    # finite or any rank has found something that is not, 4 if any has strayed, 8 if checksums differ
    zero = tail.dtype.type(0)
    bad = zero
    for i in range(first):
        bad += tail[i] * zero
    flags = tail[first:]
    found = 0
    if flags[STOP] != 0:
        found += 1
    if flags[BAD] != 0 or bad != zero:
        found += 2
    if flags[STRAYED] != 0:
        found += 4
    differ = 0
    for i in range(FIRST_BIT, FLAGS):
        if flags[i] != 0 and flags[i] != size:
            differ = 8
    return found + differ

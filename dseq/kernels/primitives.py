"""The operations that `dseq.kernels.math` and `dseq.kernels.random` are made of: LLVM instructions on floats' bits.

Each is written for float32 and float64, keeps a loop free of branches and calls, and has a twin in Python. Only
functions made by `kernel` or `inlined` can call them, and no kernel that has to run as plain Python.
"""

import math

import numpy as np
from llvmlite import ir
from numba import types

from dseq.kernels.base import primitive

# Bits of the mantissa and bias of the exponent; integers as wide as the float hold its bits.
LAYOUT = {"float32": (23, 127, ir.IntType(32)), "float64": (52, 1023, ir.IntType(64))}


def polynomial(single, double=None):
    """A polynomial for use inside kernels, by Horner's rule in fused multiply-adds.

    Args:
        single: Its coefficients in float32, the constant first.
        double: The same in float64; those of float32 unless given.

    Returns:
        A primitive `p(x)`; with one coefficient it is a constant of the type of `x`.
    """
    double = single if double is None else double

    def twin(x):
        coefficients = [type(x)(c) for c in (single if isinstance(x, np.float32) else double)]
        value = coefficients[-1]
        for c in coefficients[-2::-1]:
            value = value * x + c
        return value

    @primitive(twin=twin)
    def evaluate(typingctx, x):
        coefficients = single if x == types.float32 else double

        def codegen(context, builder, signature, args):
            kind = args[0].type
            constants = [ir.Constant(kind, float(np.float32(c) if x == types.float32 else c)) for c in coefficients]
            value = constants[-1]
            for c in constants[-2::-1]:
                value = builder.fma(value, args[0], c)
            return value

        return x(x), codegen

    return evaluate


def _llvm(name, count, twin):
    """The LLVM intrinsic of this name on `count` floats of one type."""

    def codegen(context, builder, signature, args):
        kind = args[0].type
        return builder.call(builder.module.declare_intrinsic(name, [kind], ir.FunctionType(kind, [kind] * count)), args)

    typers = {
        1: lambda typingctx, x: (x(x), codegen),
        2: lambda typingctx, x, y: (x(x, x), codegen),
        3: lambda typingctx, x, y, z: (x(x, x, x), codegen),
    }
    return primitive(twin=twin)(typers[count])


fma = _llvm("llvm.fma", 3, lambda x, y, z: x * y + z)
copysign = _llvm("llvm.copysign", 2, lambda x, y: type(x)(math.copysign(x, y)))
magnitude = _llvm("llvm.fabs", 1, abs)
square_root = _llvm("llvm.sqrt", 1, np.sqrt)


@primitive(twin=lambda x, value: type(x)(value))
def like(typingctx, x, value):
    """A number as a constant of the type of `x`: `like(x, 0.5)`."""

    def codegen(context, builder, signature, args):
        return context.cast(builder, args[1], value, x)

    return x(x, value), codegen


@primitive(twin=lambda x: isinstance(x, np.float32))
def is_single(typingctx, x):
    """Whether x is a float32; known when compiling."""

    def codegen(context, builder, signature, args):
        return ir.Constant(ir.IntType(1), int(x == types.float32))

    return types.boolean(x), codegen


# A float `t = SHIFT + n` with an integral |n| < 2**21 holds n in its lowest bits: the shift rounds to an integer
# and makes it readable as one, in a single addition.
SHIFT_VALUE = {"float32": 1.5 * 2.0**23, "float64": 1.5 * 2.0**52}
SHIFT = polynomial([SHIFT_VALUE["float32"]], [SHIFT_VALUE["float64"]])


def _power(builder, n, layout, kind):
    """2**n for an integer n in the range of normal exponents."""
    mantissa, bias, word = layout
    return builder.bitcast(builder.shl(builder.add(n, word(bias)), word(mantissa)), kind)


def _low_bits(builder, t, name):
    """The integer n held by `SHIFT + n`."""
    word = LAYOUT[name][2]
    dtype = np.dtype(name).type
    shift = int(dtype(SHIFT_VALUE[name]).view(f"i{word.width // 8}"))
    return builder.sub(builder.bitcast(t, word), word(shift))


@primitive(twin=lambda t: np.ldexp(type(t)(1), int(t - type(t)(SHIFT_VALUE[type(t).__name__]))))
def two_to(typingctx, t):
    """2**n for `t = SHIFT + n`; n must be the exponent of a normal number."""

    def codegen(context, builder, signature, args):
        return _power(builder, _low_bits(builder, args[0], t.name), LAYOUT[t.name], args[0].type)

    return t(t), codegen


@primitive(twin=lambda x, t: np.ldexp(x, int(t - type(t)(SHIFT_VALUE[type(t).__name__]))))
def scale(typingctx, x, t):
    """x * 2**n for `t = SHIFT + n`, in two steps so that the result may be denormal or infinite."""

    def codegen(context, builder, signature, args):
        layout, kind = LAYOUT[t.name], args[0].type
        n = _low_bits(builder, args[1], t.name)
        half = builder.ashr(n, layout[2](1))
        first = builder.fmul(args[0], _power(builder, half, layout, kind))
        return builder.fmul(first, _power(builder, builder.sub(n, half), layout, kind))

    return x(x, t), codegen


def _biased_exponent(builder, x, name):
    """Exponent of x, biased, when its mantissa is taken from [sqrt(1/2), sqrt(2)); and the bits of x."""
    mantissa, bias, word = LAYOUT[name]
    dtype = np.dtype(name).type
    root = int(dtype(math.sqrt(0.5)).view(f"i{word.width // 8}"))
    bits = builder.bitcast(x, word)
    return builder.lshr(builder.add(bits, word((bias << mantissa) - root)), word(mantissa)), bits


@primitive(twin=None)
def exponent(typingctx, x):
    """The integral e, as a float, with x = m * 2**e and m in [sqrt(1/2), sqrt(2)); x positive and normal."""

    def codegen(context, builder, signature, args):
        mantissa, bias, word = LAYOUT[x.name]
        kind = args[0].type
        biased, _ = _biased_exponent(builder, args[0], x.name)
        # 2**mantissa holds an integer in its lowest bits; AVX2 has no conversion of 64-bit integers.
        integer = builder.or_(biased, word((bias + mantissa) << mantissa))
        return builder.fsub(builder.bitcast(integer, kind), ir.Constant(kind, 2.0**mantissa + bias))

    return x(x), codegen


@primitive(twin=None)
def significand(typingctx, x):
    """The m with x = m * 2**e and m in [sqrt(1/2), sqrt(2)); x positive and normal."""

    def codegen(context, builder, signature, args):
        mantissa, bias, word = LAYOUT[x.name]
        biased, bits = _biased_exponent(builder, args[0], x.name)
        shifted = builder.shl(builder.sub(biased, word(bias)), word(mantissa))
        return builder.bitcast(builder.sub(bits, shifted), args[0].type)

    return x(x), codegen

"""Vectors of this CPU in LLVM: which register tile suits it, and the operations that primitives are written with."""

import platform
from typing import NamedTuple

import llvmlite.binding
from llvmlite import ir
from numba import types

from dseq import config
from dseq.kernels.base import primitive
from dseq.kernels.link import address_of_data


class Tile(NamedTuple):
    """A register tile of C: row counts (greedy) and vectors a row."""

    rows: tuple
    vectors: int


# Bits a vector, and the tiles, those with more vectors a row first.
TILES = {
    "avx512": (512, Tile((6, 4, 2, 1), 4), Tile((8, 4, 2, 1), 2)),
    "avx2": (256, Tile((8, 4, 2, 1), 2)),
    "neon": (128, Tile((8, 4, 2, 1), 3)),
    "plain": (128, Tile((8, 4, 2, 1), 2)),
}


def _features() -> dict:
    try:
        return dict(llvmlite.binding.get_host_cpu_features())
    except RuntimeError:
        return {}


FEATURES = _features()
ON_ARM = platform.machine().lower() in ("aarch64", "arm64")
# Without the instruction `llvm.fma` is a call into libm for each lane, while `llvm.fmuladd` may be two instructions.
FUSED = ON_ARM or FEATURES.get("fma", False)


def _choose() -> str:
    if config.isa != "auto":
        return config.isa
    if FUSED and FEATURES.get("avx512f", False):
        return "avx512"
    if FUSED and FEATURES.get("avx2", False):
        return "avx2"
    return "neon" if ON_ARM else "plain"


ISA = _choose()
_bits, BROAD, *_others = TILES[ISA]
WIDE = (_others or [BROAD])[0]
# Other CPUs would branch on every lane of every masked load: there the last columns of B are packed and padded.
MASKED_LOADS = ISA == "avx512"
BYTES = _bits // 8
DEPTH = 288  # rows of a panel of B as wide as the wide tile: 36 KiB of L1 at 512 bits; 3 x 3 x 32 is one
SHORTER = DEPTH * WIDE.vectors // BROAD.vectors  # of one as wide as the broad tile

WORD, INT32, BIT, POINTER = ir.IntType(64), ir.IntType(32), ir.IntType(1), ir.PointerType()


def word(value):
    return ir.Constant(WORD, value)


class Emitter:
    """Writes LLVM for one element type: what the primitives below share.

    Args:
        module: The LLVM module that functions and intrinsics are declared in.
        element: Numba's float32 or float64.
    """

    def __init__(self, module, element):
        self.module = module
        self.size = element.bitwidth // 8
        self.suffix = f"f{element.bitwidth}"
        self.scalar = ir.FloatType() if self.size == 4 else ir.DoubleType()
        self.lanes = BYTES // self.size
        self.vector = ir.VectorType(self.scalar, self.lanes)
        self.mask = ir.VectorType(BIT, self.lanes)
        self.zero = ir.Constant(self.vector, [0.0] * self.lanes)

    def declare(self, name, result, arguments):
        known = self.module.globals.get(name)
        return known or ir.Function(self.module, ir.FunctionType(result, arguments), name)

    def function(self, name, count):
        """A function of `count` words that every user of the module shares; None for the body if it is there."""
        name = f"dseq_{name}_{self.suffix}_{ISA}"
        if name in self.module.globals:
            return self.module.globals[name], None
        function = self.declare(name, ir.VoidType(), [WORD] * count)
        function.linkage = "linkonce_odr"
        function.attributes.add("noinline")
        function.attributes.add("nounwind")
        return function, ir.IRBuilder(function.append_basic_block("entry"))

    def at(self, builder, address, *strides):
        """The address moved by elements; each stride is a word or a constant."""
        for stride in strides:
            address = builder.add(address, builder.mul(stride, word(self.size)))
        return address

    def load(self, builder, address, mask=None):
        pointer = builder.inttoptr(address, POINTER)
        if mask is None:
            return builder.load(pointer, align=self.size, typ=self.vector)
        load = self.declare(
            f"llvm.masked.load.v{self.lanes}{self.suffix}.p0", self.vector, [POINTER, INT32, self.mask, self.vector]
        )
        return builder.call(load, [pointer, ir.Constant(INT32, self.size), mask, self.zero])

    def store(self, builder, value, address, mask=None):
        pointer = builder.inttoptr(address, POINTER)
        if mask is None:
            return builder.store(value, pointer, align=self.size)
        store = self.declare(
            f"llvm.masked.store.v{self.lanes}{self.suffix}.p0", ir.VoidType(), [self.vector, POINTER, INT32, self.mask]
        )
        return builder.call(store, [value, pointer, ir.Constant(INT32, self.size), mask])

    def broadcast(self, builder, scalar):
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = builder.insert_element(undefined, scalar, ir.Constant(INT32, 0))
        return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(INT32, self.lanes), [0] * self.lanes))

    def first_lanes(self, builder, count):
        """A mask of the first `count` lanes."""
        numbers = ir.VectorType(WORD, self.lanes)
        undefined = ir.Constant(numbers, ir.Undefined)
        single = builder.insert_element(undefined, count, ir.Constant(INT32, 0))
        splat = builder.shuffle_vector(
            single, undefined, ir.Constant(ir.VectorType(INT32, self.lanes), [0] * self.lanes)
        )
        return builder.icmp_signed("<", ir.Constant(numbers, list(range(self.lanes))), splat)

    def multiply_add(self, builder, a, b, c):
        name = f"llvm.{'fma' if FUSED else 'fmuladd'}.v{self.lanes}{self.suffix}"
        return builder.call(self.declare(name, self.vector, [self.vector] * 3), [a, b, c])


def emits(kind, method, ints, returns=types.void):
    """What makes a primitive of something with elements (an array or a pointer) and ints.

    Args:
        kind: The emitter: a subclass of `Emitter`.
        method: A function of the emitter, the builder, the address of the elements, and the ints; returns its value.
        ints: The number of int arguments.
        returns: The Numba type of the result.

    Returns:
        A function of the first argument's type that gives the signature and the code generator.
    """

    def codegen(context, builder, signature, arguments):
        like, rest = signature.args[0], list(arguments[1:])
        emitter = kind(builder.module, like.dtype)
        result = method(emitter, builder, address_of_data(context, builder, like, arguments[0]), *rest)
        return context.get_dummy_value() if returns is types.void else result

    return lambda like: (returns(like, *[types.int64] * ints), codegen)


@primitive(twin=None)
def address_of(typingctx, like):
    """The address of an array's data, or of what a pointer points to."""
    return emits(Emitter, lambda e, builder, address: address, 0, types.int64)(like)


@primitive(twin=None)
def size_of(typingctx, like):
    """The bytes of an element."""
    return emits(Emitter, lambda e, builder, _: word(e.size), 0, types.int64)(like)

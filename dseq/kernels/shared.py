"""Memory that several processes use at once: sums over what each of them wrote, and how they wait for each other.

Words of 64 bits in memory that all see tell how far each process has come. A word is stored with release and loaded
with acquire: who reads it also sees everything that was written before it.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils

from dseq.kernels.base import kernel, primitive
from dseq.kernels.denormal import MACHINE

BLOCK = 1024  # elements of a sum at a time: they stay in L1
LINE = 8  # words of a cache line: each process has one to itself. Its first is how far it has come
SLEEPERS = 1  # place of the word in a line that is not 0 while others sleep until its first word changes
WAKE = -2  # what `meet` returns when they must be woken


def _place(context, builder, signature, args):
    """The address of element args[1] of the array args[0]."""
    array = context.make_array(signature.args[0])(context, builder, args[0])
    return builder.gep(array.data, [args[1]])


@primitive(twin=lambda words, i: int(words[i]))
def load_acquire(typingctx, words, i):
    """The element i of an int64 array, as another process may just have stored it."""

    def codegen(context, builder, signature, args):
        return builder.load_atomic(_place(context, builder, signature, args), "acquire", 8)

    return types.int64(words, i), codegen


@primitive(twin=lambda words, i, value: words.__setitem__(i, value))
def store_release(typingctx, words, i, value):
    """Stores a value as element i of an int64 array, after everything that stands before it."""

    def codegen(context, builder, signature, args):
        builder.store_atomic(args[2], _place(context, builder, signature, args), "release", 8)
        return context.get_dummy_value()

    return types.void(words, i, value), codegen


@primitive(twin=lambda: None)
def fence(typingctx):
    """What was stored before is seen by all before anything behind is loaded."""

    def codegen(context, builder, signature, args):
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), codegen


@primitive(twin=lambda: None)
def relax(typingctx):
    """Tells the core that this loop waits: another thread of the core, and the memory, have more from it."""

    def codegen(context, builder, signature, args):
        # Intrinsics: assembly in a program takes a parser that is not there.
        if MACHINE == "x86_64":
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause"), [])
        elif MACHINE in ("aarch64", "arm64"):
            half = ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [half])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.aarch64.hint"), [half(1)])  # yield
        return context.get_dummy_value()

    return types.void(), codegen


@kernel
def wait(words, count, spins):
    # words (n * LINE,): returns -1 once the first word of every line is at least count, or after so many looks at one
    # line its number
    for i in range(words.size // LINE):
        left = spins
        while load_acquire(words, i * LINE) < count:
            if left <= 0:
                return i
            left -= 1
            relax()
    return -1


@kernel
def meet(words, own, count, spins):
    # tells the others by line `own` that this process has come to `count`, and waits for them as `wait` does, unless
    # some of them sleep until it comes: then returns WAKE
    store_release(words, own * LINE, count)
    fence()
    if load_acquire(words, own * LINE + SLEEPERS) != 0:
        store_release(words, own * LINE + SLEEPERS, 0)
        return WAKE
    return wait(words, count, spins)


@kernel
def lie_down(words, i, count):
    # says that this process is about to sleep until line i comes to count; returns how far it is
    store_release(words, i * LINE + SLEEPERS, 1)
    fence()
    return load_acquire(words, i * LINE)


@kernel
def sum_rows(total, rows, first, block):
    # total (n,) = the sum of rows[:, first : first + n], row by row in their order; it may be a part of one of them
    # block (BLOCK,) is scratch
    n = total.size
    for lo in range(0, n, BLOCK):
        size = min(BLOCK, n - lo)
        s = block[:size]
        a = rows[0][first + lo : first + lo + size]
        if rows.shape[0] == 1:
            for i in range(size):
                s[i] = a[i]
        else:
            b = rows[1][first + lo : first + lo + size]
            for i in range(size):
                s[i] = a[i] + b[i]
        for r in range(2, rows.shape[0]):
            c = rows[r][first + lo : first + lo + size]
            for i in range(size):
                s[i] += c[i]
        t = total[lo : lo + size]
        for i in range(size):
            t[i] = s[i]

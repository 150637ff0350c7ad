"""Runs a table of kernel calls: rows of machine words, one row a call.

A compiled kernel is a C function `int f(result, exception, word, word, ...)`: an array argument is the words
`parent, owner, size, itemsize, data, shape..., strides...`, an int is one word, `None` is one word. A call is
therefore data: an address and its words. A model's step is such a table, built in microseconds, where a
function generated for each architecture took 0.9 s (12 calls) to 4.7 s (120 calls) to compile; nothing is
compiled but the kernels themselves, once per machine.

Row layout, in 64-bit words: `[address, number of words, word, word, ...]`, rows padded to a common width.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from dseq.kernels.base import JIT, argument_type, kernel, primitive
from dseq.kernels.denormal import flush, restore

HEADER = 2
MOST_WORDS = 128


def words(value) -> list[int]:
    """The machine words that pass one argument (an array, an int or `None`) to a compiled kernel."""
    if value is None:
        return [0]
    if isinstance(value, int | np.integer):
        return [int(value)]
    argument_type(value)  # refuses what is not contiguous
    return [0, 0, value.size, value.itemsize, value.ctypes.data, *value.shape, *value.strides]


def row(name, place, arguments) -> list[int]:
    """A row of the table.

    Args:
        name: The kernel's name, for the message.
        place: The kernel's address.
        arguments: The machine words of all its arguments.

    Raises:
        ValueError: If there are more words than a call can pass.
    """
    if len(arguments) > MOST_WORDS:
        raise ValueError(
            f"A call of a kernel may take {MOST_WORDS} machine words: 5 for an array and 2 for each axis, 1 for an "
            f"int or None. Received: {len(arguments)} words for kernel {name}. Split the call."
        )
    return [place, len(arguments), *arguments]


@primitive(twin=None)
def _call(typingctx, function, count, arguments):
    def codegen(context, builder, signature, args):
        function, count, arguments = args
        word, status = ir.IntType(64), ir.IntType(32)
        loads = builder.inttoptr(arguments, word.as_pointer())
        scratch = cgutils.alloca_once(builder, word)
        start, last = builder.block, builder.append_basic_block("last")
        switch, outcomes = builder.switch(count, last), []
        for n in range(1, MOST_WORDS + 1):
            # Only a switch over the exact number of words keeps to the C calling convention.
            block = builder.append_basic_block(f"words_{n}")
            switch.add_case(ir.Constant(word, n), block)
            builder.position_at_end(block)
            values = [builder.load(builder.gep(loads, [ir.Constant(word, i)])) for i in range(n)]
            kind = ir.FunctionType(status, [word.as_pointer(), word.as_pointer()] + [word] * n)
            target = builder.inttoptr(function, kind.as_pointer())
            outcomes.append((builder.call(target, [scratch, scratch, *values]), block))
            builder.branch(last)
        builder.position_at_end(last)
        result = builder.phi(status)
        result.add_incoming(ir.Constant(status, -1), start)
        for value, block in outcomes:
            result.add_incoming(value, block)
        return builder.sext(result, word)

    return types.int64(types.int64, types.int64, types.int64), codegen


@kernel
def run(table, first, last):
    """Makes the calls of rows first..last-1, in order; returns -1, or the row of the call that failed."""
    width = table.shape[1]
    base = table.ctypes.data
    failed = -1
    settings = flush()
    for row in range(first, last):
        if _call(table[row, 0], table[row, 1], base + 8 * (row * width + HEADER)) != 0:
            failed = row
            break
    restore(settings)
    return failed


RUN_SIGNATURE = (types.Array(types.int64, 2, "C"), types.int64, types.int64) if JIT else None

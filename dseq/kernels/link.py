"""Calls of one compiled kernel from another through its address, so that it is compiled once and not into each caller.

Numba links the code of a callee into every caller and generates it again. A linked kernel lives behind a slot instead:
a word of memory with a symbol of its own that callers, also those from the cache, find when they are loaded. The
slot first holds a Python function that loads (or compiles) the kernel, puts its address there and passes the call on.
"""

import ctypes
import os
import traceback
from collections.abc import Hashable
from functools import cache

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from dseq.kernels.base import JIT, address, primitive

ELEMENTS = (types.float32, types.float64)
_slots = {}  # by primitive, then by element type


class Slot:
    """The word that holds a kernel's address for one element type.

    Args:
        compiled: What `kernel` made; its first argument is a pointer to elements, the others are ints.
        element: Numba's float32 or float64.
        ints: The number of ints.
    """

    def __init__(self, compiled, element, ints):
        self.compiled = compiled
        self.signature = (types.CPointer(element), *[types.int64] * ints)
        function = compiled.py_func
        self.symbol = f"{function.__module__}.{function.__qualname__}.{element}"
        self.kind = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_int64] * (ints + 3))
        self.first_call = self.kind(self._load_and_call)
        self.word = np.array([ctypes.cast(self.first_call, ctypes.c_void_p).value], np.int64)
        llvmlite.binding.add_symbol(self.symbol, self.word.ctypes.data)

    def load(self):
        self.word[0] = address(self.compiled, self.signature)

    def _load_and_call(self, *words):
        try:
            self.load()
        except BaseException:
            # The caller is machine code: it could only go on with wrong numbers.
            traceback.print_exc()
            os._exit(1)
        return self.kind(int(self.word[0]))(*words)


def linked(compiled, ints):
    """A primitive through which kernels call a kernel of a pointer and ints; an array is passed by its pointer.

    Args:
        compiled: What `kernel` made.
        ints: The number of its int arguments.

    Returns:
        A primitive that takes an array or a pointer, then a tuple of ints.
    """
    if not JIT:
        return None
    slots = {element: Slot(compiled, element, ints) for element in ELEMENTS}

    @primitive(twin=None)
    def call(typingctx, pointer, rest):
        slot = slots[pointer.dtype]
        slot.load()

        def codegen(context, builder, signature, arguments):
            word, pointer = ir.IntType(64), address_of_data(context, builder, signature.args[0], arguments[0])
            known = builder.module.globals.get(slot.symbol)
            place = known or ir.GlobalVariable(builder.module, word, slot.symbol)
            words = cgutils.unpack_tuple(builder, arguments[1], ints)
            kind = ir.FunctionType(ir.IntType(32), [word.as_pointer()] * 2 + [word] * (ints + 1))
            scratch = cgutils.alloca_once(builder, word)
            function = builder.inttoptr(builder.load(place), kind.as_pointer())
            builder.call(function, [scratch, scratch, pointer, *words])
            return context.get_dummy_value()

        return types.void(pointer, types.UniTuple(types.int64, ints)), codegen

    _slots[call] = slots
    return call


def callees(compiled, signature) -> list:
    """The linked kernels a kernel calls, itself or through others: what else must be ready before it runs.

    Args:
        compiled: What `kernel` made.
        signature: Its argument types; linked kernels take their element type from the first, what is written.

    Returns:
        Pairs of a linked kernel and its argument types.
    """
    element = getattr(signature[0], "dtype", None) if signature else None
    return [(s[element].compiled, s[element].signature) for s in _reached(compiled) if element in s]


@cache
def _reached(compiled) -> list:
    """The slots by element type of all linked kernels that the text of a kernel names."""
    found, function = {}, compiled.py_func
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, Hashable) and value in _slots:
            found[id(_slots[value])] = _slots[value]
        elif hasattr(value, "py_func") and value is not compiled:
            found |= {id(slots): slots for slots in _reached(value)}
    return list(found.values())


def address_of_data(context, builder, kind, value):
    """The address of an array's data, or of what a pointer points to, as a word."""
    if isinstance(kind, types.Array):
        value = context.make_array(kind)(context, builder, value).data
    return builder.ptrtoint(value, ir.IntType(64))

"""Sleeping until a word in shared memory changes: Linux' futex, or where there is none a nap."""

import ctypes
import functools
import platform
import sys
import time

NUMBERS = {"x86_64": 202, "amd64": 202, "aarch64": 98, "arm64": 98, "ppc64le": 221, "riscv64": 98}  # of the system call
WAIT, WAKE, EVERYBODY = 0, 1, 2**31 - 1
NAP = 5e-5  # seconds


class _Time(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_int64), ("nanoseconds", ctypes.c_int64)]


@functools.cache
def _futex():
    """The system call as a function, or None."""
    number = NUMBERS.get(platform.machine().lower())
    if sys.platform != "linux" or number is None or sys.byteorder != "little" or sys.maxsize < 2**32:
        return None
    call = ctypes.CDLL(None, use_errno=True).syscall
    return functools.partial(call, ctypes.c_long(number))


def sleep_while(place: int, value: int, seconds: float) -> None:
    """Sleeps while a word has a value; it may also end for no reason.

    Args:
        place: Address of the word, of 64 bits, of which the lower 32 are looked at.
        value: Its value.
        seconds: How long at most.
    """
    futex = _futex()
    if futex is None:
        time.sleep(min(seconds, NAP))
        return
    limit = _Time(int(seconds), int(seconds % 1 * 1e9))
    word = ctypes.c_uint32(value & 0xFFFFFFFF)
    futex(ctypes.c_void_p(place), ctypes.c_int(WAIT), word, ctypes.byref(limit), None, ctypes.c_int(0))


def wake(place: int) -> None:
    """Wakes all processes that sleep while a word has a value.

    Args:
        place: Address of the word.
    """
    futex = _futex()
    if futex is not None:
        futex(ctypes.c_void_p(place), ctypes.c_int(WAKE), ctypes.c_int(EVERYBODY), None, None, ctypes.c_int(0))

"""Signals that ask a job to stop: noted while training, heeded by all ranks after the same step.

A batch system sends SIGTERM, or with Slurm's `--signal` SIGUSR1, some time before it ends a job; a person sends SIGINT.
A handler only notes it: the note travels in the next step's reduction (`dseq.training.flags`), so that all ranks stop
after the same step, save, and exit with a code that says whether the job can go on from there (`exit_code`).
"""

import ctypes
import os
import signal
import threading
from contextlib import contextmanager, suppress

SAVED = 85  # exit code: stopped by a signal, and saved; start the job again
SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1", "SIGINT") if hasattr(signal, name))
ACTION = 256  # bytes that hold a `struct sigaction` on any system

asked = 0  # the number of the signal that asked this rank to stop; 0: none did


def exit_code(number: int, saved: bool) -> int:
    """The exit code of a job that a signal stopped.

    Args:
        number: The signal's.
        saved: Whether the state of training was saved.

    Returns:
        `SAVED`; without anything saved, and after SIGINT, that which shells have: 128 and the signal's number.
    """
    return SAVED if saved and number != signal.SIGINT else 128 + number


@contextmanager
def noted():
    """Notes signals while the block runs, then puts back the handlers that were there.

    Only the main thread can; a signal for which the script has a handler of its own is left to it. A second SIGINT is
    not noted but interrupts at once. Where another `noted` is around this one, that one does it. What was noted and not
    heeded when the block ends well is signalled again, to whoever is there then.
    """
    global asked
    left = 0
    here = threading.current_thread() is threading.main_thread()
    mine = [number for number in SIGNALS if here and _is_free(number)]
    kept = [(number, signal.getsignal(number), _action(number)) for number in mine]
    if mine:
        asked = 0
    try:
        for number in mine:
            signal.signal(number, _note)
        yield
        left = asked if mine else 0  # it came too late for what the block does
    finally:
        for number, handler, action in kept:
            if signal.getsignal(number) is _note:
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
                _act(number, action)  # Python does not know of handlers in C, as MPICH has one for SIGUSR1
        if mine:
            asked = 0
        if left:
            signal.raise_signal(left)


def _is_free(number):
    return signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler, None)


def _note(number, frame):
    global asked
    if number == signal.SIGINT:
        if asked == signal.SIGINT:
            raise KeyboardInterrupt
        text = b"\ndseq: SIGINT: training stops after this step; once more to interrupt it at once\n"
        with suppress(OSError):
            os.write(2, text)
    asked = number


def _action(number):
    """What the system does with a signal, as bytes that only `_act` understands; None if that can't be known."""
    try:
        kept = ctypes.create_string_buffer(ACTION)
        return kept if ctypes.CDLL(None).sigaction(int(number), None, kept) == 0 else None
    except (AttributeError, OSError, TypeError):
        return None


def _act(number, action):
    if action is not None:
        ctypes.CDLL(None).sigaction(int(number), action, None)

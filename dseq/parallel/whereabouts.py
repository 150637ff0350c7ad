"""What this rank is doing, for others to ask while its main thread cannot answer: read off that thread's stack.

Training leaves nothing here but a count of what it has finished (`beats`), so a step pays next to nothing.
"""

import os
import sys
import threading
import time
import traceback
from dataclasses import dataclass

START, SCRIPT, END = "the start of MPI", "the script", "the end of the program"
COMPILING = "compiling"
# From the inside of the stack to its outside, the first frame that is one of these says where the rank is: a folder or
# file of dseq, and maybe a function in it. Numba's own frames mean that it compiles.
PLACES = (
    ("saving/", "", "a checkpoint"),
    ("callbacks/backup_and_restore.py", "", "a checkpoint"),
    ("callbacks/model_checkpoint.py", "", "a checkpoint"),
    ("training/session.py", "_prepare", COMPILING),
    ("kernels/base.py", "", COMPILING),
    ("training/session.py", "train", "a training step"),
    ("training/session.py", "begin", "the beginning of a run"),
    ("callbacks/", "", "callbacks"),
    ("training/source", "", "loading data"),
    ("training/stream.py", "", "loading data"),
    ("training/batches.py", "", "loading data"),
    ("training/arrays.py", "", "loading data"),
    ("data/", "", "loading data"),
    ("training/trainer.py", "_evaluate", "validation"),
    ("training/trainer.py", "_predict", "prediction"),
    ("parallel/communicator.py", "_import_mpi", START),
    ("parallel/communicator.py", "_connect", START),
    ("parallel/abort.py", "_at_exit", END),
)
STRICT = ("a training step", "validation", "prediction")  # these need no patience with what works but does not end
PATIENCE = 6  # times the limit for what uses a core or moves bytes all the time; compilers do come to an end
MOVED = 1 << 16  # bytes in a look that are a sign of life
BUSY = 0.05  # share of a core that is one
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

beats = 0  # steps that the main thread has finished
whole = True  # whether weights are those after a step, not in the middle of an update
rescue = None  # function that saves the state of training, of no arguments; it returns where


@dataclass
class State:
    """Where a rank is.

    Attributes:
        place: For people.
        waits: Whether it waits for other ranks.
        beats: Steps it has finished.
        idle: Seconds since anything was finished, or another place was come to.
        overdue: Whether that is too long.
        stack: The main thread's stack as text.
        whole: Whether its weights are those after a step.
        rescues: Whether it could save the state of training.
    """

    place: str
    waits: bool
    beats: int
    idle: float
    overdue: bool
    stack: str
    whole: bool
    rescues: bool


def _frames():
    frame = sys._current_frames().get(threading.main_thread().ident)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _place():
    """Where the main thread is, and whether it waits for others there."""
    waits, found = False, SCRIPT
    for depth, frame in enumerate(_frames()):
        name = frame.f_code.co_filename
        if f"{os.sep}numba{os.sep}" in name:
            return COMPILING, False
        if not name.startswith(_ROOT):
            continue
        name, function = name[len(_ROOT) :].replace(os.sep, "/"), frame.f_code.co_name
        waits |= depth == 0 and name.startswith("parallel/")
        for file, inside, place in PLACES:
            if name.startswith(file) and (not inside or function == inside):
                return place, waits
        if found == SCRIPT and name.startswith("training/trainer.py"):
            found = f"`{function}`"
    return found, waits


def _clock():
    """Seconds of a core that the main thread has used."""
    try:
        return time.clock_gettime(time.pthread_getcpuclockid(threading.main_thread().ident))
    except (AttributeError, OSError):
        return 0.0


def _bytes():
    """Bytes that this process has read and written."""
    try:
        with open("/proc/self/io") as file:
            return sum(int(line.split()[1]) for line in file.readlines()[:2])
    except (OSError, ValueError, IndexError):
        return 0


class Progress:
    """Looks at the main thread again and again, and tells whether it gets on.

    Args:
        limit: Seconds without progress that are too long. Where a core is used or bytes are moved all the time, as in
            compiling, writing, or a user's callback, `PATIENCE` times as long; waiting for others is no progress. A
            rank that waits at the end of its program may do so for ever.
    """

    def __init__(self, limit):
        self.limit = limit
        self._seen, self._clock, self._bytes = None, _clock(), _bytes()
        self._at = self._since = self._alive = time.monotonic()

    def look(self) -> None:
        """To be called about once in a second, by any thread."""
        now = time.monotonic()
        gap = now - self._at
        self._at = now
        if gap > 10 + self.limit / 4:  # the whole process was stopped
            self._since += gap
            self._alive += gap
        place, waits = _place()
        seen = beats, place
        if seen != self._seen:
            self._seen, self._since, self._alive = seen, now, now
        clock, moved = _clock(), _bytes()
        busy = clock - self._clock > BUSY * gap or moved - self._bytes > MOVED
        if busy and not waits and place not in STRICT:
            self._alive = now
        self._clock, self._bytes = clock, moved

    def state(self) -> State:
        """What others may know."""
        place, waits = _place()
        now = time.monotonic()
        idle, quiet = now - self._since, now - self._alive
        endless = idle > PATIENCE * self.limit and place != COMPILING
        overdue = place != END and (quiet > self.limit or endless)
        frames = list(_frames())
        stack = "".join(traceback.format_stack(frames[0])) if frames else ""
        return State(place, waits, beats, idle, overdue, stack[-6000:], whole, rescue is not None)

"""MPI's shared memory loses its names as soon as all have it: a job that is killed then leaves nothing behind."""

import contextlib
import os
import time

FOLDER, PREFIX = "/dev/shm", "mpich_"  # Open MPI's launcher removes its own however a program ends
STALE = 3600.0  # seconds after which nobody starts any more who would look for a name


def forget_names() -> None:
    """Removes the names of the memory of MPICH that this process has; all ranks of the node must have it already.

    So does it with old ones of the same user: those of jobs that were killed while they started.
    """
    begin = f"{FOLDER}/{PREFIX}"
    with contextlib.suppress(OSError), open("/proc/self/maps") as file:
        for name in {line.split(maxsplit=5)[-1].strip() for line in file if begin in line}:
            _remove(name)
    with contextlib.suppress(OSError):
        for entry in os.scandir(FOLDER):
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                mine = entry.name.startswith(PREFIX) and status.st_uid == os.geteuid()
                if mine and time.time() - status.st_mtime > STALE:
                    _remove(entry.path)


def _remove(name):
    if name.startswith(f"{FOLDER}/{PREFIX}") and not name.endswith(" (deleted)"):
        with contextlib.suppress(OSError):
            os.unlink(name)

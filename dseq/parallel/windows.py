"""Memory that all ranks of a node see: the part of a communicator that has it from MPI, and gives it back."""

import gc
import os
import weakref

import numpy as np

from dseq.parallel.barrier import LINE, Barrier
from dseq.program.memory import ALIGNMENT

FOLDER = "/dev/shm"  # where MPI libraries on Linux keep it
RESERVE = 1 << 24  # bytes left there for others, MPI's own buffers among them


class Unavailable(RuntimeError):
    """What was asked for cannot be had here; the message says why, and it is the same on all ranks."""


def free_bytes() -> float:
    """How many bytes of shared memory this node has left; infinity if it is not known."""
    try:
        status = os.statvfs(FOLDER)
    except OSError:
        return float("inf")
    return status.f_bavail * status.f_frsize


class Windows:
    """Shared memory for `World`, which imports MPI. All methods are collective, and take all ranks on one node.

    A window lives until no rank has an array in it any more, and then until the next call.
    """

    _node_barrier = None

    def __init__(self):
        super().__init__()
        self._windows = []  # pairs of a window and a weak reference to the array of all its memory, in the same order

    def shared_bytes(self, nbytes: int) -> np.ndarray:
        """Memory that all ranks see, zeroed.

        Args:
            nbytes: Its size, the same on all ranks.

        Returns:
            A uint8 array that begins at a multiple of 64 bytes.

        Raises:
            Unavailable: If it cannot be had; on every rank.
        """
        hosts = self.allgather_object((self.host, nbytes, self.local_size))
        if self.local_size < self.size:
            raise Unavailable(f"the ranks are on several nodes ({', '.join(sorted({host for host, *_ in hosts}))})")
        self._free_unused()
        free = self._free()
        if free < nbytes + RESERVE:
            gc.collect()  # models that nobody has any more
            self._free_unused()
            free = self._free()
        if free < nbytes + RESERVE:
            raise Unavailable(
                f"{FOLDER} of {self.host} has {max(0, free - RESERVE) / 2**20:.1f} MB to spare, and "
                f"{nbytes / 2**20:.1f} MB are needed; containers take, for instance, --shm-size=8g"
            )
        window, memory = self._allocate(nbytes + ALIGNMENT)
        skip = -memory.ctypes.data % ALIGNMENT
        self._windows.append((window, weakref.ref(memory)))
        array = memory[skip : skip + nbytes]
        lo, hi = (nbytes * rank // self.size for rank in (self.rank, self.rank + 1))
        array[lo:hi] = 0  # also takes the pages now, while they are known to be there
        self.barrier()
        return array

    def _free(self):
        return min(self.allgather_object(free_bytes()))

    def _allocate(self, nbytes):
        window = memory = error = None
        try:
            window = self._mpi.Win.Allocate_shared(nbytes if self.local_rank == 0 else 0, 1, comm=self._local)
            memory = np.frombuffer(window.Shared_query(0)[0], np.uint8, nbytes)
        except Exception as caught:
            error = f"{type(caught).__name__}: {caught}"
        place = None if memory is None else memory.ctypes.data % ALIGNMENT
        places, errors = zip(*self.allgather_object((place, error)), strict=True)
        if any(errors) or len(set(places)) > 1:
            if window is not None and not any(errors):
                window.Free()
            reason = next(filter(None, errors), f"it begins at other addresses on each rank: {places}")
            raise Unavailable(f"MPI gives no shared memory of {nbytes / 2**20:.1f} MB ({reason})")
        return window, memory

    def _free_unused(self):
        unused = self.allgather_object([reference() is None for _, reference in self._windows])
        kept = []
        for pair, everywhere in zip(self._windows, zip(*unused, strict=True), strict=True):
            if all(everywhere):
                pair[0].Free()
            else:
                kept.append(pair)
        self._windows = kept

    def node_barrier(self) -> Barrier:
        """The barrier of this node's ranks, made at the first call.

        Raises:
            Unavailable: If there is no shared memory for it; on every rank.
        """
        if self._node_barrier is None:
            words = self.shared_bytes(self.local_size * LINE * 8).view(np.int64)
            self._node_barrier = Barrier(self, words)
        return self._node_barrier

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
    """Shared memory for `World`, which imports MPI: each node's ranks have their own. All ranks call all methods.

    A window lives until no rank has an array in it any more, and then until the next call.

    A page belongs to the NUMA domain of the rank that writes into it first. One window whose pages are taken by those
    who will use them most is therefore as good as a window for each domain.
    """

    _node_barrier = None

    def __init__(self):
        super().__init__()
        self._windows = []  # pairs of a window and a weak reference to the array of all its memory, in the same order

    def shared_bytes(self, nbytes: int, parts=None) -> np.ndarray:
        """Memory that all ranks of a node see, zeroed.

        Args:
            nbytes: Its size, the same on all ranks of a node.
            parts: Those [lo, hi) that this rank will use most, in bytes; together the ranks of a node name all. If
                None, each has one run of the same length.

        Returns:
            A uint8 array that begins at a multiple of 64 bytes.

        Raises:
            Unavailable: If it cannot be had on some node; on every rank.
        """
        self._connect()
        self._free_unused()
        short = self._shortage(nbytes)
        if short:
            gc.collect()  # models that nobody has any more
            self._free_unused()
            short = self._shortage(nbytes)
        if short:
            host, free, needed = short[0]
            raise Unavailable(
                f"{FOLDER} of {host} has {max(0, free - RESERVE) / 2**20:.1f} MB to spare, and "
                f"{needed / 2**20:.1f} MB are needed; containers take, for instance, --shm-size=8g"
            )
        if self.local_size > 1:
            window, memory = self._allocate(nbytes + ALIGNMENT)
        else:
            window, memory = None, self._checked(None, np.empty(nbytes + ALIGNMENT, np.uint8), None, nbytes)
        skip = -memory.ctypes.data % ALIGNMENT
        self._windows.append((window, weakref.ref(memory)))
        array = memory[skip : skip + nbytes]
        if parts is None:
            parts = [(nbytes * self.local_rank // self.local_size, nbytes * (self.local_rank + 1) // self.local_size)]
        for lo, hi in parts:
            array[lo:hi] = 0  # takes the pages now, while they are known to be there
        self.barrier()
        return array

    def _shortage(self, nbytes):
        """Where there is too little: (host, free bytes, needed bytes)."""
        needed = nbytes if self.local_size > 1 else 0
        everywhere = self.allgather_object((self.host, free_bytes() if needed else 0, needed))
        return [(host, free, size) for host, free, size in everywhere if size and free < size + RESERVE]

    def _allocate(self, nbytes):
        window = memory = error = None
        try:
            window = self._mpi.Win.Allocate_shared(nbytes if self.local_rank == 0 else 0, 1, comm=self._local)
            memory = np.frombuffer(window.Shared_query(0)[0], np.uint8, nbytes)
        except Exception as caught:
            error = f"{type(caught).__name__}: {caught}"
        return window, self._checked(window, memory, error, nbytes)

    def _checked(self, window, memory, error, nbytes):
        """The memory, if all ranks have it at addresses that are alike on each node."""
        place = None if memory is None or window is None else memory.ctypes.data % ALIGNMENT
        found = self.allgather_object((place, error, nbytes))
        errors = [(error, size) for _, error, size in found if error]
        apart = next((p for ranks in self.nodes if len(set(p := [found[r][0] for r in ranks])) > 1), None)
        if errors or apart:
            if window is not None and not any(found[rank][1] for rank in self.nodes[self.node]):
                window.Free()
            reason, size = errors[0] if errors else (f"it begins at other addresses on each rank: {apart}", found[0][2])
            raise Unavailable(f"MPI gives no shared memory of {size / 2**20:.1f} MB ({reason})")
        return memory

    def _free_unused(self):
        unused = self.allgather_object([reference() is None for _, reference in self._windows])
        kept = []
        for pair, everywhere in zip(self._windows, zip(*unused, strict=True), strict=True):
            if all(everywhere):
                if pair[0] is not None:
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

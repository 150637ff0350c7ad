"""Which ranks train a model together: Keras' `distribution`, whose devices are the ranks of MPI's job.

Without any of this, all ranks of the job train every model. A distribution made of a communicator of MPI's names fewer:
those of an ensemble's member, or those that a simulation leaves to its surrogate. In force are one for everything
(`set_distribution`), and for a while and one thread that of a `scope`. A model keeps the distribution it was made in;
one that was made in none goes with whatever is in force when it is used.

Ranks of different distributions know nothing of each other: they may train other models for other numbers of steps at
the same time, and each first rank prints and writes. But they are ranks of one job: an exception that nobody catches
on any of them ends the whole job, as long as `DSEQ_ABORT` is on.
"""

from dseq.parallel import communicator as ranks_of
from dseq.parallel import current
from dseq.parallel.wire import Exchange, Half, LocalSGD, TopK

__all__ = [
    "DataParallel",
    "Half",
    "LocalSGD",
    "TopK",
    "distribution",
    "get_device_count",
    "initialize",
    "list_devices",
    "set_distribution",
]


class DataParallel:
    """Ranks that train a model together, each on its rows of each batch.

    dseq works on a copy of the communicator: messages of the script do not meet dseq's, MPI's world and its error
    handler stay as they are, whoever has initialised MPI finalises it. The copy is made once for each communicator. It
    is freed with it (`comm.Free()`), or if some rank still has a distribution of it, kept to the end of the job.

    Args:
        device_mesh: None; Keras' meshes of devices are communicators here.
        devices: None, or a list with one name for each rank, as of `list_devices`.
        auto_shard_dataset: True: all ranks pass the same data, and each is given its rows.
        communicator: Communicator of mpi4py's. All its ranks make the distribution, together. None for all ranks of
            the job.
        exchange: What travels over a slow network in place of full gradients: `Half()`, `TopK(0.01)` or
            `LocalSGD(8)`, each of which changes results. None for full gradients. (An optimizer's
            `gradient_accumulation_steps` need no option: ranks exchange once for all of them.)

    Raises:
        TypeError: If it is no communicator, or no exchange.
        ValueError: If this rank is not in the communicator (`MPI.COMM_NULL`), it has two groups, or an argument has
            another value.

    Example:
        >>> from mpi4py import MPI
        >>> half = MPI.COMM_WORLD.Split(MPI.COMM_WORLD.rank % 2)
        >>> with dseq.distribution.DataParallel(communicator=half).scope():
        ...     model = make_model()
        >>> model.fit(x, y)  # on the ranks of `half`, while others train theirs
    """

    def __init__(self, device_mesh=None, devices=None, auto_shard_dataset=True, *, communicator=None, exchange=None):
        if device_mesh is not None:
            raise ValueError(
                "`device_mesh` must be None: ranks are not arranged in a mesh. "
                f"Received: device_mesh={device_mesh!r}. Choose ranks by `communicator`."
            )
        if auto_shard_dataset is not True:
            raise ValueError(
                "`auto_shard_dataset` must be True: all ranks pass the same data, of which dseq gives each its rows. "
                f"Received: auto_shard_dataset={auto_shard_dataset!r}"
            )
        if exchange is not None and not isinstance(exchange, Exchange):
            raise TypeError(
                "`exchange` must be an object such as `dseq.distribution.Half()`, `TopK(0.01)` or `LocalSGD(8)`, or "
                f"None. Received: exchange={exchange!r}"
            )
        self.communicator, self.exchange = communicator, exchange
        self._ranks = None if communicator is None else ranks_of.of(communicator)
        if hasattr(self._ranks, "users"):
            self._ranks.users.add(self)
        if devices is not None and len(devices) != self.ranks.size:
            raise ValueError(
                f"There must be one device for each rank, as the launcher started them. Received: {len(devices)} "
                f"devices for {self.ranks.size} ranks"
            )

    def __repr__(self):
        return f"<DataParallel of {self.num_model_replicas} rank(s)>"

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        return distribution, ()  # in another process, what is in force there

    @property
    def ranks(self):
        """The ranks as dseq's own communicator, with `rank`, `size` and collective methods."""
        return ranks_of.whole() if self._ranks is None else self._ranks

    @property
    def num_model_replicas(self) -> int:
        """Number of ranks."""
        return self.ranks.size

    num_processes = num_model_replicas

    @property
    def data_shard_id(self) -> int:
        """The number of this rank among them: it takes the shard of this number of each batch."""
        return self.ranks.rank

    def scope(self):
        """A context in which the distribution is in force, in this thread: models made there keep it."""
        return current.using(self)


def distribution():
    """The distribution in force, or None: all ranks of the job."""
    return current.get()


def set_distribution(value) -> None:
    """Sets the distribution in force outside of scopes.

    A part of an MPI program that other parts know nothing of sets its communicator here before anything else: MPI's
    world is then left alone.

    Args:
        value: A `DataParallel`, or None for all ranks of the job.

    Raises:
        TypeError: If it is something else.
    """
    if value is not None and not isinstance(value, DataParallel):
        raise TypeError(f"`set_distribution` takes a `DataParallel` or None. Received: {value!r}")
    current.put(value)


def initialize(job_addresses=None, num_processes=None, process_id=None) -> None:
    """Starts what ranks need to work together; they do so by themselves too.

    Args:
        job_addresses: Accepted as in Keras; the launcher knows them.
        num_processes: Number of ranks, to be checked.
        process_id: Number of this rank, to be checked.

    Raises:
        ValueError: If the launcher says otherwise.
    """
    world = ranks_of.whole()
    if num_processes not in (None, world.size) or process_id not in (None, world.rank):
        raise ValueError(
            "The launcher (`mpirun -n 4 python script.py`) says how many processes there are, and which one this is: "
            f"rank {world.rank} of {world.size}. Received: {num_processes=}, {process_id=}"
        )


def list_devices(device_type=None) -> list:
    """A name for each rank, `"cpu:0"` and so on.

    Args:
        device_type: `"cpu"` or None.

    Raises:
        ValueError: If it is another type.
    """
    if device_type not in (None, "cpu"):
        raise ValueError(f"`device_type` must be 'cpu': ranks compute on processors. Received: {device_type!r}")
    return [f"cpu:{rank}" for rank in range(ranks_of.get().size)]


def get_device_count(device_type=None) -> int:
    """Number of ranks; takes what `list_devices` takes."""
    return len(list_devices(device_type))

"""The cores that ranks have, and the threads that use them."""

import os
import weakref
from concurrent.futures import ThreadPoolExecutor

from dseq import config

_pool = None
_checked = weakref.WeakSet()  # communicators, so that it is the same ranks that call


def own() -> list[int]:
    """Numbers of the cores that this process may run on."""
    try:
        return sorted(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return list(range(os.cpu_count() or 1))


def available(communicator) -> int:
    """How many cores this rank may use: those it is bound to, of which ranks that are not bound get equal parts.

    Args:
        communicator: From `communicator.get()`.
    """
    cores = own()
    everybody = len(cores) == (os.cpu_count() or 1)
    count = len(cores) // communicator.local_size if everybody else len(cores)
    task = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return max(1, min(count, int(task)) if task.isdecimal() and int(task) else count)


def threads(communicator) -> int:
    """How many threads each rank computes with, as `DSEQ_NUM_THREADS` says.

    Args:
        communicator: From `communicator.get()`.
    """
    return config.threads or available(communicator)


def side_by_side(count: int):
    """A function that makes calls on several threads.

    Args:
        count: Number of threads, this one among them.

    Returns:
        `(function, arguments) -> results`. Neighbours among the arguments go to the same thread, in order.
    """
    global _pool
    if _pool is None or _pool._max_workers < count - 1:
        _pool = ThreadPoolExecutor(count - 1, "dseq")
    pool = _pool

    def run(function, arguments):
        parts = min(count, len(arguments))
        cuts = [len(arguments) * k // parts for k in range(parts + 1)]

        def some(k):
            return [function(argument) for argument in arguments[cuts[k] : cuts[k + 1]]]

        others = [pool.submit(some, k) for k in range(1, parts)]
        results = some(0)
        for other in others:
            results += other.result()
        return results

    return run


def check(communicator) -> None:
    """Says on rank 0 if ranks of a node are bound to fewer cores than they are; once, and called by all of them.

    Args:
        communicator: From `communicator.get()`.
    """
    if communicator in _checked or communicator.size == 1:
        return
    _checked.add(communicator)
    nodes = {}
    for host, cores, count in communicator.allgather_object((communicator.host, own(), os.cpu_count() or 1)):
        nodes.setdefault(host, ([], count))[0].append(cores)
    found = filter(None, (complaint(host, *node) for host, node in nodes.items()))
    if communicator.rank == 0:
        for text in found:
            print(text, flush=True)


def complaint(host: str, cores: list, count: int) -> str:
    """What is wrong with the binding of a node's ranks; nothing if each can have a core.

    Args:
        host: The node's name.
        cores: For each of its ranks, the numbers of its cores.
        count: Cores of the node.
    """
    together = set().union(*cores)
    if len(together) >= min(len(cores), count):
        return ""
    names = ", ".join(map(str, sorted(together)))
    return (
        f"dseq: the {len(cores)} ranks on {host} share {len(together)} of its {count} cores ({names}), and wait for "
        "each other. Let the launcher bind each to cores of its own: `srun --cpu-bind=cores`, `mpirun --bind-to core` "
        "(Open MPI), `mpirun -bind-to core` (MPICH)."
    )

"""What the launcher (mpirun, srun, ...) says in its environment about this job, known before MPI is."""

import os
from dataclasses import dataclass

_OMPI, _MV2, _JSM = "OMPI_COMM_WORLD_", "MV2_COMM_WORLD_", "JSM_NAMESPACE_"

# Launcher, then its variables: ranks in the job, this rank, ranks on this node. PMIx alone names no size. Slurm's are
# last: a launcher that srun started to start the ranks leaves them its own step's values.
LAUNCHERS = (
    ("Open MPI's mpirun", _OMPI + "SIZE", _OMPI + "RANK", _OMPI + "LOCAL_SIZE"),
    ("MVAPICH's mpirun", _MV2 + "SIZE", _MV2 + "RANK", _MV2 + "LOCAL_SIZE"),
    ("a launcher of MPICH's kind", "PMI_SIZE", "PMI_RANK", "MPI_LOCALNRANKS"),
    ("a launcher of MPICH's kind", "PMI_SIZE", "PMI_RANK", "PMI_LOCAL_SIZE"),
    ("PALS' mpiexec", "PALS_SIZE", "PALS_RANKID", "PALS_LOCAL_SIZE"),
    ("jsrun", _JSM + "SIZE", _JSM + "RANK", _JSM + "LOCAL_SIZE"),
    ("flux run", "FLUX_JOB_SIZE", "FLUX_TASK_RANK", None),
    ("srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", None),
)

_SLURM_SPECIAL_STEPS = 0xFFFFFFF0  # ids from here on are a batch script or an interactive shell, not an srun


@dataclass(frozen=True)
class Launch:
    """What a launcher announces.

    Attributes:
        launcher: What it is called.
        variable: The environment variable that told the size.
        size: Ranks in the job.
        rank: This process's rank.
        local_size: Ranks on this node, or None if it does not say.
    """

    launcher: str
    variable: str
    size: int
    rank: int
    local_size: int | None


def announced(environment=os.environ) -> Launch | None:
    """What the launcher of this process announces; None if it was started by hand.

    Args:
        environment: Mapping of variables.
    """
    fallback = None
    for name, size, rank, local_size in LAUNCHERS:
        count = _number(environment, size)
        if count is None or (name == "srun" and not _in_srun(environment)):
            continue
        local = _slurm_local_size(environment) if name == "srun" else _number(environment, local_size)
        launch = Launch(name, size, count, _number(environment, rank) or 0, local)
        if local is not None:
            return launch
        fallback = fallback or launch
    return fallback


def expects_ranks(environment=os.environ) -> bool:
    """Whether a launcher announces more than one rank."""
    launch = announced(environment)
    return launch is not None and launch.size > 1


def cores_of_node() -> int:
    """How many cores the ranks of this node may use together.

    A rank bound to one core sees one; the launcher's daemon above it sees all of them.
    """
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    cores = len(os.sched_getaffinity(0))
    granted = _number(os.environ, "SLURM_CPUS_ON_NODE")
    if granted is not None:
        return max(cores, granted)
    try:
        return max(cores, len(os.sched_getaffinity(os.getppid())))
    except OSError:  # it belongs to another user, or has ended
        return cores


def oversubscribed() -> bool:
    """Whether this node has more ranks than cores for them."""
    launch = announced()
    return launch is not None and (launch.local_size or launch.size) > cores_of_node()


def _number(environment, name):
    text = environment.get(name, "") if name else ""
    return int(text) if text.isdigit() else None


def _in_srun(environment):
    step = _number(environment, "SLURM_STEP_ID")
    return step is not None and step < _SLURM_SPECIAL_STEPS


def _slurm_local_size(environment):
    """This node's part of, for example, `4(x2),3`: four tasks on two nodes each and three on another."""
    node = _number(environment, "SLURM_NODEID") or 0
    for part in environment.get("SLURM_STEP_TASKS_PER_NODE", "").split(","):
        tasks, _, times = part.partition("(x")
        repeat = int(times.rstrip(")") or 1) if times else 1
        if node < repeat:
            return int(tasks) if tasks.isdigit() else None
        node -= repeat
    return None

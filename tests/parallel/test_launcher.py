"""What launchers announce, from the variables that they really set."""

import pytest

from dseq.parallel import launcher
from dseq.parallel.launcher import announced

HYDRA = {"PMI_SIZE": "4", "PMI_RANK": "3", "MPI_LOCALNRANKS": "2", "MPI_LOCALRANKID": "1", "PMI_FD": "9"}
OPEN_MPI = {
    "OMPI_COMM_WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_RANK": "3",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
    "PMIX_RANK": "3",
}
SRUN = {
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_PROCID": "3",
    "SLURM_NODEID": "1",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
}


@pytest.mark.parametrize("environment", [HYDRA, OPEN_MPI, SRUN], ids=["hydra", "open mpi", "srun"])
def test_size_rank_and_local_size(environment):
    launch = announced(environment)
    assert (launch.size, launch.rank, launch.local_size) == (4, 3, 2)
    assert launcher.expects_ranks(environment)
    assert environment[launch.variable] == "4"


def test_srun_that_speaks_pmi2():
    launch = announced(SRUN | {"PMI_SIZE": "4", "PMI_RANK": "3", "PMI_FD": "9"})
    assert (launch.size, launch.rank, launch.local_size) == (4, 3, 2)


def test_a_launcher_that_srun_started():
    """Hydra starts one process per node by srun; each starts the ranks, which inherit that step's variables."""
    launch = announced(SRUN | {"SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_TASKS_PER_NODE": "1(x2)"} | HYDRA)
    assert (launch.size, launch.variable, launch.local_size) == (4, "PMI_SIZE", 2)


@pytest.mark.parametrize(("node", "tasks"), [(0, 4), (1, 4), (2, 3), (3, 1), (4, None)])
def test_tasks_of_a_node(node, tasks):
    launch = announced(SRUN | {"SLURM_STEP_TASKS_PER_NODE": "4(x2),3,1", "SLURM_NODEID": str(node)})
    assert launch.local_size == tasks


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"SLURM_NTASKS": "4", "SLURM_PROCID": "0"},  # a batch script, which runs once
        SRUN | {"SLURM_STEP_ID": "4294967291"},  # the batch step
        {"PMIX_RANK": "0"},
    ],
    ids=["by hand", "batch script", "batch step", "no size"],
)
def test_no_launcher(environment):
    assert announced(environment) is None
    assert not launcher.expects_ranks(environment)


def test_one_rank_is_announced_but_needs_no_mpi():
    assert announced(HYDRA | {"PMI_SIZE": "1"}).size == 1
    assert not launcher.expects_ranks(HYDRA | {"PMI_SIZE": "1"})


def test_a_bound_rank_counts_the_cores_of_all(monkeypatch):
    monkeypatch.setattr(launcher.os, "sched_getaffinity", lambda pid: {0} if pid == 0 else set(range(8)))
    monkeypatch.delenv("SLURM_CPUS_ON_NODE", raising=False)
    assert launcher.cores_of_node() == 8
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "4")
    assert launcher.cores_of_node() == 4


@pytest.mark.parametrize(("cores", "expected"), [(1, True), (2, False), (3, False)])
def test_oversubscribed(cores, expected, monkeypatch):
    monkeypatch.setattr(launcher, "announced", lambda: announced(HYDRA))
    monkeypatch.setattr(launcher, "cores_of_node", lambda: cores)
    assert launcher.oversubscribed() is expected

"""A real Slurm: ranks that srun starts, a job that is asked to stop and goes on, a rank that is killed.

Where Debian's packages slurm-wlm, munge and (for Open MPI) libpmix2 are installed, and for root, who may start it.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTBED = ROOT / "cluster" / "testbed"
PROGRAM = ROOT / "tests" / "mpi" / "programs" / "slurm.py"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Environment of a cluster of two nodes."""
    if os.geteuid() or not all(map(shutil.which, ("srun", "sbatch", "slurmctld", "slurmd", "munged"))):
        pytest.skip("needs root, slurm-wlm and munge")
    folder = tmp_path_factory.mktemp("slurm")
    folder.chmod(0o755)
    up = subprocess.run([TESTBED, "up", folder], capture_output=True, text=True, timeout=30)
    assert up.returncode == 0, up.stderr
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    yield {**os.environ, "SLURM_CONF": up.stdout.strip(), "PATH": path, "PYTHONPATH": str(ROOT)}
    subprocess.run([TESTBED, "down", folder], timeout=30)


def interface():
    code = "import mpi4py; mpi4py.rc.initialize = False; from mpi4py import MPI; print(*MPI.get_vendor())"
    vendor = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    return "pmix" if vendor.startswith("Open MPI") else "pmi2"


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_job_that_is_asked_to_stop_goes_on_where_it_was(cluster, tmp_path):
    output = tmp_path / "output"
    command = ["sbatch", "--parsable", "--nodes=2", "--ntasks-per-node=1", f"--output={output}", f"--chdir={tmp_path}"]
    command += [ROOT / "cluster" / "slurm.sh", PROGRAM, "train"]
    job = subprocess.run(command, env=cluster, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    def said(text):
        return output.exists() and text in output.read_text()

    try:
        wait_for(lambda: said("Epoch 2/3"))
        subprocess.run(["scancel", "--signal=USR1", "--batch", job], env=cluster, check=True, timeout=30)
        wait_for(lambda: said("exit code 85") and said("DUE TO JOB REQUEUE"))
        assert "on 2 ranks of 2 nodes" in output.read_text()
        state = ["squeue", "--noheader", "--format=%t", f"--jobs={job}"]
        wait_for(lambda: subprocess.run(state, env=cluster, capture_output=True, timeout=30).stdout.strip() == b"PD")
        time.sleep(4)  # it would wait for two minutes, as what is left of the first run may need some time to go
        subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], env=cluster, check=True, timeout=30)
        wait_for(lambda: said("done"))
        text = output.read_text()
        assert text.count("Epoch 1/3") == 1 and text.count("Epoch 2/3") == 2 and text.count("Epoch 3/3") == 1
    except AssertionError:
        raise AssertionError(output.read_text() if output.exists() else "nothing was printed") from None
    finally:
        subprocess.run(["scancel", job], env=cluster, capture_output=True, timeout=30)


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_rank_that_is_killed(cluster, nodes, tmp_path):
    """srun lets the others wait, if it is not told to end them; they find out themselves."""
    command = ["srun", f"--mpi={interface()}", f"--nodes={nodes}", "--ntasks=2", "python", PROGRAM, "kill"]
    done = subprocess.run(command, env=cluster, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    if interface() == "pmi2":  # the other MPI ends such a job itself
        assert "rank 1" in done.stderr and "has ended without a word" in done.stderr, done.stderr

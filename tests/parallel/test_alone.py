"""One rank: no MPI is imported or needed, and every method is there."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

from dseq.parallel import communicator, engine
from dseq.parallel.alone import Alone

BLOCKED = "import sys; sys.modules['mpi4py'] = None\n"


def python(text, **environment):
    clean = {"PATH": "", "PYTHONPATH": ":".join(filter(None, sys.path)), **environment}
    return subprocess.run([sys.executable, "-c", text], env=clean, capture_output=True, text=True, timeout=120)


def test_every_public_method_of_many_ranks_exists_for_one():
    for name, method in inspect.getmembers(communicator.World, inspect.isfunction):
        if not name.startswith("_") and name not in ("failed_alone", "free", "leaving"):
            ours = inspect.signature(getattr(Alone, name))
            assert list(ours.parameters) == list(inspect.signature(method).parameters), name


def test_results_are_those_of_one_rank():
    one = Alone()
    values = np.arange(3.0)
    assert one.allreduce_sum(values) is values and one.broadcast(values) is values
    one.bound_sum(values)()
    np.testing.assert_array_equal(values, [0, 1, 2])
    assert one.allgather_rows(values, [3]) is values
    assert one.allgather_object("a") == one.gather_object("a") == ["a"] and one.broadcast_object("a") == "a"
    assert one.share_outcome(lambda: 1) == one.on_node_first(lambda: 1) == 1
    with one.section("fit") as entered:
        assert entered is one
        one.agree("fit", [("a", "b")])
    one.barrier()
    with pytest.raises(KeyError), one.section("fit"):
        one.share_outcome(lambda: {}["missing"])


def test_the_engine_of_one_rank():
    chosen = engine.get("flat", Alone())
    grads = chosen.gradients(40)[0, :40].view("float32")
    assert grads.ctypes.data % 64 == 0 and not grads.any()
    grads[:] = 1
    chosen.reduce(grads)
    chosen.broadcast(grads)
    chosen.finish(grads)
    assert (grads == 1).all() and chosen.owned(10) == (0, 10)


def test_unknown_engine():
    several = Alone()
    several.size = 2
    with pytest.raises(ValueError, match="Received: 'ring'"):
        engine.get("ring", several)


def test_without_mpi4py_dseq_works():
    done = python(
        BLOCKED + "import dseq\nfrom dseq.parallel import communicator\n"
        "world = communicator.get()\nprint(world.rank, world.size)\ndseq.print_once('once')"
    )
    assert done.stdout == "0 1\nonce\n", done.stderr


def test_mpi_is_not_imported_without_a_launcher():
    done = python(
        "import sys, dseq\nfrom dseq.parallel import communicator\ncommunicator.get()\n"
        "assert sys.excepthook is sys.__excepthook__\nprint('mpi4py' in sys.modules)"
    )
    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "0"}, "srun started 4 ranks"),
        ({"DSEQ_MPI": "on"}, "DSEQ_MPI=on"),
    ],
)
def test_several_ranks_without_mpi4py_are_an_error(environment, reason):
    done = python(BLOCKED + "from dseq.parallel import communicator\ncommunicator.get()", **environment)
    assert done.returncode != 0
    assert reason in done.stderr and "pip install mpi4py" in done.stderr


def test_a_launcher_without_mpi_is_ignored_on_request():
    environment = {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4", "DSEQ_MPI": "off"}
    done = python(BLOCKED + "from dseq.parallel import communicator\nprint(communicator.get().size)", **environment)
    assert done.stdout == "1\n", done.stderr

"""What ranks do together, on 2 to 5 ranks: expected values are formulas in the number of ranks."""

from pathlib import Path

import pytest

from tests.mpi.mpirun import launcher_command, run, vendor

PROGRAMS = Path(__file__).parent / "programs"


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 5])
def test_all_methods(ranks, tmp_path):
    done = run([PROGRAMS / "methods.py", tmp_path], ranks)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("all methods agree") == ranks
    assert done.stdout.count("printed once") == 1


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_that_differ_all_get_the_same_error(ranks, program):
    script = program("""
        from dseq.parallel import communicator

        world = communicator.get()
        last = world.rank == world.size - 1

        def refused(section, facts):
            try:
                with world.section(section):
                    world.agree(section, facts)
            except ValueError as error:
                return str(error)

        shape = "(80, 5)" if last else "(100, 5)"
        for section, facts in (
            ("fit", [("x.dtype", "float32"), ("x.shape", shape), ("epochs", "3")]),
            ("fit", [("model", str(last))]),
            ("evaluate" if last else "predict", []),
        ):
            messages = world.allgather_object(refused(section, facts))
            assert len(set(messages)) == 1, messages
            communicator.print_once(messages[0])
        with world.section("fit"):
            world.agree("fit", [("x.shape", "(100, 5)")])  # the ranks are still together
    """)
    done = run(script, ranks)
    assert done.returncode == 0, done.stderr
    first, model, methods = done.stdout.splitlines()
    others = "rank 0" if ranks == 2 else "ranks 0-1"
    assert f"x.shape differs: {others}: (100, 5); rank {ranks - 1}: (80, 5)" in first
    assert "Build the same model" in model
    assert f"{others}: in predict; rank {ranks - 1}: in evaluate" in methods


@pytest.mark.parametrize("cores", [1, 2])
def test_more_ranks_than_cores_do_not_collapse(cores, program):
    """MPICH's collectives then wait for each other's time slices: 10 ms for what takes 50 us without that choice."""
    script = program(f"""
        import os

        import numpy as np
        from dseq.parallel import communicator, launcher

        launcher.cores_of_node = lambda: {cores}
        world = communicator.get()
        add = world.bound_sum(np.ones(250, "float32"))
        for _ in range(300):
            add()
        communicator.print_once(os.environ.get("MPIR_CVAR_DEVICE_COLLECTIVES"))
    """)
    done = run(script, 2 * cores, timeout=60)
    assert done.stdout.strip() == "none", done.stderr
    assert run(script, cores, timeout=60).stdout.strip() == "None"


def test_a_users_choice_for_mpich_stays(program):
    script = program("""
        import os
        from dseq.parallel import communicator
        communicator.get().barrier()
        communicator.print_once(os.environ["MPIR_CVAR_DEVICE_COLLECTIVES"])
    """)
    done = run(script, 2, env={"MPIR_CVAR_DEVICE_COLLECTIVES": "percoll"})
    assert done.stdout.strip() == "percoll", done.stderr


def test_mpi_of_the_users_script_is_taken(program):
    script = program("""
        from mpi4py import MPI
        import dseq
        from dseq.parallel import communicator
        assert communicator.get().size == MPI.COMM_WORLD.size == 2
        if MPI.COMM_WORLD.rank == 0:
            communicator.print_once("asked for the rank on one rank only")
    """)
    done = run(script, 2)
    assert done.returncode == 0 and "one rank only" in done.stdout, done.stderr


def test_mpi_off_gives_single_ranks(program):
    script = program("""
        import sys
        from dseq.parallel import communicator
        assert communicator.get().size == 1
        assert "mpi4py" not in sys.modules
    """)
    done = run(script, 2, env={"DSEQ_MPI": "off"})
    assert done.returncode == 0, done.stderr


def test_a_launcher_of_another_mpi_is_an_error(program):
    """Each rank would train by itself, in silence."""
    script = program("""
        from dseq.parallel import communicator
        communicator.get()
    """)
    launcher_command()
    size = "PMI_SIZE" if vendor() == "openmpi" else "OMPI_COMM_WORLD_SIZE"
    done = run(script, 1, env={size: 4})
    assert done.returncode != 0
    assert f"{size}=4" in done.stderr and "sees one" in done.stderr and "--mpi=pmix" in done.stderr
    assert done.tracebacks == 1


@pytest.mark.parametrize("blocked", ["mpi4py", "mpi4py.MPI"])
def test_several_ranks_without_mpi_are_an_error(blocked, program):
    """No mpi4py, and mpi4py without a library: which ranks there are is only known from the launcher."""
    script = program(f"""
        import sys
        import dseq
        sys.modules[{blocked!r}] = None
        from dseq.parallel import communicator
        communicator.get()
    """)
    done = run(script, 2)
    assert done.returncode != 0
    assert done.tracebacks == 1, done.stderr
    assert "pip install" in done.stderr

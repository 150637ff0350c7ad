"""Training on communicators of the script's own: on some ranks of a job, beside other programs and other models."""

from pathlib import Path

import pytest

from tests.mpi.mpirun import run, vendor

PROGRAMS = Path(__file__).parent / "programs"
HEAD = """
    import sys
    import time
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    rank = world.rank


    def trained(comm, **fit):
        import numpy as np
        import dseq as keras

        with keras.distribution.DataParallel(communicator=comm).scope():
            model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
            model.compile("sgd", "mse")
            model.fit(np.ones((8, 3), "f"), np.ones((8, 2), "f"), verbose=0, **fit)
        return model
"""


@pytest.mark.parametrize("ranks, engine", [(2, "flat"), (4, "node")])
def test_teams(ranks, engine, tmp_path):
    """Everything that is asked of them, in one program. Many communicators: MPICH has 2048 of them."""
    many = 520 if ranks == 2 and vendor() == "mpich" else 3
    done = run([PROGRAMS / "teams.py", tmp_path, many], ranks, 120, {"DSEQ_ENGINE": engine, "OMPI_MCA_osc": "^ucx"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("is done") == ranks
    assert done.stdout.count("said by team") == 2
    assert done.stdout.count("val_loss") == 2 + 5  # epochs; the first rank of each team draws progress


def test_ranks_that_know_nothing_of_dseq(program):
    """A solver on the first rank, its surrogate on the others; in the world of MPI all meet at the end only."""
    script = program(
        HEAD
        + """
    sub = world.Split(min(rank, 1))
    if rank == 0:
        total = world.reduce(0.0)
        assert "dseq" not in sys.modules
        print("solver done", total, flush=True)
    else:
        import dseq as keras

        keras.distribution.set_distribution(keras.distribution.DataParallel(communicator=sub))
        model = trained(sub, epochs=3)
        assert keras.distribution.list_devices() == ["cpu:0", "cpu:1"]
        world.reduce(1.0)
    """
    )
    done = run(script, 3)
    assert done.returncode == 0 and "solver done 2.0" in done.stdout, done.stderr


def test_ranks_in_no_team_end(program):
    script = program(
        HEAD
        + """
    import dseq

    sub = world.Split(MPI.UNDEFINED if rank == 0 else 1)
    if sub != MPI.COMM_NULL:
        trained(sub, epochs=2)
    print("ended", flush=True)
    """
    )
    done = run(script, 3)
    assert done.returncode == 0 and done.stdout.count("ended") == 3, done.stderr


@pytest.mark.parametrize("how", ["raise ValueError('lost')", "sys.exit(3)"])
def test_failure_of_one_rank_of_a_team_ends_the_job(how, program):
    """In a callback, where the other rank of its team waits; the other team would go on for a minute."""
    script = program(
        HEAD
        + f"""
    import dseq as keras

    class Fail(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if rank == 3 and batch == 1:
                {how}
            if rank % 2 == 0:
                time.sleep(0.1)

    trained(world.Split(rank % 2), epochs=600 if rank % 2 == 0 else 60, batch_size=4, callbacks=[Fail()])
    """
    )
    done = run(script, 4, timeout=50)
    assert done.returncode != 0
    assert done.tracebacks == how.startswith("raise") and "rank 3/4" in done.stderr, done.stderr


def test_a_rank_that_ends_early_is_missed_by_its_team(program):
    """Teams overlap: rank 0 is in both. The error comes on the ranks that still call; the job does not hang."""
    script = program(
        HEAD
        + """
    first, second = world.Split(rank // 2), world.Split(rank % 2)
    trained(first, epochs=1), trained(second, epochs=1)
    if rank == 2:
        try:
            trained(second, epochs=1)
        except ValueError as error:
            print("told:", error, flush=True)
    """
    )
    done = run(script, 4)
    assert "told:" in done.stdout and "rank 0: program ended" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0, done.stderr


def test_calls_of_another_thread_need_their_level(program):
    script = program("""
        import threading
        import mpi4py

        mpi4py.rc.thread_level = "funneled"
        from mpi4py import MPI
        from dseq.distribution import DataParallel

        if MPI.Query_thread() < MPI.THREAD_SERIALIZED:
            found = []

            def make():
                try:
                    DataParallel(communicator=MPI.COMM_WORLD.Dup())
                except RuntimeError as error:
                    found.append(str(error))

            thread = threading.Thread(target=make)
            thread.start(), thread.join()
            assert "one thread only" in found[0], found
        DataParallel(communicator=MPI.COMM_WORLD.Dup()).ranks.barrier()
    """)
    done = run(script, 2)
    assert done.returncode == 0, done.stderr

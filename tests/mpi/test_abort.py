"""Whatever happens to one rank, the job ends soon, not with 0, and says once which rank it was and why."""

import pytest

from tests.mpi.mpirun import run

LIMIT = 60  # seconds: a job that ends by itself takes 2 to 20, as busy as the machine is; one that hangs takes for ever

SCRIPT = """
    import os
    import signal
    import sys
    import threading
    import time

    import numpy as np

    import dseq
    from dseq.parallel import communicator, launcher

    where, how, victims = sys.argv[1], sys.argv[2], [int(rank) for rank in sys.argv[3].split(",")]
    victim = launcher.announced().rank in victims


    def fail():
        if not victim:
            return
        if how == "raise":
            raise RuntimeError("the victim's words")
        if how == "sys.exit":
            sys.exit(int(sys.argv[4]))
        if how == "SystemExit":
            raise SystemExit(int(sys.argv[4]))
        if how == "interrupt":
            raise KeyboardInterrupt
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)


    def fit(steps):
        world = communicator.get()
        gradients = np.zeros(1000, "float32")
        with world.section("fit"):
            world.agree("fit", [("a", "b")])
            for step in range(steps):
                world.allreduce_sum(gradients)
                if step == 20:
                    if where == "inside" or where == "caught":
                        fail()
                    if where == "thread":
                        threading.Thread(target=fail).start()


    if where == "first":
        fail()
    communicator.get()
    if where == "before":
        fail()
    if where == "caught":
        try:
            fit(1_000_000)
        except BaseException:
            time.sleep(0.1)
        fit(10)
    elif where == "after":
        fit(100)
        fail()
    elif where == "slow":
        fit(100)
        fail()
        time.sleep(1000)
    elif where == "handled":
        try:
            fail()
        except SystemExit:
            pass
        fit(100)
        if victim:
            time.sleep(2)
    else:
        fit(1_000_000)
    print("the end")
"""


@pytest.fixture
def job(program):
    """Runs the script: `job(ranks, where, how, victims, exit code)`."""
    script = program(SCRIPT)

    def run_job(ranks, where, how, victims, code=0):
        victims = ",".join(str(rank) for rank in ([victims] if isinstance(victims, int) else victims))
        done = run([script, where, how, victims, code], ranks, timeout=LIMIT)
        done.said = [line for line in done.stderr.splitlines() if line.startswith("[dseq rank")]
        return done

    return run_job


@pytest.mark.parametrize("where", ["first", "before", "inside", "caught", "slow", "thread"])
@pytest.mark.parametrize(("ranks", "victim"), [(2, 0), (3, 1)])
def test_an_exception_on_one_rank(where, ranks, victim, job):
    done = job(ranks, where, "raise", victim)
    assert done.returncode != 0
    assert done.tracebacks == 1, done.stderr
    assert len(done.said) == 1 and done.said[0].startswith(f"[dseq rank {victim}/{ranks} "), done.stderr
    assert done.stderr.count("RuntimeError: the victim's words") == 1
    assert 'raise RuntimeError("the victim' in done.stderr and "in <module>" in done.stderr or where == "thread"
    assert "the end" not in done.stdout


@pytest.mark.parametrize("where", ["first", "before", "inside", "after"])
def test_an_exception_on_all_ranks_is_said_once(where, job):
    done = job(3, where, "raise", [0, 1, 2])
    assert done.returncode != 0
    assert done.tracebacks == 1 and done.said[0].startswith("[dseq rank 0/3 "), done.stderr


def test_an_exception_on_all_ranks_may_be_caught(job):
    done = job(3, "caught", "raise", [0, 1, 2])
    assert done.returncode == 0 and done.stdout.count("the end") == 3, done.stderr
    assert not done.said


@pytest.mark.parametrize("where", ["first", "before", "inside", "slow"])
@pytest.mark.parametrize("victim", [0, 1])
def test_sys_exit_on_one_rank(where, victim, job):
    done = job(2, where, "sys.exit", victim, 3)
    assert done.returncode == 3, done.stderr
    assert len(done.said) == 1 and done.said[0].startswith(f"[dseq rank {victim}/2 "), done.stderr
    assert done.tracebacks == 0


@pytest.mark.parametrize(("where", "how"), [("first", "sys.exit"), ("before", "SystemExit"), ("inside", "SystemExit")])
@pytest.mark.parametrize(("ranks", "victim"), [(2, 0), (3, 1)])
def test_a_rank_that_just_ends(where, how, ranks, victim, job):
    """Exit code 0, yet the job did not do what it was to do."""
    done = job(ranks, where, how, victim, 0)
    assert done.returncode != 0
    assert len(done.said) == 1, done.stderr
    assert f"rank {victim}: program ended" in done.stderr or "left fit by sys.exit(0)" in done.stderr
    assert "the end" not in done.stdout


@pytest.mark.parametrize(("where", "how"), [("first", "sys.exit"), ("before", "SystemExit"), ("inside", "sys.exit")])
@pytest.mark.parametrize("code", [0, 3])
def test_all_ranks_exit_alike(where, how, code, job):
    done = job(2, where, how, [0, 1], code)
    assert done.returncode == code, done.stderr
    assert not done.said and done.tracebacks == 0 and "MPI_Abort" not in done.stderr


def test_one_rank_ends_with_a_code_when_the_work_is_done(job):
    done = job(2, "after", "sys.exit", 1, 3)
    assert done.returncode == 3 and not done.said, done.stderr


def test_a_sys_exit_that_was_caught_is_none(job):
    done = job(2, "handled", "sys.exit", 0, 3)
    assert done.returncode == 0 and done.stdout.count("the end") == 2 and not done.said, done.stderr


@pytest.mark.parametrize("victims", [[0], [1], [0, 1]])
def test_interrupted(victims, job):
    done = job(2, "inside", "interrupt", victims)
    assert done.returncode != 0 and done.tracebacks == 0
    assert len(done.said) == 1 and "interrupted" in done.said[0], done.stderr


@pytest.mark.parametrize("where", ["first", "inside"])
def test_a_rank_that_is_killed(where, job):
    assert job(2, where, "kill", 1).returncode != 0


def test_a_hook_that_replaces_ours(program):
    script = program("""
        import sys
        import time

        import dseq
        from dseq.parallel import communicator

        sys.excepthook = lambda *error: None
        world = communicator.get()
        world.barrier()
        if world.rank == 1:
            raise ValueError
        time.sleep(1000)
    """)
    done = run(script, 2, timeout=LIMIT)
    assert done.returncode != 0
    assert "rank 1/2" in done.stderr and "exit code 1" in done.stderr


def test_without_abort_python_is_left_alone(program):
    script = program("""
        import sys
        import dseq
        assert sys.excepthook is sys.__excepthook__
        assert sys.exit.__module__ == "sys"
        from dseq.parallel import communicator
        communicator.get().barrier()
    """)
    done = run(script, 2, env={"DSEQ_ABORT": "off"})
    assert done.returncode == 0, done.stderr


def test_a_callback_that_fails_on_one_rank(program):
    script = program("""
        import numpy as np

        import dseq
        from dseq.parallel import communicator

        class Unlucky(dseq.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                if communicator.get().rank == 1 and batch == 3:
                    raise RuntimeError("the callback's words")

        model = dseq.Sequential([dseq.Input((4,)), dseq.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(np.zeros((100, 4)), np.zeros((100, 1)), batch_size=10, epochs=10**6, verbose=0, callbacks=[Unlucky()])
    """)
    done = run(script, 2, timeout=60)
    assert done.returncode != 0 and done.tracebacks == 1, done.stderr
    assert done.stderr.startswith("[dseq rank 1/2 ") and done.stderr.count("the callback's words") >= 1, done.stderr


def test_a_rank_that_leaves_a_shared_outcome(program):
    """The others are in a collective call of another kind than the one in which ranks meet at their end."""
    script = program("""
        import sys

        import dseq
        from dseq.parallel import communicator

        world = communicator.get()
        with world.section("save"):
            world.agree("save")
            world.share_outcome(lambda: sys.exit(5))
        print("not reached")
    """)
    done = run(script, 2, timeout=LIMIT)
    assert done.returncode == 5 and "not reached" not in done.stdout, done.stderr


@pytest.mark.parametrize("program_text", ["", "raise ValueError", "import sys; sys.exit(2)"])
def test_mpi_that_the_script_finalised(program_text, program):
    script = program(f"""
        import dseq
        from dseq.parallel import communicator
        communicator.get().barrier()
        from mpi4py import MPI
        MPI.Finalize()
        {program_text}
    """)
    done = run(script, 2, timeout=LIMIT)
    assert (done.returncode == 0) == (program_text == ""), done.stderr

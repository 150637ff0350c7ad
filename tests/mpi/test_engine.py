"""The node engine: as flat and as one rank, whatever scripts do; one copy of the parameters; falling back; failures."""

import ast
from pathlib import Path

import numpy as np
import pytest

from tests.mpi.mpirun import run, vendor

PROGRAMS = Path(__file__).parent / "programs"
NODE = {"DSEQ_ENGINE": "node"}


def results(name, ranks, folder, env):
    target = folder / f"{name}{ranks}.npz"
    done = run([PROGRAMS / f"{name}.py", target], ranks, timeout=240, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(np.load(target))


def compare(found, expected, rtol):
    assert set(found) == set(expected)
    for name, values in expected.items():
        scale = np.abs(values).max(initial=0)
        np.testing.assert_allclose(found[name], values, rtol=rtol, atol=rtol * scale, err_msg=name)


@pytest.fixture(scope="module")
def one_rank(tmp_path_factory):
    """What a single process computes, by program; each is run once."""
    folder, known = tmp_path_factory.mktemp("alone"), {}

    def get(name):
        if name not in known:
            known[name] = results(name, 1, folder, {})
        return known[name]

    return get


@pytest.mark.parametrize(
    ("ranks", "engine", "per_node"), [(2, "node", 0), (3, "node", 2), (2, "flat", 0)], ids=["one", "several", "flat"]
)
def test_whatever_scripts_do(ranks, engine, per_node, one_rank, tmp_path):
    env = {"DSEQ_ENGINE": engine, "DSEQ_NODE_RANKS": per_node}
    compare(results("engine", ranks, tmp_path, env), one_rank("engine"), 2e-5)


@pytest.mark.parametrize("ranks", [2, 3])
def test_gradients_made_of_the_rows_of_all_ranks(ranks, one_rank, tmp_path):
    found, expected = results("factors", ranks, tmp_path, NODE), one_rank("factors")
    compare(found, expected, 1e-4)
    assert (found["exact/0"] == expected["exact/0"]).all()


def test_several_nodes():
    done = run([PROGRAMS / "nodes.py"], 5, timeout=120, env={"DSEQ_NODE_RANKS": 2})
    assert done.returncode == 0 and "nodes agree" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("dseq: engine node on 5 ranks of 3 nodes.\n") == 1


def test_the_comparison_has_power(one_rank):
    found = one_rank("engine")
    for a, b in [("changed", "changed and trained"), ("set and trained", "not set"), ("saved", "loaded")]:
        assert np.abs(found[f"{a}/0"] - found[f"{b}/0"]).max() > 1e-3
    assert np.abs(found["adam applied/8"] - found["adam state set/8"]).max() > 1e-3
    assert np.abs(found["shrunk on all/0"] - found["set by data/0"]).max() > 1e-3


@pytest.mark.parametrize(("ranks", "name", "per_node"), [(5, "train", 3), (3, "optimizers", 1)])
def test_programs_of_other_tests_on_several_nodes(ranks, name, per_node, one_rank, tmp_path):
    found = results(name, ranks, tmp_path, NODE | {"DSEQ_NODE_RANKS": per_node})
    compare(found, one_rank(name), 2e-5 if name == "train" else 1e-4)


def test_ranks_stay_together():
    done = run([PROGRAMS / "together.py"], 3, timeout=120, env=NODE)
    assert done.returncode == 0 and "together to the end" in done.stdout, done.stdout + done.stderr


def test_a_backup_goes_on_with_another_engine(tmp_path):
    found = []
    for ranks, engine in ((1, "auto"), (3, "node")):
        folder, result = tmp_path / f"backup{ranks}", tmp_path / f"{ranks}.npz"
        if engine == "node":
            arguments = [PROGRAMS / "backup.py", folder, result, "13", "1"]
            done = run(arguments, 3, timeout=90, env=NODE)
            assert done.returncode != 0 and "the victim's words" in done.stderr and done.tracebacks == 1, done.stderr
            done = run(arguments[:3], 2, timeout=90, env={"DSEQ_ENGINE": "flat"})
        else:
            done = run([PROGRAMS / "backup.py", folder, result], 1, timeout=90)
        assert done.returncode == 0, done.stdout + done.stderr
        found.append(np.load(result))
    for name in (f"arr_{i}" for i in range(5)):
        np.testing.assert_allclose(found[1][name], found[0][name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_without_the_compiler(program):
    script = program(
        """
        import numpy as np
        import dseq
        from dseq.parallel import communicator

        dseq.utils.set_random_seed(0)
        model = dseq.Sequential([dseq.Input((3,)), dseq.layers.Dense(2, "relu"), dseq.layers.Dense(1)])
        model.compile("adam", "mse")
        x = np.arange(24.0).reshape(8, 3) / 24
        model.fit(x, x[:, :1], batch_size=4, epochs=2, verbose=0)
        if communicator.get().rank == 0:
            print("weights", [float(w.sum()) for w in model.get_weights()])
        """
    )
    said = [
        run(script, ranks, timeout=90, env=NODE | {"NUMBA_DISABLE_JIT": "1"}).stdout.partition("weights")[2]
        for ranks in (1, 2)
    ]
    one, two = (np.array(ast.literal_eval(text)) for text in said)
    np.testing.assert_allclose(two, one, rtol=1e-5)


MEMORY = """
    import gc
    import sys
    import numpy as np
    import dseq
    from dseq.parallel import communicator

    world = communicator.get()
    wide = 1024
    model = dseq.Sequential([dseq.Input((wide,)), dseq.layers.Dense(wide), dseq.layers.Dense(wide)])
    model.compile("adam", "mse")
    x = np.ones((8, wide), "float32")
    model.fit(x, x, batch_size=8, verbose=0)
    gc.collect()
    lines = dict(line.split(":", 1) for line in open("/proc/self/smaps_rollup").read().splitlines()[1:])
    pss = {name: int(lines[name].split()[0]) / 1024 for name in ("Pss", "Pss_Anon", "Pss_Shmem")}
    world.barrier()
    everywhere = world.allgather_object(pss)
    if world.rank == 0:
        totals = [sum(one[name] for one in everywhere) for name in ("Pss_Anon", "Pss_Shmem")]
        print("found", *totals, model.count_params() * 4 / 2**20)
    """


def test_there_is_one_copy_of_parameters_and_slots(program):
    script = program(MEMORY)
    found = {}
    # The first ones compile, which takes memory too.
    for ranks, engine in ((2, "flat"), (2, "node"), (2, "flat"), (4, "flat"), (2, "node"), (4, "node")):
        # What is freed goes back to the system at once.
        done = run(script, ranks, timeout=90, env={"DSEQ_ENGINE": engine, "MALLOC_MMAP_THRESHOLD_": "100000"})
        assert done.returncode == 0, done.stdout + done.stderr
        anonymous, shared, size = map(float, done.stdout.split("found")[1].split())
        found[ranks, engine] = anonymous, shared
    before = {ranks: found[ranks, "flat"][1] for ranks in (2, 4)}  # what MPI itself has
    kept = {ranks: found[ranks, "node"][1] - before[ranks] - ranks * size for ranks in (2, 4)}  # without gradients
    assert all(abs(memory - 3 * size) < 0.15 * size for memory in kept.values()), (kept, size)
    for ranks in (2, 4):  # what each rank of flat has of its own: parameters, two slots, gradients
        saved = found[ranks, "flat"][0] - found[ranks, "node"][0]
        # A piece of gradients and the code of kernels that flat has no need of go off: 2 MB of 32.
        assert abs(saved - 4 * size * ranks) < 0.4 * size * ranks, (found, size)


def test_memory_is_given_back(program):
    script = program(
        """
        import gc
        import numpy as np
        import dseq
        from dseq.parallel import communicator
        from dseq.parallel.windows import free_bytes

        world = communicator.get()
        x = np.ones((8, 256), "float32")
        for repeat in range(12):
            model = dseq.Sequential([dseq.Input((256,)), dseq.layers.Dense(256), dseq.layers.Dense(256)])
            for again in range(2):
                model.compile("adam", "mse")
                model.fit(x, x, verbose=0)
        gc.collect()
        other = dseq.Sequential([dseq.Input((256,)), dseq.layers.Dense(1)])
        other.compile("sgd", "mse")
        other.fit(x, x[:, :1], verbose=0)
        print(f"windows {len(world._windows)}\\n", end="", flush=True)  # one write: ranks' pieces could mix
        expected = [w.copy() for w in model.get_weights()]
        model.fit(x, x, verbose=0)  # still there
        assert np.isfinite(model.get_weights()[0]).all() and (model.get_weights()[0] != expected[0]).any()
        """
    )
    done = run(script, 2, timeout=90, env=NODE)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = [int(text.split()[0]) for text in done.stdout.split("windows")[1:]]
    # The barrier's; of each of the two models parameters, gradients and the engine's word, of one slots too.
    assert len(counts) == 2 and max(counts) <= 9, done.stdout


FALLBACK = """
    import numpy as np
    import dseq
    from dseq.parallel import communicator, windows

    world = communicator.get()
    {change}
    dseq.utils.set_random_seed(0)
    model = dseq.Sequential([dseq.Input((3,)), dseq.layers.Dense(2000, "relu"), dseq.layers.Dense(1)])
    model.compile("adam", "mse")
    x = np.arange(24.0).reshape(8, 3) / 24
    for repeat in range(2):
        model.fit(x, x[:, :1], batch_size=4, verbose=0)
    text = []
    model.summary(print_fn=text.append)
    if world.rank == 0:
        print([line for line in text[0].splitlines() if "Memory per rank" in line][0])
    """


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        # Little is left on one rank's side only; some windows can be had, but not all.
        ("windows.free_bytes = lambda: 2**24 + 60_000 + 1e9 * (world.rank == 0)", "has 0.1 MB to spare, and 0.1 MB"),
        # No shared memory at all, not even for the barrier.
        ("windows.free_bytes = lambda: 0", "has 0.0 MB to spare, and 0.0 MB"),
    ],
)
def test_falling_back(change, reason, program):
    done = run(program(FALLBACK.format(change=change)), 2, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("the engine node is not possible, flat takes its place: ") == 1, done.stdout
    assert reason in done.stdout and done.stdout.count("dseq: engine flat on 2 ranks.\n") == 1
    assert "on 2 ranks, engine flat (" in done.stdout


def test_an_allocation_that_fails_on_one_rank(program):
    script = program(
        """
        from dseq.parallel import communicator, windows

        world = communicator.get()
        real = world._mpi.Win

        class Win:
            @staticmethod
            def Allocate_shared(size, unit, comm):
                window = real.Allocate_shared(size, unit, comm=comm)
                if world.rank == 1:
                    raise MemoryError("no more")
                return window

        class MPI:
            def __getattr__(self, name):
                return Win if name == "Win" else getattr(real_mpi, name)

        real_mpi, world._mpi = world._mpi, MPI()
        for repeat in range(2):
            try:
                world.shared_bytes(1000)
            except windows.Unavailable as error:
                print(f"refused {error}\\n", end="", flush=True)  # one write: ranks' pieces could mix
        world._mpi = real_mpi
        assert not world.shared_bytes(1000).any()
        """
    )
    done = run(script, 2, timeout=60)
    assert done.returncode == 0 and done.stdout.count("refused MPI gives no shared memory of 0.0 MB (MemoryError") == 4


@pytest.mark.skipif(vendor() != "mpich", reason="a switch of MPICH")
@pytest.mark.parametrize("engine", ["auto", "node"])
def test_ranks_that_cannot_share_memory(engine, program):
    done = run(program(FALLBACK.format(change="")), 2, timeout=60, env={"DSEQ_ENGINE": engine, "MPIR_CVAR_NOLOCAL": 1})
    assert done.returncode == 0 and "takes its place" not in done.stdout, done.stdout + done.stderr
    name = "node" if engine == "node" else "flat"
    assert f"dseq: engine {name} on 2 ranks of 2 nodes.\n" in done.stdout
    assert f"on 2 ranks, engine {name} (" in done.stdout


VICTIM = """
    import os
    import signal
    import threading
    import time
    import numpy as np
    import dseq
    from dseq.parallel import barrier, communicator

    barrier.NOTICE = 1.0
    world = communicator.get()

    class Fail(dseq.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 3 and world.rank == 1:
                {action}

    model = dseq.Sequential([dseq.Input((5,)), dseq.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((20, 5), "float32")
    model.fit(x, x[:, :1], epochs=6, batch_size=5, verbose=0, callbacks=[{where}])
    print("the end")
    """


@pytest.mark.parametrize("action", ["os.kill(os.getpid(), signal.SIGKILL)", "raise RuntimeError('the words')"])
def test_a_rank_that_dies_ends_the_job(action, program):
    script = program(VICTIM.format(action=action, where="Fail()"))
    done = run(script, 3, timeout=60, env=NODE)
    assert done.returncode != 0 and "the end" not in done.stdout, done.stdout + done.stderr
    if "raise" in action:
        assert done.tracebacks == 1 and "[dseq rank 1/3 " in done.stderr and "the words" in done.stderr


INSIDE = """
    import os
    import signal
    import subprocess
    import sys
    import time
    import numpy as np
    import dseq
    from dseq.parallel import barrier, communicator

    barrier.NOTICE = 1.0
    world = communicator.get()
    steps = 0

    def victim(y_true, y_pred):
        # In the middle of a step, where nobody but the barrier waits.
        global steps
        steps += 1
        if steps == 4 and world.rank == 1:
            {action}
        return np.abs(y_true - y_pred)

    model = dseq.Sequential([dseq.Input((5,)), dseq.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[victim])
    x = np.ones((20, 5), "float32")
    model.fit(x, x[:, :1], epochs=3, batch_size=5, verbose=0)
    print("the end")
    """
STOP = (
    "subprocess.Popen([sys.executable, '-c', f'import os, time; time.sleep(3); os.kill({os.getpid()}, 18)']); "
    "os.kill(os.getpid(), signal.SIGSTOP)"
)


def test_a_rank_that_stops_is_named(program):
    done = run(program(INSIDE.format(action=STOP)), 3, timeout=40, env=NODE)
    assert done.returncode == 0 and done.stdout.count("the end") == 3, done.stdout + done.stderr
    assert "s in a training step for rank 1 (process " in done.stderr and ", stopped), which must" in done.stderr


@pytest.mark.parametrize(
    "action", ["os.kill(os.getpid(), signal.SIGKILL)", "raise RuntimeError('the words')", "sys.exit(3)"]
)
def test_a_rank_that_dies_in_a_step_ends_the_job(action, program):
    done = run(program(INSIDE.format(action=action)), 3, timeout=60, env=NODE)
    assert done.returncode != 0 and "the end" not in done.stdout, done.stdout + done.stderr
    if "raise" in action:
        assert done.stderr.count("RuntimeError: the words") == 1 and done.tracebacks == 1, done.stderr


@pytest.mark.parametrize("ranks", [2, 3])
def test_what_one_rank_does_for_all_fails_on_all(ranks, program):
    script = program(
        """
        import numpy as np
        import dseq
        from dseq.parallel import communicator

        world = communicator.get()
        seen = []

        class Limit(dseq.constraints.Constraint):
            def __call__(self, w):
                seen.append(1)
                if len(seen) == 6:
                    raise ArithmeticError("no such weights")
                return np.clip(w, -0.1, 0.1)

        model = dseq.Sequential([dseq.Input((5,)), dseq.layers.Dense(3, kernel_constraint=Limit())])
        model.compile("sgd", "mse")
        x = np.ones((20, 5), "float32")
        for repeat in range(2):
            try:
                model.fit(x, x[:, :3], batch_size=5, epochs=2, verbose=0)
            except (ArithmeticError, RuntimeError) as error:
                print(f"rank {world.rank}, fit {repeat}: {error}")
        assert (np.abs(model.get_weights()[0]) <= 0.1).all()
        assert bool(seen) == (world.rank == 0)
        print("went on")
        """
    )
    done = run(script, ranks, timeout=60, env=NODE)
    assert done.returncode == 0 and done.stdout.count("went on") == ranks, done.stdout + done.stderr
    assert "rank 0, fit 0: no such weights" in done.stdout and "fit 1:" not in done.stdout
    assert done.stdout.count("fit 0: Rank 0 could not change the weights for all ranks") == ranks - 1

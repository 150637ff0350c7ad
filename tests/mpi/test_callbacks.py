"""Callbacks on several ranks: decisions, files, failures, and going on with a job on another number of ranks."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.mpi.mpirun import run

PROGRAMS = Path(__file__).parent / "programs"

EXPECTED = {
    "early stopping": "3",
    "plateau": "1.00e-05 ['1e-02', '1e-02', '1e-03', '1e-04']",
    "own score": "2",
    "stop in on_epoch_begin": "2 epochs, 10 steps",
    "stop in on_epoch_end": "2 epochs, 10 steps",
    "stop in on_train_batch_begin": "1 epochs, 2 steps",
    "stop in on_train_batch_end": "1 epochs, 2 steps",
    "rate by rank 0": "0.5",
    "rate by the last rank": "0.01",
    "rate by rank": "0.10",
    "weights by rank 0": "0.0",
    "stop by a thread": "True True",
    "hooks on some ranks": "8",
    "files": "4 ['epoch', '0', '1', '2'] ['1.weights.h5', '2.weights.h5', '3.weights.h5']",
    "CSVLogger": "{'FileNotFoundError'}",
}


@pytest.mark.parametrize("ranks", [2, 3])
def test_what_ranks_decide_and_set(ranks, tmp_path):
    done = run([PROGRAMS / "callbacks.py", tmp_path], ranks, timeout=120)
    assert done.returncode == 0 and "together to the end" in done.stdout, done.stdout + done.stderr
    seen = dict(line.split(" | ", 1) for line in done.stdout.splitlines() if " | " in line)
    expected = EXPECTED | {"warnings": "[2, 0]" if ranks == 2 else "[0, 0]"}  # rank 0 alone warns
    assert {name: seen.get(name) for name in expected} == expected
    others = "rank 1" if ranks == 2 else "ranks 1-2"
    for method, hooks in {
        "predict": ["on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_train_batch_end"],
        "evaluate": ["on_epoch_end"],
        "save_weights": ["on_epoch_end", "on_test_begin", "on_test_batch_end", "on_predict_begin"],
    }.items():
        for hook in hooks:
            message = seen[f"{method} in {hook}"]
            assert f"Received: rank 0: in {method}; {others}: in the callbacks, after {hook}. Do not put" in message


def train(folder, result, ranks, *fail, **env):
    return run([PROGRAMS / "backup.py", folder, result, *fail], ranks, timeout=90, env=env)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """What one rank gets when nothing happens."""
    folder = tmp_path_factory.mktemp("whole")
    done = train(folder / "backup", folder / "result.npz", 1)
    assert done.returncode == 0, done.stdout + done.stderr
    return np.load(folder / "result.npz")


@pytest.mark.parametrize(
    "before, after, fail",
    [
        (1, 2, ["13"]),  # all ranks fail in the middle of the second epoch
        (2, 3, ["13", "1"]),  # one rank
        (3, 3, ["23", "0"]),
    ],
)
def test_a_job_goes_on_with_another_number_of_ranks(before, after, fail, uninterrupted, tmp_path):
    folder, result = tmp_path / "backup", tmp_path / "result.npz"
    done = train(folder, result, before, *fail)
    assert done.returncode != 0 and done.tracebacks == 1 and "the victim's words" in done.stderr, done.stderr
    assert "trained to the end" not in done.stdout
    done = train(folder, result, after)
    assert done.returncode == 0 and not folder.exists(), done.stdout + done.stderr
    found = np.load(result)
    assert found["steps"] == uninterrupted["steps"] == 32
    assert found["first"] == (1 if fail[0] == "13" else 2)
    for name in (f"arr_{i}" for i in range(5)):  # four weights, and the last losses
        np.testing.assert_allclose(found[name], uninterrupted[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_in_strict_mode_a_job_goes_on_to_the_bit(tmp_path):
    folder, jobs = tmp_path / "backup", {}
    done = train(folder, tmp_path / "none.npz", 4, "13", DSEQ_STRICT="1")
    assert done.returncode != 0 and "the victim's words" in done.stderr, done.stderr
    for name, ranks in {"whole": 1, "one": 1, "three": 3}.items():
        here, result = tmp_path / name, tmp_path / f"{name}.npz"
        if name != "whole":
            shutil.copytree(folder, here)
        done = train(here, result, ranks, DSEQ_STRICT="1")
        assert done.returncode == 0, done.stdout + done.stderr
        jobs[name] = np.load(result)
    for name in (f"arr_{i}" for i in range(5)):
        np.testing.assert_array_equal(jobs["one"][name], jobs["whole"][name], err_msg=name)
        np.testing.assert_array_equal(jobs["three"][name], jobs["whole"][name], err_msg=name)
    assert jobs["whole"]["first"] == 0 and jobs["one"]["first"] == jobs["three"]["first"] == 1


@pytest.mark.parametrize(
    ("hook", "victims"), [("on_epoch_end", "1"), ("on_test_batch_end", "0"), ("on_epoch_begin", "0,1,2")]
)
def test_a_callback_that_raises_ends_the_job(hook, victims, program):
    script = program(
        f"""
        import numpy as np
        import dseq
        from dseq.parallel import communicator

        def fail(*args):
            if communicator.get().rank in [{victims}]:
                raise RuntimeError("the callback's words")

        model = dseq.Sequential([dseq.Input((5,)), dseq.layers.Dense(1)])
        model.compile("sgd", "mse")
        x = np.ones((20, 5), "float32")
        callback = dseq.callbacks.LambdaCallback({hook}=fail)
        model.fit(x, x[:, :1], epochs=1000, verbose=0, validation_split=0.5, callbacks=[callback])
        print("the end")
        """
    )
    done = run(script, 3, timeout=40)
    assert done.returncode != 0 and done.tracebacks == 1, done.stderr
    assert done.stderr.count("RuntimeError: the callback's words") == 1
    assert f"[dseq rank {victims[0]}/3 " in done.stderr and "the end" not in done.stdout

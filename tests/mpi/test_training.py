"""The number of ranks changes the speed, not the result: ragged and empty shards, Dropout on, Keras' goldens."""

from pathlib import Path

import numpy as np
import pytest

from tests.mpi.mpirun import run

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="module")
def one_rank(tmp_path_factory):
    """What a single process without MPI computes."""
    return trained(1, tmp_path_factory.mktemp("alone"))


def trained(ranks, folder):
    target = folder / f"{ranks}.npz"
    done = run([PROGRAMS / "train.py", target], ranks, timeout=180)
    assert done.returncode == 0, done.stderr
    return dict(np.load(target))


@pytest.mark.parametrize("ranks", [2, 3, 4, 5])
def test_any_number_of_ranks_gives_the_same_model(ranks, one_rank, tmp_path):
    result = trained(ranks, tmp_path)
    assert set(result) == set(one_rank)
    for name, expected in one_rank.items():
        # Single weights near zero carry rounding of their neighbours' size: 1e-5 of the largest weight.
        scale = np.abs(expected).max()
        np.testing.assert_allclose(result[name], expected, rtol=1e-5, atol=1e-5 * scale, err_msg=name)


def test_the_comparison_has_power(one_rank):
    """Fifty steps move every weight by far more than the tolerance; other optimizers lead elsewhere."""
    for i in range(6):
        a, b = one_rank[f"sgd/weight_{i}"], one_rank[f"adam/weight_{i}"]
        assert np.abs(a - b).max() > 1e-3 * np.abs(a).max()
    assert one_rank["sgd/loss"][-1] < one_rank["sgd/loss"][0]


@pytest.mark.parametrize(("ranks", "more"), [(2, []), (3, ["--all"]), (5, [])])
def test_keras_goldens(ranks, more):
    done = run([PROGRAMS / "goldens.py", *more], ranks, timeout=180)
    assert done.returncode == 0 and "all cases agree" in done.stdout, done.stdout + done.stderr


BAD_INPUT = {
    "wrong feature count": "expected axis -1 of input shape to have value 5, but received input with shape (32, 4)",
    "hint": "use `sparse_categorical_crossentropy`",
    "label out of range": "class numbers in [0, 3), since predictions have 3 classes. Received: labels from 0 to 7",
    "label out of range in evaluate": "Received: labels from 0 to 7",
    "lengths": "'x' sizes: 40, 'y' sizes: 30",
    "not compiled": "You must call `compile()`",
    "foreign file": "is not an HDF5 file",
    "truncated file": "is damaged or incomplete",
    "missing file": "There is no weights file",
    "other architecture": "has shape (5, 9) in the model, but (5, 8) in the file",
    "wrong suffix": "The filename must end in `.weights.h5`",
    "folder does not exist": "there is no folder",
}
DIFFERENCES = {
    "model differs": "layer 0 differs: rank 0: Dense(",
    "data differ": "y (sampled) differs",
    "shapes differ": "x.shape differs: rank 0: (40, 5)",
    "activation differs": "layer 0 differs: rank 0: Dense(activation=relu",
    "metrics differ": "metrics differs: rank 0: ['accuracy']",
    "strictness differs": "the number of shards of strict mode differs: rank 0: None",
    "steps differ": "steps_per_epoch differs: rank 0: 2",
    "epochs differ": "initial_epoch differs: rank 0: 0",
    "validation differs": "validation x differs: rank 0: 1 arrays",
    "order differs": "shuffle differs: rank 0: False",
    "steps of predict differ": "steps differs: rank 0: 2",
    "callbacks differ": "callbacks differs: rank 0:",
    "methods differ": "All ranks must call the same methods",
}


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_bad_input_is_the_same_error_on_every_rank(ranks, tmp_path):
    done = run([PROGRAMS / "bad_input.py", tmp_path], ranks, timeout=120)
    assert done.returncode == 0 and "all ranks went on" in done.stdout, done.stdout + done.stderr
    seen = dict(line.split(" | ", 1) for line in done.stdout.splitlines() if " | " in line)
    expected = BAD_INPUT | (DIFFERENCES if ranks > 1 else {})
    for name, part in expected.items():
        assert part.replace("rank 0:", "rank 0:" if ranks == 2 else "ranks 0-1:") in seen[name], (name, seen[name])


def test_ranks_stay_together(tmp_path):
    """One rank's wish to stop, weights set to other values on each rank, and losses without a name."""
    done = run([PROGRAMS / "together.py"], 3, timeout=120)
    assert done.returncode == 0 and "together to the end" in done.stdout, done.stdout + done.stderr

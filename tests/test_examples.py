"""The examples: they run, on one rank and on two, and learn what they promise."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.compiled


def run(name, *arguments, ranks=1, folder, status=0):
    """What an example prints, started in a folder of its own, if it ends with this exit code."""
    command = [sys.executable, str(ROOT / "examples" / name), *map(str, arguments)]
    if ranks > 1:
        beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        mpirun = shutil.which("mpirun", path=beside) or pytest.skip("there is no mpirun")
        command = [mpirun, "-n", str(ranks), *command]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    job = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240
    )
    assert job.returncode == status, job.stdout + job.stderr
    assert "Warning" not in job.stderr
    return job.stdout


def accuracy(output, label="test accuracy: "):
    (value,) = re.findall(rf"^{label}([01]\.\d{{4}})$", output, flags=re.MULTILINE)
    return float(value)


@pytest.mark.mpi
def test_digits_learns_on_two_ranks_and_goes_on(tmp_path):
    output = run("digits.py", ranks=2, folder=tmp_path)
    assert re.fullmatch(r"test accuracy: 0\.\d{4}", output.rstrip("\n").splitlines()[-1])
    assert accuracy(output) >= 0.97
    assert output.count("Total params") == 1, "only one rank prints"

    again = run("digits.py", "--epochs", 1, ranks=2, folder=tmp_path)
    assert "going on from digits.weights.h5" in again
    assert accuracy(again) >= 0.965


def test_mnist_reads_a_file_and_keeps_the_best(tmp_path):
    random = np.random.default_rng(0)
    y_train, y_test = random.integers(0, 10, 600), random.integers(0, 10, 100)
    patterns = random.integers(0, 256, (10, 28, 28))
    arrays = {
        f"{kind}_{part}": (patterns[y] if kind == "x" else y).astype("uint8")
        for part, y in (("train", y_train), ("test", y_test))
        for kind in "xy"
    }
    np.savez(tmp_path / "small.npz", **arrays)
    output = run("mnist.py", "--path", "small.npz", "--epochs", 3, folder=tmp_path)
    assert accuracy(output) > 0.95
    assert (tmp_path / "mnist.weights.h5").exists()


def test_finetune_learns_twice(tmp_path):
    output = run("finetune.py", folder=tmp_path)
    assert accuracy(output, "digits 0 to 4: test accuracy ") >= 0.97
    assert accuracy(output, "digits 5 to 9: test accuracy ") >= 0.9
    assert (tmp_path / "base.weights.h5").exists()


@pytest.mark.mpi
def test_hdf5_reads_a_share_on_each_rank(tmp_path):
    run("hdf5.py", "--make", 5, folder=tmp_path)
    outputs = [run("hdf5.py", "--epochs", 3, ranks=ranks, folder=tmp_path) for ranks in (1, 2)]
    for output in outputs:
        assert accuracy(output) >= 0.93
    read = [float(re.search(r"this rank read ([\d.]+) MB", output)[1]) for output in outputs]
    assert abs(read[0] - 3 * 5 * 1437 * 65 / 1e6) <= 0.06 and abs(read[1] - read[0] / 2) <= 0.06, read


def colored(rng, count):
    """Noisy images of two classes, of which the second is redder, and their classes."""
    classes = np.arange(count) % 2
    images = rng.integers(60, 160, (count, 32, 32, 3))
    images[classes == 1, :, :, 0] += 90
    return images.astype("uint8"), classes


@pytest.mark.mpi
def test_cifar10_learns_from_a_file_and_from_a_folder(tmp_path):
    h5py, pillow = pytest.importorskip("h5py"), pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "images.h5", "w") as file:
        for part, count in (("train", 640), ("test", 60)):
            file[f"x_{part}"], file[f"y_{part}"] = images, classes = colored(rng, count)
            for number, (image, kind) in enumerate(zip(images, classes, strict=True)):
                folder = tmp_path / "folder" / part / ("plain", "red")[kind]
                folder.mkdir(parents=True, exist_ok=True)
                pillow.fromarray(image).save(folder / f"{number}.png")
    how = "--epochs", 6, "--filters", 4
    output = run("cifar10_cnn.py", "images.h5", "--classes", 2, *how, ranks=2, folder=tmp_path)
    assert accuracy(output) >= 0.9 and output.count("Total params") == 1
    assert (tmp_path / "cifar10_cnn.weights.h5").exists()
    assert accuracy(run("cifar10_cnn.py", "folder", *how, folder=tmp_path)) >= 0.9


def test_cifar10_says_that_there_is_no_network(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    output = run("cifar10_cnn.py", folder=tmp_path, status=1)
    assert "Without a network, put the file at" in output and "Or give an HDF5 file or a folder" in output


@pytest.mark.mpi
def test_transfer_learning_in_two_stages(tmp_path):
    random = np.random.default_rng(0)
    with h5py.File(tmp_path / "pictures.h5", "w") as file:
        file["images"] = random.integers(0, 256, (10, 71, 71, 3)).astype("uint8")
        file["labels"] = np.arange(10) % 2
    options = ("--weights", "none", "--batch", 8, "--epochs", 1, 1)
    output = run("transfer_learning.py", "pictures.h5", *options, ranks=2, folder=tmp_path)
    assert "the head: 4,098 weights learn" in output and "all of it: 20,811,050 weights learn" in output
    assert accuracy(output) in (0, 0.5, 1)
    assert (tmp_path / "transfer.weights.h5").exists()


@pytest.mark.mpi
def test_insitu_learns_from_the_simulation(tmp_path):
    pytest.importorskip("mpi4py")
    for ranks in (1, 2):
        output = run("insitu.py", "--windows", 90, "--size", 32, ranks=ranks, folder=tmp_path)
        losses = [float(value) for value in re.findall(r"^window \d+: loss ([\d.]+)", output, flags=re.MULTILINE)]
        errors = [int(value) for value in re.findall(r"error (\d+)%", output)]
        assert len(losses) == 6 and losses[-1] < losses[0] / 2 and errors[-1] < 70, output


@pytest.mark.mpi
def test_ensemble_trains_members_beside_each_other(tmp_path):
    pytest.importorskip("mpi4py")
    output = run("ensemble.py", "--members", 2, "--epochs", 6, ranks=3, folder=tmp_path)
    assert sorted(re.findall(r"member (\d), (\d) rank", output)) == [("0", "2"), ("1", "1")]
    members = [float(value) for value in re.findall(r"rank\(s\): test accuracy ([\d.]+)", output)]
    assert accuracy(output, "ensemble of 2: test accuracy ") >= max(0.9, min(members) - 0.01), output


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_docstring_is_the_commands_one_types(example):
    text = example.read_text()
    commands = re.findall(r"^    (?:mpirun -n \d+ )?python (\S+)", text, flags=re.MULTILINE)
    assert len(commands) >= 2 and set(commands) == {f"examples/{example.name}"}
    if "import MPI" in text:
        return  # a script with communicators of its own
    assert not re.search(r"\brank\b *[=!]=|MPI\.|communicator|barrier|bcast", text.partition('"""\n\n')[2])

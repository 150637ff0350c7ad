"""The order of the package, read from its text: imports go down only, and each tool is used in one place."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "dseq").rglob("*.py"))

# From the bottom up. A part may import all parts of lower floors and, of its own floor, only those in its own group:
# the vocabulary's words know each other, the wings know neither each other nor layers.
VOCABULARY = ("constraints", "initializers", "layers", "losses", "metrics", "optimizers", "regularizers")
FLOORS = (
    (("config",),),
    (("kernels",),),
    (("program",),),
    (("activations",),),
    (("ops",),),
    (VOCABULARY, ("parallel",), ("saving",)),
    (("callbacks",), ("data",), ("datasets",), ("distribution",)),
    (("training",),),
    (("models",),),
    (("__init__", "applications", "backend", "random", "testing", "tree", "utils"),),
)
PLACE = {
    part: (floor, group) for floor, groups in enumerate(FLOORS) for group, parts in enumerate(groups) for part in parts
}
# Looked up only when a user asks: Keras has these in `config`, which kernels read before anything else exists.
EXCEPTIONS = {("config.py", "dseq.program.floatx")}
# What may be imported from outside, and where.
OUTSIDE = {
    "PIL": ("data/images.py",),
    "h5py": ("saving/", "data/hdf5.py"),
    "llvmlite": ("kernels/",),
    "matplotlib": ("callbacks/history.py",),
    "mpi4py": ("parallel/communicator.py",),
    "numba": ("kernels/",),
    "numpy": ("",),
    "rich": ("models/summary.py",),
    "tensorboard": ("callbacks/event_file.py",),
}
# Nothing that a file or a user says is ever code. Pickled are compiled kernels, in a folder of their owner's alone, and
# what the ranks of one job send each other.
RUN_TEXT = {"eval", "exec", "compile", "__import__"}
UNPICKLERS = {"pickle", "cPickle", "dill", "marshal", "shelve"}
MAY_UNPICKLE = ("kernels/base.py", "parallel/objects.py")
MOST_LINES = 400


def imported(tree, path):
    """Each import as (line, dotted name), wherever it stands; `from a import b` is `a.b`."""
    package = ("dseq", *path.split("/")[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *filter(None, [node.module])))
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def part_of(names):
    """Which part of dseq a path or a dotted name without `dseq` belongs to."""
    return names[0].removesuffix(".py") if names and names[0].removesuffix(".py") in PLACE else "__init__"


def offences(path, text):
    """What a module may not do, one line of text for each; `path` is relative to the package."""
    tree = ast.parse(text)
    own = path.split("/")[0].removesuffix(".py")
    if own not in PLACE:
        return [f"{path}: {own!r} has no floor; give it one in FLOORS"]
    found = []
    if not ast.get_docstring(tree):
        found.append(f"{path}: has no docstring")
    lines = len(text.splitlines())
    if lines > MOST_LINES:
        found.append(f"{path}: has {lines} lines, more than {MOST_LINES}; it holds more than one thing")

    for line, name in imported(tree, path):
        first, *rest = name.split(".")
        if first == "dseq":
            other = part_of(rest)
            (floor, group), (other_floor, other_group) = PLACE[own], PLACE[other]
            breaks = other_floor > floor or (other_floor == floor and other_group != group)
            if breaks and (path, name) not in EXCEPTIONS:
                found.append(f"{path}:{line}: {own} may not import {other} ({name})")
        elif first in OUTSIDE:
            if not path.startswith(OUTSIDE[first]):
                found.append(f"{path}:{line}: {first} may only be imported in {', '.join(OUTSIDE[first])}")
        elif first not in sys.stdlib_module_names:
            found.append(f"{path}:{line}: {first} is no dependency of dseq")
        elif first in UNPICKLERS and path not in MAY_UNPICKLE:
            found.append(f"{path}:{line}: {first} may only be used in {' and '.join(MAY_UNPICKLE)}")

    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found += [f"{path}:{node.lineno}: {reason}" for reason in bad_call(node, path)]
    return found


def bad_call(call, path):
    """Why a call may not stand here."""
    function = call.func
    if isinstance(function, ast.Name) and function.id in RUN_TEXT:
        yield f"{function.id}() runs text as code"
    if isinstance(function, ast.Attribute) and function.attr == "import_module":
        yield "import_module() hides what is imported"
    if isinstance(function, ast.Attribute) and function.attr in ("load", "loads", "Unpickler"):
        holder = ast.unparse(function.value).rpartition(".")[2]
        if holder in UNPICKLERS and path not in MAY_UNPICKLE:
            yield f"{holder}.{function.attr}() may only be used in {' and '.join(MAY_UNPICKLE)}"
    for keyword in call.keywords:
        if keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False":
            yield "allow_pickle makes data into code"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT)))
def test_module_keeps_the_order(module):
    found = offences(module.relative_to(ROOT / "dseq").as_posix(), module.read_text())
    assert not found, "\n" + "\n".join(found)


def test_all_parts_are_looked_at():
    seen = {module.relative_to(ROOT / "dseq").parts[0].removesuffix(".py") for module in MODULES}
    assert {"kernels", "program", "layers", "parallel", "saving", "training", "models"} <= seen


def test_tests_and_examples_say_what_they_are():
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "examples").glob("*.py")]
    assert [file.name for file in files if not ast.get_docstring(ast.parse(file.read_text()))] == []


BAD = {
    "up": ("kernels/dense.py", "from dseq.program.plan import Plan", "kernels may not import program"),
    "up, inside a function": (
        "program/plan.py",
        "def f():\n    from dseq import layers",
        "program may not import layers",
    ),
    "up, relative": ("kernels/dense.py", "from ..program import plan", "kernels may not import program"),
    "everything": ("layers/layer.py", "import dseq", "layers may not import __init__"),
    "everything, from": ("layers/layer.py", "from dseq import Model", "layers may not import __init__"),
    "layer and ranks": ("layers/layer.py", "from dseq.parallel import communicator", "layers may not import parallel"),
    "wing and layer": ("saving/weights.py", "from dseq.layers.layer import Layer", "saving may not import layers"),
    "wing and wing": ("parallel/flat.py", "import dseq.saving.weights", "parallel may not import saving"),
    "callbacks and models": (
        "callbacks/history.py",
        "from dseq.models import Model",
        "callbacks may not import models",
    ),
    "mpi4py": ("parallel/flat.py", "from mpi4py import MPI", "mpi4py may only be imported in parallel/communicator.py"),
    "h5py": ("models/model.py", "import h5py", "h5py may only be imported in saving/, data/hdf5.py"),
    "numba": ("program/step.py", "import numba.typed", "numba may only be imported in kernels/"),
    "no dependency": ("kernels/math.py", "import scipy.special", "scipy is no dependency"),
    "eval": ("config.py", "x = eval('1')", "eval() runs text"),
    "exec": ("program/step.py", "exec(compile('1', 'f', 'exec'))", "exec() runs text"),
    "hidden import": ("program/step.py", "import importlib\nimportlib.import_module('h5py')", "import_module() hides"),
    "pickle": ("saving/weights.py", "import pickle", "pickle may only be used in kernels/base.py"),
    "borrowed pickle": ("kernels/gemm.py", "s.pickle.loads(b'')", "pickle.loads() may only be used"),
    "pickled arrays": ("datasets/mnist.py", "np.load('f', allow_pickle=True)", "allow_pickle makes data"),
    "long": ("config.py", "x = 1\n" * MOST_LINES, "401 lines"),
    "new part": ("helpers/tools.py", "", "'helpers' has no floor"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_breaks_the_order_is_found(case):
    path, text, reason = BAD[case]
    found = offences(path, f'"""A module."""\n{text}\n' if case != "long" else f'"""A module."""\n{text}')
    assert any(reason in offence for offence in found), found


def test_a_missing_docstring_is_found():
    assert offences("config.py", "x = 1\n") == ["config.py: has no docstring"]


GOOD = {
    "training/trainer.py": "from dseq.callbacks import History\nfrom dseq.parallel import communicator",
    "layers/core/dense.py": "from dseq import activations\nfrom ..layer import Layer\nfrom dseq.kernels import dense",
    "parallel/communicator.py": "from mpi4py import MPI\nfrom dseq import config",
    "kernels/base.py": "import numba, pickle\npickle.loads(b'')",
    "models/model.py": "model.compile('adam')\nre.compile('x')\nnp.load('f', allow_pickle=False)\njson.loads('1')",
    "__init__.py": "from dseq import layers\nfrom dseq.models import Model",
}


@pytest.mark.parametrize("path", GOOD)
def test_what_is_allowed_is_not_found(path):
    assert offences(path, f'"""A module."""\n{GOOD[path]}\n') == []

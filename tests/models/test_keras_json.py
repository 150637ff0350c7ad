"""Keras reads the JSON that dseq writes and the other way round: the same text again, and the same predictions."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dseq
from dseq import ops
from tests.models import json_models

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        importlib.util.find_spec("keras") is None or importlib.util.find_spec("jax") is None,
        reason="needs Keras with JAX: pip install keras jax",
    ),
]
CASES = [case.__name__ for case in json_models.CASES]


class Keras:
    """dseq by the names that the models use."""

    Input, Model, Sequential = dseq.Input, dseq.Model, dseq.Sequential
    layers, optimizers, ops = dseq.layers, dseq.optimizers, ops


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What both sides wrote and predicted; Keras runs once, as it takes seconds to start."""
    folder = tmp_path_factory.mktemp("json")
    dseq.backend.clear_session(free_memory=False)
    for case in json_models.CASES:
        model = case(Keras)
        (folder / f"{case.__name__}_dseq.json").write_text(model.to_json())
        np.savez(folder / f"{case.__name__}_dseq.npz", *json_models.predictions(model, case))
    leaky = dseq.layers.Dense(2, dseq.activations.leaky_relu.with_parameters(negative_slope=0.3))
    (folder / "leaky_dseq.json").write_text(json.dumps(dseq.saving.serialize_keras_object(leaky)))
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, Path(json_models.__file__), folder]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    return folder


def read(text):
    """A configuration without the numbers that Keras gives shared objects, and without what is not given."""

    def plain(value):
        if isinstance(value, dict):
            left_out = ("shared_object_id", "data_format")  # Keras writes the usual format where none was given
            return {key: plain(part) for key, part in value.items() if key not in left_out and part is not None}
        return [plain(part) for part in value] if isinstance(value, list) else value

    return plain(json.loads(text))


def same(first, second):
    first, second = np.load(first), np.load(second)
    assert first.files == second.files and first.files
    for key in first.files:
        np.testing.assert_allclose(first[key], second[key], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_keras_reads_what_dseq_wrote(folder, case):
    """Keras writes of it what it writes of its own model."""
    assert read((folder / f"{case}_dseq_in_keras.json").read_text()) == read(
        (folder / f"{case}_keras.json").read_text()
    )
    same(folder / f"{case}_dseq_in_keras.npz", folder / f"{case}_dseq.npz")


@pytest.mark.parametrize("case", json_models.CASES, ids=CASES)
def test_dseq_reads_what_keras_wrote(folder, case):
    model = dseq.models.model_from_json((folder / f"{case.__name__}_keras.json").read_text())
    assert read(model.to_json()) == read((folder / f"{case.__name__}_dseq.json").read_text())
    np.savez(folder / f"{case.__name__}_keras_in_dseq.npz", *json_models.predictions(model, case))
    same(folder / f"{case.__name__}_keras_in_dseq.npz", folder / f"{case.__name__}_keras.npz")

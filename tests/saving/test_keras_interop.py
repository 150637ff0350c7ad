"""Keras itself loads what dseq saves and the other way round: predictions, and one more training step of Adam."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dseq
from tests.saving import interop_models

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        importlib.util.find_spec("keras") is None or importlib.util.find_spec("jax") is None,
        reason="needs Keras with JAX: pip install keras jax",
    ),
]
CASES = list(interop_models.CASES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What both sides saved and predicted; Keras runs once, as it takes seconds to start."""
    folder = tmp_path_factory.mktemp("interop")
    for case in CASES:
        interop_models.save(dseq, case, folder / f"{case}_dseq")
    script = Path(interop_models.__file__)
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONWARNINGS": "ignore"}
    run = subprocess.run([sys.executable, script, folder], env=environment, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    return folder


@pytest.mark.parametrize("case", CASES)
def test_keras_loads_what_dseq_saved(folder, case):
    compare(np.load(folder / f"{case}_dseq.npz"), np.load(folder / f"{case}_dseq_in_keras.npz"))


@pytest.mark.parametrize("case", CASES)
def test_dseq_loads_what_keras_saved(folder, case):
    interop_models.load(dseq, case, folder / f"{case}_keras", folder / f"{case}_keras_in_dseq")
    compare(np.load(folder / f"{case}_keras.npz"), np.load(folder / f"{case}_keras_in_dseq.npz"))


def compare(saved, loaded):
    assert saved["iterations"] == loaded["iterations"] == 3
    # Normalisation divides small differences by small deviations.
    np.testing.assert_allclose(loaded["predictions"], saved["predictions"], rtol=1e-5, atol=2e-5)
    weights = [key for key in saved.files if key.startswith("weight")]
    assert weights
    for key in weights:
        np.testing.assert_allclose(loaded[key], saved[key], atol=1e-5)

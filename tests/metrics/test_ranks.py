"""1003 samples on 1, 2, 3 and 5 ranks: losses that couple samples, masks and metrics of all kinds give one result."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.mpi.mpirun import run

PROGRAM = Path(__file__).parent / "programs" / "ranks.py"
pytestmark = [pytest.mark.mpi, pytest.mark.compiled]


def results(ranks, folder):
    target = folder / f"{ranks}.json"
    done = run([PROGRAM, target], ranks, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(target.read_text())


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return results(1, tmp_path_factory.mktemp("alone"))


def printed(value):
    """Numbers as a progress bar shows them."""
    return [f"{number:.4f}" for number in np.ravel(value)]


@pytest.mark.parametrize("ranks", [2, 3, 5])
def test_ranks_agree_to_the_last_digit_shown(ranks, alone, tmp_path):
    found = results(ranks, tmp_path)
    assert found.keys() == alone.keys()
    for name, logs in alone.items():
        for key, value in logs["before"].items():
            np.testing.assert_allclose(found[name]["before"][key], value, rtol=2e-6, atol=1e-7, err_msg=f"{name} {key}")
            if key != "loss":
                assert printed(found[name]["before"][key]) == printed(value), (name, key)
        for key, value in logs["history"].items():
            np.testing.assert_allclose(
                found[name]["history"][key], value, rtol=2e-3, atol=2e-4, err_msg=f"{name} {key}"
            )


def test_the_results_are_those_of_a_model_that_learns(alone):
    for name, logs in alone.items():
        first, last = logs["history"]["loss"]
        assert last < first, name
    watched = alone["classes"]["before"]
    assert len(watched["f1"]) == 7 and len(watched["precision"]) == 2
    assert watched["twice_largest"] == 2 * watched["largest"] > 0
    assert np.mean(watched["f1"]) == pytest.approx(watched["f1_macro"])
    assert np.mean(alone["numbers"]["before"]["r2_of_each"]) == pytest.approx(alone["numbers"]["before"]["r2"])

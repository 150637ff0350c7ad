"""Backups: a state beside the weights, in files that are read with care."""

import h5py
import numpy as np
import pytest

import dseq
from dseq.saving import backup, weights

STATE = {
    "epoch": 3,
    "loss": 0.1 + 0.2,
    "none": None,
    "text": "ä",
    "nan": float("nan"),
    "list": [1, [np.arange(3), {"deep": np.float32(0.5)}]],
    "weights": [np.ones((2, 3), "float32"), np.array(7)],
}


@pytest.fixture
def path(tmp_path):
    model = dseq.Sequential([dseq.Input((2,)), dseq.layers.Dense(3)])
    backup.write(tmp_path / "b.weights.h5", model, STATE)
    return tmp_path / "b.weights.h5"


def test_what_is_written_is_read(path):
    tree, state = backup.read(path)
    assert list(tree["groups"]) and "dseq" not in tree["groups"]
    assert {name: state[name] for name in ("epoch", "loss", "none", "text")} == {
        "epoch": 3, "loss": 0.30000000000000004, "none": None, "text": "ä"
    }  # fmt: skip
    assert np.isnan(state["nan"])
    np.testing.assert_array_equal(state["list"][1][0], [0, 1, 2])
    assert state["list"][1][1] == {"deep": 0.5}
    assert state["weights"][0].dtype == np.float32 and state["weights"][0].shape == (2, 3) and state["weights"][1] == 7


def test_it_is_a_weights_file(path):
    dseq.Sequential([dseq.Input((2,)), dseq.layers.Dense(3)]).load_weights(path)


def test_a_weights_file_is_a_backup_without_state(path):
    model = dseq.Sequential([dseq.Input((2,)), dseq.layers.Dense(3)])
    weights.write(str(path), model)
    assert backup.read(path)[1] is None


def test_what_is_no_state_is_not_written(path):
    before = path.read_bytes()
    with pytest.raises(TypeError):
        backup.write(path, dseq.Sequential([dseq.Input((2,)), dseq.layers.Dense(3)]), {"a": object()})
    assert path.read_bytes() == before


def test_links_are_not_followed(path):
    with h5py.File(path, "r+") as file:
        del file["dseq/0"]
        file["dseq/0"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(ValueError, match="ExternalLink at //?dseq/0, which is not allowed"):
        backup.read(path)


def test_damage(path):
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(OSError, match="damaged or incomplete"):
        backup.read(path)

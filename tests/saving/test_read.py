"""Files that are damaged, foreign or hostile get a clear error."""

import os

import h5py
import numpy as np
import pytest

from dseq.saving.weights import assign, check_path, read, write
from tests.saving.standins import Adam, Dense, Sequential


@pytest.fixture
def path(tmp_path):
    model = Sequential([Dense("first", (40, 50), (50,)), Dense("second", (50, 5), (5,))])
    model.optimizer = Adam(model.trainable_variables)
    write(tmp_path / "m.weights.h5", model)
    return tmp_path / "m.weights.h5"


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.hdf5", "m.weights.json", "m", "weights.h5.txt", 3, None])
def test_names(name):
    with pytest.raises(ValueError, match=r"The filename must end in `.weights.h5`. Received: filepath=") as caught:
        check_path(name)
    assert ("not supported yet" in str(caught.value)) == str(name).endswith((".keras", ".json"))


def test_paths_of_every_kind(path):
    assert check_path(path) == check_path(str(path)) == check_path(os.fsencode(path)) == str(path)


def test_missing_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no weights file .*none.weights.h5"):
        read(tmp_path / "none.weights.h5")
    (tmp_path / "folder.weights.h5").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        read(tmp_path / "folder.weights.h5")


@pytest.mark.parametrize(("content", "match"), [(b"", "is empty"), (b"not hdf5" * 99, "is not an HDF5 file")])
def test_not_hdf5(tmp_path, content, match):
    path = tmp_path / "x.weights.h5"
    path.write_bytes(content)
    with pytest.raises(OSError, match=rf"x.weights.h5 {match}"):
        read(path)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.999])
def test_truncated(path, keep):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(OSError, match="damaged or incomplete|not an HDF5 file"):
        read(path)


def test_damaged_headers_raise_or_load(path):
    content = path.read_bytes()
    model = Sequential([Dense("first", (40, 50), (50,)), Dense("second", (50, 5), (5,))])
    random = np.random.default_rng(0)
    raised = 0
    for _ in range(60):
        damaged = bytearray(content)
        for place in random.integers(0, 4096, 20):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        try:
            assign(read(path), model)
        except (OSError, ValueError):
            raised += 1
    assert raised > 10


def test_foreign_file(tmp_path):
    path = tmp_path / "x.weights.h5"
    with h5py.File(path, "w") as file:
        file["results/pressure"] = np.zeros(3)
    with pytest.raises(ValueError, match=r"without Keras weights: .* Received: groups \['results'\]"):
        read(path)


def test_links_out_of_the_file(path, tmp_path):
    def soft(file):
        file["layers/soft"] = h5py.SoftLink("/layers/dense")

    def soft_array(file):
        file["layers/dense/vars/9"] = h5py.SoftLink("/layers/dense/vars/0")

    def external(file):
        file["layers/away"] = h5py.ExternalLink("other.h5", "/")

    def external_array(file):
        file["layers/dense/vars"].create_dataset("9", (4,), "f4", external=[(str(tmp_path / "raw"), 0, 16)])

    def virtual(file):
        layout = h5py.VirtualLayout((4,), "f4")
        layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
        file["layers/dense/vars"].create_virtual_dataset("9", layout)

    content = path.read_bytes()
    for damage, match in [
        (soft, "SoftLink at /layers/soft"),
        (soft_array, "SoftLink at /layers/dense"),
        (external, "ExternalLink"),
        (external_array, "data in another file"),
        (virtual, "data in another file"),
    ]:
        path.write_bytes(content)
        with h5py.File(path, "a") as file:
            damage(file)
        with pytest.raises(ValueError, match=match):
            read(path)


def test_groups_in_a_circle(path):
    with h5py.File(path, "a") as file:
        file["layers/dense/again"] = file["layers"]
    with pytest.raises(ValueError, match="groups that contain themselves"):
        read(path)


def test_a_bomb_is_not_opened(path):
    with h5py.File(path, "a") as file:
        file["layers/dense/vars"].create_dataset("9", (1 << 40,), "f4", chunks=(1 << 20,))
    with pytest.raises(ValueError, match="declares 4398046511104 bytes .* but stores 0"):
        read(path)


@pytest.mark.parametrize("value", [b"text", np.zeros(3, "complex64"), h5py.Empty("f4")])
def test_no_numbers(path, value):
    with h5py.File(path, "a") as file:
        file["layers/dense/vars/9"] = value
    with pytest.raises(ValueError, match="at /layers/dense/vars/9"):
        read(path)


def test_what_keras_accepts_is_read(tmp_path):
    """A minimal file, compression, hard links, foreign groups, Keras 2.13's name of the list, bfloat16."""
    path = tmp_path / "x.weights.h5"
    kernel = np.arange(8, dtype="f4").reshape(4, 2)
    with h5py.File(path, "w") as file:
        group = file.create_group("_layer_checkpoint_dependencies/dense/vars")
        group.create_dataset("0", data=kernel, compression="gzip", shuffle=True, fletcher32=True)
        half = (np.array([1.5, -2.0], "f4").view(np.uint32) >> 16).astype(np.uint16).view("V2")
        group.create_dataset("1", data=half).attrs["dtype"] = "bfloat16"
        file["_layer_checkpoint_dependencies/dense_1"] = file["_layer_checkpoint_dependencies/dense"]
        file["dseq/vars/seed"] = 3
        file.attrs["made_by"] = "someone"
    model = Sequential([Dense("a", (4, 2), (2,)), Dense("b", (4, 2), (2,))])
    tree = read(path)
    assert set(tree["groups"]) == {"layers/dense", "layers/dense_1"}
    assign(tree, model)
    for layer in model.layers:
        np.testing.assert_array_equal(layer.variables[0].array, kernel)
        np.testing.assert_array_equal(layer.variables[1].array, [1.5, -2])


@pytest.mark.parametrize("locking", [True, False])
def test_a_file_that_somebody_holds_open_is_read(path, locking):
    with h5py.File(path, "r", locking=locking):
        assert read(path)["groups"]

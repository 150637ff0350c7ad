"""Files in the layout of Keras 1 and 2: layers by order and by name, what does not fit, and what is refused."""

import h5py
import numpy as np
import pytest

from dseq.saving.weights import assign, read
from tests.saving.standins import BatchNormalization, Dense, Dropout, Sequential, arrays, fill

# As Keras 2 names them, without the name of the model.
SAVED = {
    "conv": {"conv/kernel:0": (4, 5), "conv/bias:0": (5,)},
    "norm": {f"norm/{part}:0": (5,) for part in ("gamma", "beta", "moving_mean", "moving_variance")},
    "drop": {},
    "predictions": {"predictions/kernel:0": (5, 3), "predictions/bias:0": (3,)},
}


def values(saved=SAVED, seed=0):
    random = np.random.default_rng(seed)
    return {layer: {name: random.normal(size=shape) for name, shape in s.items()} for layer, s in saved.items()}


def write(path, layers, inside=None, pieces=1):
    """Writes a file; names in attributes are cut into numbered pieces where they would be too long."""
    with h5py.File(path, "w") as file:
        root = file.create_group(inside) if inside else file
        names = [name.encode() for name in layers]
        if pieces == 1:
            root.attrs["layer_names"] = names
        else:
            for i, part in enumerate(np.array_split(names, pieces)):
                root.attrs[f"layer_names{i}"] = part
        for layer, weights in layers.items():
            group = root.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in weights]
            for name, value in weights.items():
                group[name] = value
    return path


def network(head="predictions", classes=3, own=0):
    layers = [
        Dense("conv", (4, 5), (5,)),
        BatchNormalization("norm", (5,), (5,), (5,), (5,), frozen=2),
        Dropout("drop"),
        Dense(head, (5, classes), (classes,)),
    ]
    model = Sequential(layers, "net")
    for layer in [*layers, model]:
        layer.weights = layer.variables
        trained = {id(v) for v in layer.trainable_variables}
        layer.non_trainable_variables = [v for v in layer.variables if id(v) not in trained]
    fill(model.variables, 5)
    return model


def expected(layers):
    return [value.astype("float32") for weights in layers.values() for value in weights.values()]


@pytest.mark.parametrize(("inside", "pieces"), [(None, 1), ("model_weights", 1), (None, 3)])
def test_by_order(tmp_path, inside, pieces):
    saved = values()
    path = write(tmp_path / "m.h5", saved, inside, pieces)
    model = network(head="other")
    assign(read(path), model)
    for now, value in zip(arrays(model), expected(saved), strict=True):
        np.testing.assert_array_equal(now, value)


def test_the_name_of_a_new_file_does_not_matter(tmp_path):
    saved = values()
    model = network()
    assign(read(write(tmp_path / "m.weights.h5", saved)), model)
    np.testing.assert_array_equal(arrays(model)[-1], expected(saved)[-1])


def test_by_name(tmp_path):
    saved = values()
    path = write(tmp_path / "m.hdf5", {name: saved[name] for name in ("predictions", "conv")})
    model = network(head="fresh")
    before = arrays(model)
    with pytest.raises(ValueError, match="expected 3 layers, found 2 saved layers.*pass `by_name=True`"):
        assign(read(path), model)
    assign(read(path), model, by_name=True)
    after = arrays(model)
    np.testing.assert_array_equal(after[0], saved["conv"]["conv/kernel:0"].astype("float32"))
    for old, new in zip(before[2:], after[2:], strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("by_name", [False, True])
def test_another_number_of_classes(tmp_path, by_name):
    saved = values()
    path = write(tmp_path / "m.h5", saved)
    model = network(classes=7)
    before = arrays(model)
    with pytest.raises(ValueError, match=r"weight predictions/v0. Weight expects shape \(5, 7\). Received .* \(5, 3\)"):
        assign(read(path), model, by_name=by_name)
    for old, new in zip(before, arrays(model), strict=True):
        np.testing.assert_array_equal(old, new)
    told = []
    assign(read(path), model, skip_mismatch=True, warn=told.append, by_name=by_name)
    assert len(told) == 2 and all("Shape mismatch" in text and "keeps its values" in text for text in told)
    np.testing.assert_array_equal(arrays(model)[5], expected(saved)[5])
    np.testing.assert_array_equal(arrays(model)[6], before[6])


def test_another_number_of_weights(tmp_path):
    saved = values()
    del saved["conv"]["conv/bias:0"]
    path = write(tmp_path / "m.h5", saved)
    with pytest.raises(ValueError, match="Weight count mismatch for layer #0 .*expects 2 weight.* Received 1"):
        assign(read(path), network(), skip_mismatch=True)
    told, model = [], network()
    assign(read(path), model, skip_mismatch=True, warn=told.append, by_name=True)
    assert len(told) == 1 and "layer #0 (named conv)" in told[0]
    np.testing.assert_array_equal(arrays(model)[-1], expected(saved)[-1])


def test_weights_of_the_model_itself(tmp_path):
    path = write(tmp_path / "m.h5", values())
    with h5py.File(path, "a") as file:
        file.create_group("top_level_model_weights").attrs["weight_names"] = [b"scale"]
        file["top_level_model_weights/scale"] = 3.0
    with pytest.raises(ValueError, match="model 'net' itself. It expects 0 .*Received 1"):
        assign(read(path), network())


def test_by_name_is_for_old_files_only(tmp_path):
    with h5py.File(tmp_path / "m.weights.h5", "w") as file:
        file["vars/0"] = 1.0
    with pytest.raises(ValueError, match="`by_name` only supports loading legacy"):
        assign(read(tmp_path / "m.weights.h5"), network(), by_name=True)


def test_unbuilt(tmp_path):
    model = network()
    model.built = False
    with pytest.raises(ValueError, match="not yet been built"):
        assign(read(write(tmp_path / "m.h5", values())), model)


def test_links_and_missing_groups_are_refused(tmp_path):
    path = write(tmp_path / "m.h5", values())
    with h5py.File(path, "a") as file:
        del file["conv"]
        file["conv"] = h5py.SoftLink("/norm")
    with pytest.raises(ValueError, match="must have a group 'conv'"):
        read(path)
    write(path, values())
    with h5py.File(path, "a") as file:
        del file["conv/conv/bias:0"]
        file["conv/conv/bias:0"] = h5py.ExternalLink("other.h5", "/x")
    with pytest.raises(ValueError, match="ExternalLink at .*conv/bias:0, which is not allowed"):
        read(path)
    with h5py.File(path, "w") as file:
        file.create_group("model_weights").attrs["layer_names"] = [b"gone"]
    with pytest.raises(ValueError, match="must have a group 'gone'"):
        read(path)

"""The groups of a weights file, against trees that Keras 3.15.1 wrote."""

import h5py
import numpy as np

from dseq.saving.weights import write
from tests.saving.standins import (
    LSTM,
    Adam,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Functional,
    InputLayer,
    LeakyReLU,
    Sequential,
)


def tree(path):
    """What h5dump would show: groups with their name, arrays with shape and type."""
    shown = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            shown[name] = item.shape, item.dtype.name
        elif name.endswith("vars"):
            shown[name] = item.attrs["name"]

    with h5py.File(path) as file:
        file.visititems(visit)
        assert not file.attrs
    return shown


def test_sequential_with_optimizer(tmp_path):
    layers = [
        Dense("dense", (4, 3), (3,)),
        Dropout("dropout"),
        BatchNormalization("batch_normalization", (3,), (3,), (3,), (3,), frozen=2),
        Dense("my_out", (3, 2), (2,)),
    ]
    model = Sequential(layers)
    model.optimizer = Adam(model.trainable_variables)
    write(tmp_path / "m.weights.h5", model)

    slots = [(4, 3), (4, 3), (3,), (3,), (3,), (3,), (3,), (3,), (3, 2), (3, 2), (2,), (2,)]
    assert tree(tmp_path / "m.weights.h5") == {
        "vars": "sequential",
        "layers/dense/vars": "dense",
        "layers/dense/vars/0": ((4, 3), "float32"),
        "layers/dense/vars/1": ((3,), "float32"),
        "layers/dropout/vars": "dropout",
        "layers/batch_normalization/vars": "batch_normalization",
        **{f"layers/batch_normalization/vars/{i}": ((3,), "float32") for i in range(4)},
        "layers/dense_1/vars": "my_out",
        "layers/dense_1/vars/0": ((3, 2), "float32"),
        "layers/dense_1/vars/1": ((2,), "float32"),
        "optimizer/vars": "adam",
        "optimizer/vars/0": ((), "int32"),
        "optimizer/vars/1": ((), "float32"),
        **{f"optimizer/vars/{i + 2}": (shape, "float32") for i, shape in enumerate(slots)},
    }


def test_nested_shared_and_composite_layers(tmp_path):
    shared = Dense("shared", (4, 3))
    base = Sequential([Dense("a", (4, 3)), Dense("b", (3, 3))], "base")
    inner = Functional([InputLayer("in"), shared, LeakyReLU("act"), Conv2D("c", (3, 3, 1, 2))], "inner")
    stacked = LSTM("stack", parts=[("cells", [Dense("x", (1,)), Dense("y", (2,))])])
    lstm = LSTM("lstm", parts=[("cell", Dense("lstm_cell", (6, 16), (4, 16), (16,)))])
    write(tmp_path / "m.weights.h5", Functional([base, Dense("d", (3, 4)), inner, shared, lstm, stacked], "outer"))

    names = {group: name for group, name in tree(tmp_path / "m.weights.h5").items() if group.endswith("vars")}
    assert names == {
        "vars": "outer",
        "layers/sequential/vars": "base",
        "layers/sequential/layers/dense/vars": "a",
        "layers/sequential/layers/dense_1/vars": "b",
        "layers/dense/vars": "d",
        "layers/functional/vars": "inner",
        "layers/functional/layers/input_layer/vars": "in",
        "layers/functional/layers/dense/vars": "shared",  # once, where it comes first
        "layers/functional/layers/leaky_re_lu/vars": "act",
        "layers/functional/layers/conv2d/vars": "c",
        "layers/lstm/vars": "lstm",
        "layers/lstm/cell/vars": "lstm_cell",
        "layers/lstm_1/vars": "stack",
        "layers/lstm_1/cells/dense/vars": "x",
        "layers/lstm_1/cells/dense_1/vars": "y",
    }


def test_arrays_are_plain_and_exact(tmp_path):
    model = Sequential([Dense("dense", (4, 3), (3,))])
    write(tmp_path / "m.weights.h5", model)
    with h5py.File(tmp_path / "m.weights.h5") as file:
        dataset = file["layers/dense/vars/0"]
        assert dataset.chunks is None and dataset.compression is None
        np.testing.assert_array_equal(dataset[()], model.variables[0].array)

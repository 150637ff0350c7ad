"""The table of a model, against text that Keras 3.15.1 printed."""

import numpy as np
import pytest

import dseq as keras
from dseq.models import summary

L = keras.layers


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    keras.backend.clear_session()


@pytest.fixture
def without_rich(monkeypatch):
    monkeypatch.setattr(summary, "_has_rich", lambda: False)


def text(model, **kwargs):
    said = []
    model.summary(print_fn=said.append, **kwargs)
    assert len(said) == 1, "print_fn gets the whole text at once"
    return said[0]


def table(model, **kwargs):
    """Cells and lines below, whatever draws them."""
    lines = text(model, **kwargs).splitlines()
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    return cells, [line.strip() for line in lines if line.startswith(" ")]


def mnist():
    layers = [L.Flatten(), L.Dense(128, activation="relu"), L.Dense(10, activation="softmax")]
    return keras.Sequential([keras.Input((28, 28)), *layers])


BOXES = """\
Model: "sequential"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ flatten (Flatten)               │ (None, 784)            │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense (Dense)                   │ (None, 128)            │       100,480 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense_1 (Dense)                 │ (None, 10)             │         1,290 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 101,770 (397.54 KB)
 Trainable params: 101,770 (397.54 KB)
 Non-trainable params: 0 (0.00 B)
"""


def test_boxes_as_keras_draws_them():
    pytest.importorskip("rich")
    assert text(mnist()) == BOXES


def test_plain_text_has_the_same_numbers(without_rich):
    lines = text(mnist()).splitlines()
    assert lines[0] == 'Model: "sequential"'
    assert [line.split() for line in lines if "(None" in line] == [
        ["flatten", "(Flatten)", "(None,", "784)", "0"],
        ["dense", "(Dense)", "(None,", "128)", "100,480"],
        ["dense_1", "(Dense)", "(None,", "10)", "1,290"],
    ]
    assert lines[-3:] == BOXES.splitlines()[-3:]


@pytest.mark.parametrize("rich", [True, False])
def test_standard_output(capsys, monkeypatch, rich):
    if not rich:
        monkeypatch.setattr(summary, "_has_rich", lambda: False)
    mnist().summary()
    printed = capsys.readouterr()
    assert 'Model: "sequential"' in printed.out and "101,770 (397.54 KB)" in printed.out and not printed.err


def test_a_model_that_is_not_built():
    model = keras.Sequential([L.Dense(2), L.Dense(3), L.Dense(4)])
    cells, totals = table(model)
    assert cells[0] == ["dense (Dense)", "?", "0 (unbuilt)"] and len(cells) == 3
    assert totals[0] == "Total params: 0 (0.00 B)"
    model(np.ones((1, 4)))
    cells, totals = table(model)
    assert cells[2] == ["dense_2 (Dense)", "(1, 4)", "16"]
    assert totals[0] == "Total params: 35 (140.00 B)"


def test_frozen_layers_and_optimizer():
    model = mnist()
    model.layers[1].trainable = False
    cells, totals = table(model, show_trainable=True)
    assert [row[3] for row in cells] == ["-", "N", "Y"]
    assert totals == [
        "Total params: 101,770 (397.54 KB)",
        "Trainable params: 1,290 (5.04 KB)",
        "Non-trainable params: 100,480 (392.50 KB)",
    ]
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(np.zeros((4, 28, 28)), np.zeros(4), verbose=0)
    _, totals = table(model)
    assert totals[0] == "Total params: 104,352 (407.62 KB)"
    assert totals[3] == "Optimizer params: 2,582 (10.09 KB)"


def test_nested_models():
    base = keras.Sequential([keras.Input((8,)), L.Dense(4), L.Dense(3)], name="base")
    inner = keras.Sequential([base, L.Dense(2)], name="inner")
    outer = keras.Sequential([keras.Input((8,)), inner, L.Dense(2)], name="outer")
    cells, totals = table(outer)
    assert cells == [["inner (Sequential)", "(None, 2)", "59"], ["dense_3 (Dense)", "(None, 2)", "6"]]
    assert totals[0] == "Total params: 65 (260.00 B)"
    cells, _ = table(outer, expand_nested=True)
    assert [row[0] for row in cells] == [
        "inner (Sequential)",
        "└ base (Sequential)",
        "└ dense (Dense)",
        "└ dense_1 (Dense)",
        "└ dense_2 (Dense)",
        "dense_3 (Dense)",
    ]
    assert "│    └ base" in text(outer, expand_nested=True) and "│       └ dense " in text(outer, expand_nested=True)


def test_a_chain_of_symbolic_tensors_shows_its_input():
    x = keras.Input((64,))
    cells, _ = table(keras.Model(x, L.Dense(1)(x)))
    assert cells == [["input_layer (InputLayer)", "(None, 64)", "0"], ["dense (Dense)", "(None, 1)", "65"]]


def test_a_branched_graph_shows_connections(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    x = keras.Input((64,))
    shared = L.Dense(64)
    model = keras.Model(x, [L.Dense(3)(shared(x)), shared(shared(x))])
    cells, totals = table(model)
    connections = {row[0]: row[3] for row in cells}
    assert connections["input_layer (InputLayer)"] == "-"
    assert "input_layer[0][0]" in connections["dense (Dense)"]
    assert connections["dense_1 (Dense)"] == "dense[0][0]"
    assert totals[0] == "Total params: 4,355 (17.01 KB)"


def test_layer_range():
    model = mnist()
    assert [row[0] for row in table(model, layer_range=("dense", "dense$"))[0]] == ["dense (Dense)"]
    assert len(table(model, layer_range=("dense_1", "flatten"))[0]) == 3
    with pytest.raises(ValueError, match=r"must match layer names, which are \['flatten', 'dense', 'dense_1'\]"):
        model.summary(layer_range=("a", "b"))
    with pytest.raises(ValueError, match="must be two layer names"):
        model.summary(layer_range=("a",))


def test_widths():
    lines = text(mnist(), line_length=60).splitlines()
    assert len(lines[1]) == 60
    wide = text(mnist(), line_length=100, positions=[0.3, 0.6, 1.0]).splitlines()
    assert len(wide[1]) == 100 and wide[1].index("┳") == 30
    with pytest.raises(ValueError, match="at least 4 characters"):
        mnist().summary(line_length=10)
    with pytest.raises(ValueError, match="must have 3 columns"):
        mnist().summary(positions=[0.5, 1.0])

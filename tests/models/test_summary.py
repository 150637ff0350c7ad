"""The table of a model, against text that Keras 3.15.1 printed."""

import numpy as np
import pytest

import dseq as keras
from dseq import ops
from dseq.models import summary

L = keras.layers


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    keras.backend.clear_session(free_memory=False)


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
    below = [line.strip() for line in lines if line.startswith(" ")]
    assert below.pop().startswith("Memory per rank: ")
    return cells, below


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
# The one line that Keras has not.
MEMORY = " Memory per rank: 397.54 KB on 1 rank, engine solo (parameters 397.54 KB)\n"


def test_boxes_as_keras_draws_them():
    pytest.importorskip("rich")
    assert text(mnist()) == BOXES + MEMORY


def test_plain_text_has_the_same_numbers(without_rich):
    lines = text(mnist()).splitlines()
    assert lines[0] == 'Model: "sequential"'
    assert [line.split() for line in lines if "(None" in line] == [
        ["flatten", "(Flatten)", "(None,", "784)", "0"],
        ["dense", "(Dense)", "(None,", "128)", "100,480"],
        ["dense_1", "(Dense)", "(None,", "10)", "1,290"],
    ]
    assert lines[-4:] == (BOXES + MEMORY).splitlines()[-4:]


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


def branched():
    """Shared layers, a shared model with two outputs, structured inputs and outputs."""
    a, b, c = keras.Input((4,), name="a"), keras.Input((4,), name="b"), keras.Input((4,), name="input_layer")
    inner = keras.Model(c, [L.Dense(3, name="d1")(c), L.Dense(2, name="d2")(c)], name="inner")
    shared = L.Dense(4, name="shared")
    (p, q), (r, s) = inner(shared(a)), inner(shared(b))
    y, z = L.Concatenate(name="cat")([p, r]), L.Add(name="add")([q, s])
    return keras.Model({"a": a, "b": b}, {"o": L.Dense(1, name="out")(y), "z": z}, name="big")


# Printed by Keras 3.15.1 for the same model, on a terminal of 200 columns.
BRANCHED = """\
│ a (InputLayer)                │ (None, 4)                 │                0 │ -                         │     -     │
│ b (InputLayer)                │ (None, 4)                 │                0 │ -                         │     -     │
│ shared (Dense)                │ (None, 4)                 │               20 │ a[0][0], b[0][0]          │     Y     │
│ inner (Functional)            │ [(None, 3), (None, 2)]    │               25 │ shared[0][0],             │     Y     │
│                               │                           │                  │ shared[1][0]              │           │
│    └ input_layer (InputLayer) │ (None, 4)                 │                0 │ -                         │     -     │
│    └ d1 (Dense)               │ (None, 3)                 │               15 │ -                         │     Y     │
│    └ d2 (Dense)               │ (None, 2)                 │               10 │ -                         │     Y     │
│ cat (Concatenate)             │ (None, 6)                 │                0 │ inner[0][0], inner[1][0]  │     -     │
│ out (Dense)                   │ (None, 1)                 │                7 │ cat[0][0]                 │     Y     │
│ add (Add)                     │ (None, 2)                 │                0 │ inner[0][1], inner[1][1]  │     -     │
"""


def test_a_branched_graph_as_keras_draws_it(monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", "200")
    lines = text(branched(), expand_nested=True, show_trainable=True).splitlines(keepends=True)
    assert "".join(line for line in lines if line.startswith("│")) == BRANCHED
    assert lines[-4:-1] == [
        " Total params: 52 (208.00 B)\n",
        " Trainable params: 52 (208.00 B)\n",
        " Non-trainable params: 0 (0.00 B)\n",
    ]


# Printed by Keras 3.15.1 for the same model, on a terminal of 200 columns.
OPERATIONS = """\
│ x (InputLayer)                │ (None, 4)                 │               0 │ -                          │
│ multiply (Multiply)           │ (None, 4)                 │               0 │ x[0][0]                    │
│ d (Dense)                     │ (None, 4)                 │              20 │ x[0][0]                    │
│ add (Add)                     │ (None, 4)                 │               0 │ multiply[0][0], d[0][0]    │
│ relu (Relu)                   │ (None, 4)                 │               0 │ add[0][0]                  │
"""


def test_operations_as_keras_draws_them(monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", "200")
    x = keras.Input((4,), name="x")
    model = keras.Model(x, ops.relu(x * 2 + L.Dense(4, name="d")(x)), name="m")
    lines = text(model).splitlines(keepends=True)
    assert "".join(line for line in lines if line.startswith("│")) == OPERATIONS
    cells, _ = table(model, show_trainable=True)
    assert [row[4] for row in cells] == ["-", "-", "Y", "-", "-"]


class Own(keras.Model):
    def __init__(self):
        super().__init__(name="own")
        self.first = L.Dense(3)
        self.rest = [L.Dense(2), L.Dropout(0.1)]

    def call(self, x):
        x = self.first(x)
        for layer in self.rest:
            x = layer(x)
        return x


def test_a_model_written_as_a_class():
    """Rows as Keras prints them before the first call; after it Keras shows the number of samples of that call."""
    model = Own()
    cells, totals = table(model)
    assert cells[:2] == [["dense (Dense)", "?", "0 (unbuilt)"], ["dense_1 (Dense)", "?", "0 (unbuilt)"]]
    assert cells[2][:2] == ["dropout (Dropout)", "?"] and totals[0] == "Total params: 0 (0.00 B)"
    model(np.ones((2, 5)))
    cells, totals = table(model, show_trainable=True)
    assert [row[2:] for row in cells] == [["18", "Y"], ["8", "Y"], ["0", "-"]]
    assert cells[0][:2] == ["dense (Dense)", "(None, 3)"] and totals[0] == "Total params: 26 (104.00 B)"


def test_a_graph_that_begins_inside_another(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    h = L.Dense(3, name="h")(keras.Input((4,)))
    g = L.Dense(5, name="g")(h)
    begin = keras.Model([g, h], L.Concatenate(name="cat")([h, g]))
    assert [row[3] for row in table(begin)[0]] == ["-", "-", "input_layer_2[0][0],", "input_layer_1[0][0]"]


def memory(model):
    """The last line as (total, ranks and engine, parts)."""
    line = text(model).splitlines()[-1]
    rest, _, parts = line.removeprefix(" Memory per rank: ").removesuffix(")").partition(" (")
    total, _, where = rest.partition(" on ")
    sizes = (part.rsplit(" ", 2) for part in parts.split(", "))
    return total, where, {name: f"{size} {unit}" for name, size, unit in sizes}


def test_memory_per_rank():
    model = keras.Sequential([keras.Input((128,)), L.Dense(256, use_bias=False), L.Dense(128, use_bias=False)])
    assert memory(model) == ("256.00 KB", "1 rank, engine solo", {"parameters": "256.00 KB"})
    model.compile("adam", "mse")  # two slots for each weight
    sizes = {"parameters": "256.00 KB", "gradients": "256.00 KB", "optimizer slots": "512.00 KB"}
    assert memory(model) == ("1.00 MB", "1 rank, engine solo", sizes)
    model.fit(np.zeros((64, 128)), np.zeros((64, 128)), batch_size=16, verbose=0)
    parts = memory(model)[2]
    assert parts["parameters"] == "256.00 KB" and parts["optimizer slots"] == "512.00 KB"
    small = float(parts["activations"].removesuffix(" KB"))
    # Input, target and two layers' outputs, whose gradients may lie where what is dead has been.
    assert 16 * (128 + 128 + 256 + 128) * 4 / 1024 <= small <= 16 * (128 + 128 + 2 * (256 + 128)) * 4 / 1024
    model.fit(np.zeros((64, 128)), np.zeros((64, 128)), batch_size=64, verbose=0)
    assert float(memory(model)[2]["activations"].removesuffix(" KB")) == pytest.approx(4 * small, rel=0.01)


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
    absolute = text(mnist(), line_length=100, positions=[30, 60, 100]).splitlines()
    assert absolute[1] == wide[1]
    with pytest.raises(ValueError, match="at least 4 characters"):
        mnist().summary(line_length=10)
    with pytest.raises(ValueError, match="must have 3 columns"):
        mnist().summary(positions=[0.5, 1.0])

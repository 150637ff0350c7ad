"""Pictures of models: what is drawn, and that names can't break it."""

import re
import shutil
import sys
import types
import xml.etree.ElementTree as xml

import numpy as np
import pytest

import dseq as keras
from dseq import layers
from dseq.models import drawing
from dseq.models.diagram import Diagram
from dseq.models.layered import Layered
from dseq.utils import model_to_dot, plot_model


@pytest.fixture(autouse=True)
def fresh_names():
    keras.backend.clear_session(free_memory=False)


@pytest.fixture
def without_graphviz(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda program: None)


def chain():
    return keras.Sequential([keras.Input((8,)), layers.Dense(4, "relu"), layers.Dropout(0.5)], name="chain")


def branched():
    """A model inside that has a model inside, called twice, and an arrow past several layers."""
    x, z = keras.Input((4,), name="x"), keras.Input((4,), name="z")
    base = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="b1"), layers.Dense(4, name="b2")], name="base")
    h = base(z)
    inner = keras.Model(z, [layers.Dense(4, name="p")(h), layers.Dense(4, name="q")(h)], name="inner")
    p, q = inner(x)
    r, _ = inner(layers.Dense(4, name="d")(x))
    return keras.Model(x, [layers.Add(name="add")([x, p, r]), q], name="big")


def arrows(diagram):
    return {tuple(diagram.boxes[n].title.split(" ")[0] for n in pair) for pair in diagram.arrows}


# What is drawn.


def test_boxes_and_arrows():
    assert arrows(Diagram(chain())) == {("dense", "dropout")}
    closed = Diagram(branched())
    assert [box.title for box in closed.boxes] == ["x (InputLayer)", "d (Dense)", "inner (Functional)", "add (Add)"]
    assert arrows(closed) == {("x", "d"), ("x", "inner"), ("d", "inner"), ("x", "add"), ("inner", "add")}
    assert closed.groups == []


def test_models_inside_are_opened():
    opened = Diagram(branched(), expand_nested=True)
    assert opened.groups == [("inner", None), ("base", 0)]
    assert {box.title.split(" ")[0]: box.groups for box in opened.boxes} == {
        "x": (),
        "d": (),
        "z": (0,),
        "b1": (0, 1),
        "b2": (0, 1),
        "p": (0,),
        "q": (0,),
        "add": (),
    }
    inside = {("z", "b1"), ("b1", "b2"), ("b2", "p"), ("b2", "q")}
    assert arrows(opened) == inside | {("x", "z"), ("x", "d"), ("d", "z"), ("x", "add"), ("p", "add")}


def test_a_stack_of_stacks():
    model = keras.Sequential([chain(), layers.Dense(2, name="end")])
    assert arrows(Diagram(model, expand_nested=True)) == {("dense", "dropout"), ("dropout", "end")}


def test_what_boxes_show():
    model = chain()
    model.layers[0].trainable = False
    options = {"show_shapes": True, "show_dtype": True, "show_layer_activations": True, "show_trainable": True}
    first, second = Diagram(model, **options).boxes
    shapes = ["Input shape: (None, 8)", "Output shape: (None, 4)", "Output dtype: float32"]
    assert first.lines == ["dense (Dense)", "Activation: relu", *shapes, "Non-trainable"]
    assert second.lines == ["dropout (Dropout)", *[s.replace("8", "4") for s in shapes]]
    assert [box.lines for box in Diagram(model, show_layer_names=False).boxes] == [["Dense"], ["Dropout"]]
    leaky = layers.Dense(2, keras.activations.leaky_relu.with_parameters(negative_slope=0.3))
    box = Diagram(keras.Sequential([keras.Input((2,)), leaky]), show_layer_activations=True).boxes[0]
    assert box.facts == [("Activation", "leaky_relu, negative_slope=0.3")]


def test_a_model_written_as_a_class_is_one_box():
    class Own(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.dense = layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    model = Own()
    with pytest.raises(ValueError, match="This model has not yet been built.*'own'"):
        plot_model(model)
    model.build((None, 3))
    assert [box.title for box in Diagram(model).boxes] == ["own (Own)"]


# DOT.


def test_dot():
    text = model_to_dot(branched(), expand_nested=True, rankdir="LR", dpi=96, show_trainable=True)
    assert isinstance(text, str) and text.to_string() == text
    assert 'rankdir="LR"' in text and 'dpi="96"' in text and text.count("{") == text.count("}") == 3
    assert text.count("[label=<<table") == 8 and len(re.findall(r"n\d+ -> n\d+;", text)) == 9
    assert text.index("subgraph cluster_0 {") < text.index("subgraph cluster_1 {")
    assert text.count("Trainable") == 5
    assert model_to_dot(chain(), subgraph=True).startswith('subgraph "cluster_chain" {')


EVIL = 'a"]; x -> y; <b>&\\'


def test_names_are_escaped(without_graphviz, tmp_path):
    inner = keras.Sequential([keras.Input((2,)), layers.Dense(2, name=EVIL)], name=EVIL + "2")
    model = keras.Sequential([inner, layers.Dense(2, name="<script>")], name=EVIL)
    dot = model_to_dot(model, expand_nested=True)
    assert "a&quot;]; x -&gt; y; &lt;b&gt;&amp;\\ (Dense)" in dot and "<script>" not in dot
    assert 'label="a\\"]; x -> y; <b>&\\\\2";' in dot
    plot_model(model, tmp_path / "m.svg", show_layer_names=True, expand_nested=True)
    root = xml.parse(tmp_path / "m.svg").getroot()
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert EVIL + " (Dense)" in texts and EVIL + "2" in texts and "<script> (Dense)" in texts


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")
@pytest.mark.parametrize("format", ["png", "pdf", "svg"])
def test_graphviz_takes_it(tmp_path, format):
    plot_model(branched(), tmp_path / f"m.{format}", show_shapes=True, expand_nested=True, show_layer_names=True)
    begin = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[format]
    assert (tmp_path / f"m.{format}").read_bytes().startswith(begin)


def test_without_graphviz(without_graphviz, tmp_path):
    with pytest.raises(ValueError, match=r"'png' needs Graphviz.*install.*\.svg, \.txt or \.dot"):
        plot_model(chain(), tmp_path / "m.png")
    with pytest.raises(ValueError, match="'pdf' needs Graphviz"):
        model_to_dot(chain()).write(tmp_path / "m.pdf")
    assert not list(tmp_path.iterdir())
    model = chain()
    plot_model(model, str(tmp_path / "m.dot"), show_layer_names=True)
    model_to_dot(model).write(tmp_path / "m.gv")
    assert (tmp_path / "m.dot").read_text() == (tmp_path / "m.gv").read_text() == model_to_dot(model)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="`rankdir` must be one of"):
        model_to_dot(chain(), rankdir="up")
    with pytest.raises(ValueError, match="`layer_range` is no longer supported"):
        plot_model(chain(), layer_range=("a", "b"))
    with pytest.raises(ValueError, match=r"Unrecognized keyword arguments: {'shapes': 1}"):
        model_to_dot(chain(), shapes=1)


def test_a_notebook_gets_the_picture(monkeypatch, without_graphviz, tmp_path):
    shown = types.SimpleNamespace(SVG=lambda filename: ("svg", filename), Image=None)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    assert plot_model(chain(), tmp_path / "m.svg") == ("svg", str(tmp_path / "m.svg"))
    assert plot_model(chain(), tmp_path / "m.txt") is None


# Plain text.


def test_text_of_a_chain(tmp_path):
    plot_model(chain(), tmp_path / "m.txt", show_layer_names=True)
    assert (tmp_path / "m.txt").read_text() == (
        "  ┌───────────────┐\n"
        "  │ dense (Dense) │\n"
        "  └───────┬───────┘\n"
        "          ▼\n"
        "┌───────────────────┐\n"
        "│ dropout (Dropout) │\n"
        "└───────────────────┘\n"
    )


def follow(picture, names):
    """The arrows of a picture in plain text: each line is walked from a box's lower edge to a tip."""
    rows = picture.splitlines()
    at = {(r, c): letter for r, row in enumerate(rows) for c, letter in enumerate(row)}
    boxes = {}
    for r, row in enumerate(rows):
        for name in names:
            for match in re.finditer(rf"│ *{re.escape(name)} *│", row):
                boxes[name] = r, match.start(), match.end() - 1
    ways = {"│": "ud", "─": "lr", "└": "ur", "┘": "ul", "┌": "dr", "┐": "dl", "├": "udr", "┤": "udl", "┬": "lrd",
            "┴": "lru", "┼": "udlr"}  # fmt: skip
    step = {"u": (-1, 0), "d": (1, 0), "l": (0, -1), "r": (0, 1)}
    found = set()
    for name, (r, left, right) in boxes.items():
        bottom = r + 1
        for c in range(left, right + 1):
            if at.get((bottom, c)) != "┬":
                continue
            walkers, seen = [(bottom + 1, c, "d")], set()
            while walkers:
                y, x, way = walkers.pop()
                if (y, x, way) in seen:
                    continue
                seen.add((y, x, way))
                letter = at.get((y, x), " ")
                if letter == "▼":
                    target = next(n for n, (br, bl, brt) in boxes.items() if br == y + 2 and bl <= x <= brt)
                    found.add((name, target))
                    continue
                if letter == "│" and way in "lr":  # another line passes over this one
                    walkers.append((y, x + step[way][1], way))
                    continue
                back = {"u": "d", "d": "u", "l": "r", "r": "l"}[way]
                assert back in ways[letter], f"a line ends at {y, x}:\n{picture}"
                walkers += [(y + step[w][0], x + step[w][1], w) for w in ways[letter] if w != back]
    return found


@pytest.mark.parametrize("seed", range(12))
def test_lines_of_text_lead_where_they_should(seed):
    """Random graphs: whoever follows the lines finds the arrows of the graph, and no others."""
    random = np.random.default_rng(seed)
    tensors = [keras.Input((2,), name="n0")]
    for i in range(1, 14):
        few = random.choice(len(tensors), size=min(len(tensors), int(random.integers(1, 4))), replace=False)
        taken = [tensors[k] for k in few]
        name = f"n{i}" + "x" * int(random.integers(0, 12))
        layer = layers.Add(name=name) if len(taken) > 1 else layers.Identity(name=name)
        tensors.append(layer(taken if len(taken) > 1 else taken[0]))
    model = keras.Model(tensors[0], tensors[1:])
    diagram = Diagram(model)
    for box in diagram.boxes:
        box.title = box.title.split(" ")[0]
    names = [box.title for box in diagram.boxes]
    expected = {(names[a], names[b]) for a, b in diagram.arrows}
    assert follow(drawing.text(diagram), names) == expected


def test_text_tells_where_layers_belong():
    picture = drawing.text(Diagram(branched(), expand_nested=True))
    assert "│ inner > base > b1 (Dense) │" in picture and "│ inner > p (Dense) │" in picture


# SVG of our own.


@pytest.mark.parametrize("rankdir", ["TB", "LR", "BT", "RL"])
def test_svg(rankdir):
    root = xml.fromstring(drawing.svg(Diagram(branched(), expand_nested=True, show_trainable=True), rankdir))
    space = "{http://www.w3.org/2000/svg}"
    boxes = [r for r in root.iter(f"{space}rect") if r.get("stroke") == "black"]
    frames = [r for r in root.iter(f"{space}rect") if r.get("stroke-dasharray")]
    assert len(boxes) == 8 and len(frames) == 2
    places = [[float(r.get(key)) for key in ("x", "y", "width", "height")] for r in boxes]
    width, height = float(root.get("width")), float(root.get("height"))
    for i, (x, y, w, h) in enumerate(places):
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
        for a, b, c, d in places[i + 1 :]:  # no two overlap
            assert x + w <= a or a + c <= x or y + h <= b or b + d <= y
    tips = [p for p in root.iter(f"{space}path") if p.get("marker-end")]
    assert len(tips) == 9


def test_layers_of_a_picture():
    """A diamond with a long arrow: 0 -> 1, 2 -> 3, and 0 -> 3."""
    layout = Layered([10, 10, 10, 10], [(0, 1), (0, 2), (1, 3), (2, 3), (0, 3)], gap=2, waypoint=1)
    assert [sorted(n for n in row if n < 4) for row in layout.rows] == [[0], [1, 2], [3]]
    assert len(layout.widths) == 5 and (0, 4) in layout.links and (4, 3) in layout.links
    row = sorted(layout.rows[1], key=lambda n: layout.left[n])
    for before, after in zip(row, row[1:], strict=False):
        assert layout.left[before] + layout.widths[before] + 2 <= layout.left[after]
    with pytest.raises(ValueError, match="a circle"):
        Layered([1, 1], [(0, 1), (1, 0)], 1, 1)

"""Pictures of models: DOT for Graphviz, and PNG or PDF through it; SVG and plain text without anything else."""

import html
import os
import shutil
import subprocess
import sys
from pathlib import Path

from dseq.models import drawing
from dseq.models.diagram import Diagram

DIRECTIONS = ("TB", "LR", "BT", "RL")
OWN_FORMATS = ("dot", "gv", "txt", "svg")


class Dot(str):
    """The text of a graph in the DOT language, which also knows how to be drawn.

    Example:
        >>> dot = dseq.utils.model_to_dot(model)
        >>> print(dot)
        >>> dot.write("model.pdf")
    """

    def to_string(self) -> str:
        """The text."""
        return str(self)

    def create(self, format="png") -> bytes:
        """The picture as bytes, drawn by Graphviz.

        Args:
            format: What `dot -T` takes: `"png"`, `"pdf"`, `"svg"`, ...

        Raises:
            ValueError: If Graphviz is not installed, or does not know the format.
        """
        program = shutil.which("dot")
        if program is None:
            raise ValueError(
                f"Drawing a model as {format!r} needs Graphviz, and its program `dot` is not on this machine: install "
                "it (`apt install graphviz`, `conda install graphviz`, `brew install graphviz`), or write to a file "
                "that ends in .svg, .txt or .dot, for which nothing is needed."
            )
        run = subprocess.run([program, f"-T{format}"], input=self.encode(), capture_output=True)
        if run.returncode:
            raise ValueError(f"Graphviz could not draw this as {format!r}: {run.stderr.decode(errors='replace')}")
        return run.stdout

    def write(self, path, format=None) -> None:
        """Writes the picture to a file.

        Args:
            path: The file.
            format: What to write, by the file's ending if None; `"dot"` is the text itself.
        """
        format = format or Path(path).suffix.lstrip(".") or "png"
        Path(path).write_bytes(self.encode() if format in ("dot", "gv", "raw") else self.create(format))


def model_to_dot(
    model,
    show_shapes=False,
    show_dtype=False,
    show_layer_names=True,
    rankdir="TB",
    expand_nested=False,
    dpi=200,
    subgraph=False,
    show_layer_activations=False,
    show_trainable=False,
    splines="ortho",
    **kwargs,
):
    """A model as a graph in the DOT language.

    Args:
        model: A built model.
        show_shapes: Whether boxes show shapes.
        show_dtype: Whether they show the type of the output.
        show_layer_names: Whether they show the layer's name besides its class.
        rankdir: `"TB"` from top to bottom, `"LR"` from left to right.
        expand_nested: Whether to show the layers of models inside, in a dashed frame.
        dpi: Resolution of pixel pictures.
        subgraph: Whether to give a cluster, to be put into another graph.
        show_layer_activations: Whether boxes show the activation of layers that have one.
        show_trainable: Whether they show if layers are trainable.
        splines: How Graphviz draws arrows: `"ortho"`, `"curved"`, `"polyline"`, `"spline"`, `"line"`.
        **kwargs: None.

    Returns:
        The text, a `Dot`.

    Raises:
        ValueError: If the model is not built, or an argument is unknown.
    """
    _check(rankdir, kwargs)
    diagram = Diagram(
        model, show_shapes, show_dtype, show_layer_names, expand_nested, show_layer_activations, show_trainable
    )
    return dot_text(diagram, rankdir, dpi, splines, subgraph)


def plot_model(
    model,
    to_file="model.png",
    show_shapes=False,
    show_dtype=False,
    show_layer_names=False,
    rankdir="TB",
    expand_nested=False,
    dpi=200,
    show_layer_activations=False,
    show_trainable=False,
    splines="ortho",
    **kwargs,
):
    """Draws a model into a file. All ranks call it; rank 0 writes.

    Args:
        model: A built model.
        to_file: The file. Its ending says what is drawn: `.svg`, plain text `.txt` and `.dot` need nothing else,
            `.png`, `.pdf` and all others need Graphviz, which also draws `.svg` if it is there.
        show_shapes: Whether boxes show shapes.
        show_dtype: Whether they show the type of the output.
        show_layer_names: Whether they show the layer's name besides its class.
        rankdir: `"TB"` from top to bottom, `"LR"` from left to right.
        expand_nested: Whether to show the layers of models inside, in a dashed frame.
        dpi: Resolution of pixel pictures.
        show_layer_activations: Whether boxes show the activation of layers that have one.
        show_trainable: Whether they show if layers are trainable.
        splines: How Graphviz draws arrows.
        **kwargs: None.

    Returns:
        The picture for a notebook if it is called in one, else None.

    Raises:
        ValueError: If the model is not built, an argument is unknown, or Graphviz is needed and missing.
    """
    _check(rankdir, kwargs)
    path = Path(os.fspath(to_file))
    format = path.suffix.lstrip(".").lower() or "png"
    diagram = Diagram(
        model, show_shapes, show_dtype, show_layer_names, expand_nested, show_layer_activations, show_trainable
    )
    with model._on_its_ranks() as world, world.section("plot_model"):
        world.share_outcome(lambda: path.write_bytes(_picture(diagram, format, rankdir, dpi, splines)))
    display = sys.modules.get("IPython.display")  # there in a notebook
    if display is None or world.rank or format not in ("png", "svg", "jpg", "jpeg", "gif"):
        return None
    return display.SVG(filename=str(path)) if format == "svg" else display.Image(filename=str(path))


def _check(rankdir, kwargs):
    if kwargs.pop("layer_range", None) is not None:
        raise ValueError("Argument `layer_range` is no longer supported.")
    if kwargs:
        raise ValueError(f"Unrecognized keyword arguments: {kwargs}")
    if rankdir not in DIRECTIONS:
        raise ValueError(f"`rankdir` must be one of {DIRECTIONS}. Received: rankdir={rankdir!r}")


def _picture(diagram, format, rankdir, dpi, splines):
    dot = dot_text(diagram, rankdir, dpi, splines)
    if format in ("dot", "gv"):
        return dot.encode()
    if format == "txt":
        return drawing.text(diagram).encode()
    if format == "svg" and shutil.which("dot") is None:
        return drawing.svg(diagram, rankdir).encode()
    return dot.create(format)


# The DOT language. Names are the user's, so each goes through `_quoted` or `_escaped`.


def dot_text(diagram, rankdir="TB", dpi=200, splines="ortho", subgraph=False) -> Dot:
    """A diagram in the DOT language.

    Args:
        diagram: A `Diagram`.
        rankdir: Direction.
        dpi: Resolution.
        splines: How arrows are drawn.
        subgraph: Whether it is a cluster.
    """
    if subgraph:
        lines = [f"subgraph {_quoted('cluster_' + diagram.name)} {{", *_frame(diagram.name, "  ")]
    else:
        options = {"rankdir": rankdir, "concentrate": "true", "dpi": dpi, "splines": splines}
        lines = ["digraph G {", *(f"  {key}={_quoted(value)};" for key, value in options.items())]
    lines.append('  node [shape=plaintext, fontname="Helvetica", margin="0"];')
    opened = ()
    for box in diagram.boxes:
        opened = _move(lines, opened, box.groups, diagram.groups)
        lines.append("  " * (len(opened) + 1) + f"n{box.number} [label=<{_label(box)}>];")
    _move(lines, opened, (), diagram.groups)
    lines += [f"  n{source} -> n{target};" for source, target in diagram.arrows]
    return Dot("\n".join([*lines, "}"]) + "\n")


def _move(lines, opened, wanted, groups):
    """Closes and opens frames until those around the next box are open."""
    while opened != wanted[: len(opened)]:
        opened = opened[:-1]
        lines.append("  " * (len(opened) + 1) + "}")
    for number in wanted[len(opened) :]:
        indent = "  " * (len(opened) + 1)
        lines += [f"{indent}subgraph cluster_{number} {{", *_frame(groups[number][0], indent + "  ")]
        opened = (*opened, number)
    return opened


def _frame(name, indent):
    return [f"{indent}style=dashed;", f"{indent}labeljust=l;", f"{indent}label={_quoted(name)};"]


def _label(box):
    """A box as a table: the title in white on black, below it what is to be shown."""
    rows = [
        f'<tr><td bgcolor="black"><font color="white" point-size="16"><b>{_escaped(box.title)}</b></font></td></tr>'
    ]
    rows += [
        f'<tr><td bgcolor="white"><font point-size="14">{_escaped(label)}: <b>{_escaped(text)}</b></font></td></tr>'
        for label, text in box.facts
    ]
    if box.trainable is not None:
        color, text = ("forestgreen", "Trainable") if box.trainable else ("firebrick", "Non-trainable")
        rows.append(f'<tr><td bgcolor="{color}"><font color="white" point-size="14"><b>{text}</b></font></td></tr>')
    return f'<table border="0" cellborder="1" cellspacing="0" cellpadding="8">{"".join(rows)}</table>'


def _quoted(value):
    text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{text}"'


def _escaped(value):
    return html.escape(str(value)).replace("\n", " ")

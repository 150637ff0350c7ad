"""A model as a table: a box if `rich` is installed, plain text if not, with the same numbers."""

import importlib.util
import re
import shutil
from math import prod

import numpy as np

from dseq.models.diagram import is_graph, members_of, starts_of
from dseq.models.memory_use import memory_use
from dseq.program.structure import map_structure

LEAST_WIDTH = 4


def print_summary(
    model,
    line_length=None,
    positions=None,
    print_fn=None,
    expand_nested=False,
    show_trainable=False,
    layer_range=None,
) -> None:
    """Prints a table of a model's layers with their output shapes and numbers of parameters.

    Args:
        model: The model; one that is not built shows `?`.
        line_length: Width of the table; 88 or 108, or the terminal's if that is less.
        positions: Right ends of the columns as fractions of the width, or in characters.
        print_fn: Called once with the whole text instead of printing it.
        expand_nested: Whether to show the layers of models inside.
        show_trainable: Whether to show if layers are trainable.
        layer_range: Two regular expressions, for the names of the first and the last layer to show.

    Raises:
        ValueError: If `layer_range` does not name layers, or the table is too narrow.
    """
    layers = members_of(model) if is_graph(model) else model.layers
    chain = not is_graph(model) or _is_chain(model)
    header = ["Layer (type)", "Output Shape", "Param #"]
    if chain:
        width, usual = 88, [0.45, 0.8, 1.0]
    else:
        header.append("Connected to")
        width, usual = 108, [0.3, 0.56, 0.74, 1.0]
    if show_trainable:
        header.append("Trainable")
        width += 12
    width = line_length or min(width, shutil.get_terminal_size().columns - 4)
    positions = list(positions or usual)
    if max(positions) > 1:
        positions = [position / width for position in positions]
    if show_trainable and len(positions) < len(header):
        positions = [0.9 * position for position in positions] + [1.0]
    connections = None if chain else _connections(model)
    rows = []
    for layer in layers[_range(layers, layer_range)]:
        rows += _rows(layer, connections, expand_nested, show_trainable)
    title, below = f'Model: "{model.name}"', [*_totals(model), _memory(model)]
    draw = _boxes if _has_rich() else _plain
    draw(title, header, rows, below, _column_widths(positions, width, len(header)), width, print_fn)


def _has_rich():
    return importlib.util.find_spec("rich") is not None


def _is_chain(model):
    """Whether each layer takes what the one before gives, and none is used twice."""
    nodes = model._nodes
    if len({id(node.layer) for node in nodes}) < len(nodes) or len(model.inputs) != 1:
        return False
    before = model.inputs[0]
    for node in nodes:
        if len(node.inputs) != 1 or node.inputs[0] is not before:
            return False
        before = node.outputs[0]
    return True


def _range(layers, layer_range):
    """The slice of layers between two names."""
    if layer_range is None:
        return slice(None)
    if len(layer_range) != 2 or not all(isinstance(name, str) for name in layer_range):
        raise ValueError(f"`layer_range` must be two layer names. Received: layer_range={layer_range!r}")
    first, last = ([i for i, layer in enumerate(layers) if re.match(name, layer.name)] for name in layer_range)
    if not first or not last:
        names = [layer.name for layer in layers]
        raise ValueError(f"`layer_range` must match layer names, which are {names}. Received: {layer_range!r}")
    if min(first) > max(last):
        return slice(min(last), max(first) + 1)
    return slice(min(first), max(last) + 1)


def _rows(layer, connections, expand_nested, show_trainable, level=0):
    """The cells of a layer or operation, and of those inside it."""
    prefix = "   " * level + "└ " if level else ""
    is_layer = hasattr(layer, "count_params")
    params = "0" if not is_layer else f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
    row = [f"{prefix}{layer.name} ({type(layer).__name__})", _shape(layer), params]
    if connections is not None:
        row.append(", ".join(connections.get(id(layer), ())) or "-")
    if show_trainable:
        row.append(("Y" if layer.trainable else "N") if is_layer and layer.built and layer.weights else "-")
    rows = [row]
    if expand_nested:
        inner = getattr(layer, "layers", None)
        for part in inner if isinstance(inner, list) else []:
            rows += _rows(part, connections, expand_nested, show_trainable, level + 1)
    return rows


def _shape(layer):
    """The shape of what the layer gave last; without a call, that for the shape it was built for."""
    if layer._inbound_nodes:
        shapes = [tuple(tensor.shape) for tensor in layer._inbound_nodes[-1].outputs]
        return str(shapes[0] if len(shapes) == 1 else shapes)
    known = getattr(layer, "_build_shapes", None)
    if not known or not layer.built:
        return "?"
    try:
        shapes = layer.compute_output_shape(*known[0], **known[1])
    except Exception:  # whatever a layer of the user's own does there, a listing must not fail
        return "?"
    if isinstance(shapes, tuple) and all(n is None or isinstance(n, int) for n in shapes):
        return str(shapes)
    return str(map_structure(str, shapes)).replace("'", "") if shapes else "?"


def _connections(model):
    """Where each member's inputs come from: layer, which of its calls, which output of that."""
    starts, found = starts_of(model), {}
    here = {id(node) for node in model._nodes}
    for layer in members_of(model):
        for node in layer._inbound_nodes:
            for tensor in node.inputs if id(node) in here else ():
                source, index, call = tensor.node.layer, tensor.index, 0
                if id(tensor) in starts:
                    source, index = starts[id(tensor)]
                else:
                    call = next(i for i, other in enumerate(source._inbound_nodes) if other is tensor.node)
                found.setdefault(id(layer), []).append(f"{source.name}[{call}][{index}]")
    return found


def _totals(model):
    """The lines under the table."""
    optimizer = getattr(model, "optimizer", None)
    groups = {"Trainable": model.trainable_variables, "Non-trainable": model.non_trainable_variables}
    if optimizer is not None and optimizer.built:
        groups["Optimizer"] = optimizer.variables
    sizes = {}
    for name, variables in groups.items():
        unique = {id(v): v for v in variables}.values()
        count = sum(prod(v.shape) for v in unique)
        sizes[name] = count, sum(prod(v.shape) * np.dtype(v.dtype).itemsize for v in unique)
    everything = tuple(map(sum, zip(*sizes.values(), strict=True)))
    lines = {"Total": everything, **sizes}
    return [f" {name} params: {count:,} ({_readable(size)})" for name, (count, size) in lines.items()]


def _memory(model):
    """A line about this job: what each of its ranks holds."""
    engine, ranks, sizes = memory_use(model)
    parts = ", ".join(f"{name} {_readable(size)}" for name, size in sizes.items())
    many = "1 rank" if ranks == 1 else f"{ranks} ranks"
    return f" Memory per rank: {_readable(sum(sizes.values()))} on {many}, engine {engine} ({parts})"


def _readable(size):
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} PB"


def _column_widths(positions, width, columns):
    ends = [int(position * width) for position in positions]
    widths = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    if len(widths) != columns or min(widths) < LEAST_WIDTH:
        raise ValueError(
            f"The table must have {columns} columns of at least {LEAST_WIDTH} characters. "
            f"Received: positions={positions}, line_length={width}"
        )
    return widths


def _boxes(title, header, rows, totals, widths, width, print_fn):
    """Keras 3's table."""
    # Not at the top: importing dseq must be quick, and few runs show a summary.
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    justify = {"Param #": "right", "Trainable": "center"}
    columns = [Column(name, justify=justify.get(name, "left"), width=w) for name, w in zip(header, widths, strict=True)]
    table = Table(*columns, width=width, show_lines=True)
    for row in rows:
        cells = [Text(cell) for cell in row]
        _color(*cells)
        table.add_row(*cells)
    plain = {"force_terminal": False, "color_system": None} if print_fn else {}
    console = Console(highlight=False, **plain)
    console.width = max(console.width, width)  # a narrow terminal would cut columns off
    if print_fn:
        console.begin_capture()
    console.print(Text(title, "bold"))
    console.print(table)
    for line in totals:
        text = Text(line)
        text.highlight_regex(r"^.*:", "bold")
        text.highlight_regex(r"(?<=: )[\d,]+", "color(34)")
        console.print(text, soft_wrap=True)
    if print_fn:
        print_fn(console.end_capture())


def _color(name, *others):
    """Marks the class in a layer's name, numbers and None in the other columns."""
    name.highlight_regex(r"(?<=\()\w+(?=\)$)", "color(33)")
    for cell in others:
        cell.highlight_regex(r"(?<![\w.])[\d,]+(?![\w.])", "color(34)")
        cell.highlight_regex(r"\bNone\b", "color(45)")


def _plain(title, header, rows, totals, widths, width, print_fn):
    """The same without `rich`; columns grow with what they hold."""
    widths = [
        max(least, 2 + max(map(len, cells)))
        for least, cells in zip(widths, zip(header, *rows, strict=True), strict=True)
    ]
    lines = [title, "=" * sum(widths), _plain_row(header, widths), "=" * sum(widths)]
    for row in rows:
        lines += [_plain_row(row, widths), "-" * sum(widths)]
    text = "\n".join([*lines, *totals]) + "\n"
    if print_fn:
        print_fn(text)
    else:
        print(text, end="", flush=True)


def _plain_row(cells, widths):
    """Parameter counts stand to the right."""
    padded = (
        f"{cell:>{w - 2}}  " if i == 2 else f"{cell:<{w}}"
        for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
    )
    return "".join(padded).rstrip()

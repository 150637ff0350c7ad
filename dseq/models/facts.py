"""What must be equal on ranks that hold the same model, as text that does not depend on the process."""

import zlib

import numpy as np

from dseq.initializers.initializer import Initializer
from dseq.layers.core.input_layer import InputLayer
from dseq.layers.layer import Layer

SETTINGS = ("_runner", "steps_per_execution")
COMPILED = ("loss", "loss_weights", "metrics", "weighted_metrics")


def facts(model) -> list:
    """A model's structure and settings as (label, text) pairs.

    Names that were made automatically are left out, for they depend on what else the process made; so are the seeds
    of initializers, for rank 0's weights count.

    Args:
        model: The model, compiled or not.
    """
    found = [("model", f"{type(model).__name__} of {len(model.layers)} layers in {model.dtype}")]
    found += _layers(model, "layer ")
    if model.compiled:
        compiled = model._compiled
        found.append(("optimizer", describe(compiled.optimizer)))
        found += [(name, describe(getattr(compiled, name))) for name in COMPILED]
        found += [(name.strip("_"), describe(getattr(model, name, None))) for name in SETTINGS]
    return found


def _layers(model, label):
    found = []
    for i, layer in enumerate(model.layers):
        found.append((f"{label}{i}", _layer(layer)))
        found += _parts(layer, f"{label}{i}.")
    if hasattr(model, "_nodes"):
        found.append((f"{label}graph".removeprefix("layer "), _wiring(model)))
    return found


def _parts(layer, label):
    return _layers(layer, label) if hasattr(layer, "layers") else []


def _layer(layer):
    """One layer: class, given name, configuration and weights."""
    name = "" if layer._auto_named else f" {layer.name!r}"
    if isinstance(layer, InputLayer):
        return f"InputLayer{name} of shape {layer.batch_shape[1:]} in {layer.dtype}"
    values = {a: getattr(layer, a) for a in layer._arguments if hasattr(layer, a) and a not in ("name", "layers")}
    if hasattr(layer, "layers"):  # a model's parts are listed one by one
        values = {}
    values |= {"dtype": layer.dtype, "trainable": layer.trainable}
    settings = ", ".join(f"{k}={describe(v)}" for k, v in sorted(values.items()))
    shapes = ", ".join(str(v.shape) for v in layer.variables)
    trained = len(layer.trainable_variables)
    return f"{type(layer).__name__}{name}({settings}), weights {shapes or 'none'}, {trained} of them trained"


def _wiring(model):
    """The calls of layers by their positions: `2(0, 1)` is layer 2 called on what layers 0 and 1 gave.

    Operations, which are no layers, stand there with what else they were given.
    """
    position = {id(layer): str(i) for i, layer in enumerate(model.layers)}
    made = {}

    def source(tensor):
        call = made.get(id(tensor.node))
        begins = "" if call is not None else position[id(tensor.node.layer)]
        return f"{begins}{'' if call is None else f'@{call}'}.{tensor.index}"

    inputs, calls = ", ".join(map(source, model.inputs)), []
    for i, node in enumerate(model._nodes):
        called = position.get(id(node.layer)) or _operation(node.layer)
        calls.append(f"{called}({', '.join(map(source, node.inputs))})")
        made[id(node)] = i
    return f"{inputs} -> {' '.join(calls)} -> {', '.join(map(source, model.outputs))}"


def _operation(operation):
    """A call of `dseq.ops`: its name, its options, and the constants and weights among its arguments."""
    given = []
    for index, source in enumerate(getattr(operation, "sources", ())):
        if not isinstance(source, int):  # an integer is the number of an input
            text = f"weight {source.shape}" if source.arena == "params" else describe(source.value)
            given.append(f"{index}: {text}")
    options = {k: v for k, v in getattr(operation, "options", {}).items() if v is not None}
    return " ".join([type(operation).__name__, *given, *([describe(options)] if options else [])])


def describe(value) -> str:
    """Any argument as text without memory addresses.

    Args:
        value: A number, text, array, list, dict, function, or object with a configuration.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return repr(value)
    if isinstance(value, np.ndarray):
        return f"array{value.shape} crc32 {zlib.crc32(np.ascontiguousarray(value).tobytes()):08x}"
    if isinstance(value, dict):
        return "{" + ", ".join(sorted(f"{describe(k)}: {describe(v)}" for k, v in value.items())) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(describe, value)) + "]"
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(map(describe, value))) + "}"
    if isinstance(value, type):
        return value.__qualname__
    kind = type(value).__name__
    if isinstance(value, Layer):  # inside a wrapper; it may have no configuration, as a Lambda of a lambda
        return "; ".join(text for _, text in [("", _layer(value)), *_parts(value, "layer ")])
    if hasattr(value, "get_config"):
        left_out = ("name", "seed") if isinstance(value, Initializer) else ("name",)
        config = {k: v for k, v in value.get_config().items() if k not in left_out}
        return f"{kind}({', '.join(f'{k}={describe(v)}' for k, v in sorted(config.items()))})"
    if hasattr(value, "__qualname__"):
        return value.__qualname__
    if hasattr(value, "options"):  # an activation
        return f"{value.name}({describe(value.options)})"
    return kind if not isinstance(getattr(value, "name", None), str) else f"{kind} {value.name!r}"

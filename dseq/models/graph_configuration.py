"""Models of symbolic tensors as plain data and back: their layers, each with its calls, in Keras' form."""

import inspect

from dseq.models.diagram import is_graph, members_of, starts_of
from dseq.program import registry
from dseq.program.serialization import (
    deserialize_keras_object,
    keras_tensor,
    reading,
    serialize_keras_object,
    writing,
)
from dseq.program.tensor import Tensor


def is_functional(config) -> bool:
    """Whether a configuration is that of a model of symbolic tensors."""
    return all(key in config for key in ("name", "layers", "input_layers", "output_layers"))


def is_functional_class(kind) -> bool:
    """Whether models of a class are made by `kind(inputs, outputs)`: it has no other constructor of its own."""
    first = next(base for base in kind.__mro__ if "__init__" in vars(base))
    if first.__module__.startswith("dseq."):
        return True
    parameters = list(inspect.signature(first.__init__).parameters.values())
    kinds = {parameter.kind for parameter in parameters}
    any_arguments = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD} <= kinds
    return any_arguments or [parameter.name for parameter in parameters][1:3] == ["inputs", "outputs"]


def functional_config(model) -> dict:
    """The configuration of a model of symbolic tensors.

    Args:
        model: A `Functional` model.

    Returns:
        A dict with all layers, each with its calls, and where inputs and outputs are.
    """
    _provide_operations()
    members, starts = members_of(model), starts_of(model)
    kept = {id(node) for node in model._nodes}
    calls = {id(node): i for m in members for i, node in enumerate(n for n in m._inbound_nodes if id(n) in kept)}

    def place(tensor):
        if id(tensor) in starts:
            return [starts[id(tensor)][0].name, 0, 0]
        return [tensor.node.layer.name, calls[id(tensor.node)], tensor.index]

    def outer_place(tensor):
        name, call, index = place(tensor)
        # Keras counts the calls of a functional model from 1 here, and here only: its own graph was call 0 once.
        inner = id(tensor) not in starts and is_graph(tensor.node.layer)
        return [name, call + inner, index]

    def written(value):
        if isinstance(value, Tensor):
            return keras_tensor(value, place(value))
        if isinstance(value, dict):
            return {key: written(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [written(part) for part in value]
        return serialize_keras_object(value)

    with writing() as finish:
        entries = []
        for member in members:
            entry = serialize_keras_object(member)
            nodes = [node for node in member._inbound_nodes if id(node) in kept]
            entry["name"] = member.name
            entry["inbound_nodes"] = [_written_call(node, written) for node in nodes]
            entries.append(entry)
        inputs, outputs = structures(model)
        return finish(
            {
                "name": model.name,
                "trainable": model.trainable,
                "layers": entries,
                "input_layers": map_places(outer_place, inputs),
                "output_layers": map_places(outer_place, outputs),
            }
        )


def _provide_operations():
    """Lets configurations name the operations of `dseq.ops`, as Keras' files do."""
    from dseq.ops.function import OPERATIONS

    for name, kind in OPERATIONS.items():
        registry.provide(kind.module, {name: kind})


def call_of(node):
    """The arguments of a call as `(args, kwargs)`, with symbolic tensors in them."""
    if node.arguments is not None:
        return node.arguments
    return list(node.inputs), {}


def _written_call(node, written):
    args, kwargs = call_of(node)
    kwargs = {k: v for k, v in kwargs.items() if not (v is None and k in ("mask", "training"))}
    return {"args": [written(value) for value in args], "kwargs": written(kwargs)}


def structures(model):
    """The inputs and outputs of a graph in the form in which the user gave them."""
    return model.input, model.output


def map_places(function, structure):
    """`structure.map_structure` for functions that give lists."""
    if isinstance(structure, dict):
        return {key: map_places(function, value) for key, value in structure.items()}
    if isinstance(structure, list | tuple):
        return [map_places(function, value) for value in structure]
    return function(structure)


def functional_from_config(kind, config, custom_objects=None):
    """The model of symbolic tensors that a configuration describes.

    Args:
        kind: Class of the model.
        config: What `functional_config` or Keras wrote.
        custom_objects: Dict of classes and functions of your own, by name.

    Raises:
        ValueError: If calls refer to layers that are not there, or in a circle.
    """
    missing = [key for key in ("layers", "input_layers", "output_layers") if key not in config]
    if missing:
        raise ValueError(f"The configuration of a functional model lacks {missing}. Received keys: {sorted(config)}")
    options = {k: v for k, v in config.items() if k not in ("layers", "input_layers", "output_layers")}
    if options.get("trainable") is None:
        options.pop("trainable", None)
    graph = _Revived(config, custom_objects)
    return kind(inputs=graph.structure("input_layers"), outputs=graph.structure("output_layers"), **options)


class _Revived:
    """The layers of a configuration, called as it says."""

    def __init__(self, config, custom_objects):
        _provide_operations()
        self._config = config
        self._layers, self._made, self._calls = {}, {}, {}
        with reading(), registry.CustomObjectScope(custom_objects):
            for entry in config["layers"]:
                layer = layer_from(entry)
                if not hasattr(layer, "_inbound_nodes"):
                    raise ValueError(
                        f"A functional model is made of layers and operations. Received: {entry.get('name')!r}, which "
                        f"is of type {type(layer).__name__}"
                    )
                name = entry.get("name") or layer.name
                self._layers[name] = layer
                self._calls[name] = [_Call(node) for node in entry.get("inbound_nodes", [])]
                if not self._calls[name]:  # an input
                    self._made[name, 0] = layer._inbound_nodes[0].outputs if layer._inbound_nodes else []
            self._shift = self._counted_from_one()
            self._run()

    def _counted_from_one(self):
        """Models inside whose calls are counted from 1, as Keras 2 did and early versions of Keras 3."""
        used = {}
        for calls in self._calls.values():
            for call in calls:
                for name, number, _ in call.needs:
                    used.setdefault(name, set()).add(number)
        return {n for n, numbers in used.items() if self._calls.get(n) and max(numbers) == len(self._calls[n])}

    def _key(self, name, number):
        if name not in self._layers:
            raise ValueError(
                f"Invalid configuration of a functional model: layer {name!r} is used and not described. "
                f"It has: {list(self._layers)}"
            )
        return name, number - (name in self._shift)

    def _run(self):
        """Makes all calls, each as soon as what it needs is there; a layer's own calls stay in order."""
        waiting, blocked = {}, {}
        for name, calls in self._calls.items():
            for number, call in enumerate(calls):
                needs = {self._key(n, k) for n, k, _ in call.needs} | ({(name, number - 1)} if number else set())
                needs -= self._made.keys()
                waiting[name, number] = len(needs)
                for need in needs:
                    blocked.setdefault(need, []).append((name, number))
        ready = [key for key, count in waiting.items() if not count][::-1]
        while ready:
            key = ready.pop()
            del waiting[key]
            self._made[key] = self._call(*key)
            for other in blocked.get(key, ())[::-1]:
                waiting[other] -= 1
                if not waiting[other]:
                    ready.append(other)
        if waiting:
            raise ValueError(
                "Invalid configuration of a functional model: the graph has loops or refers to calls that are not "
                f"there. These calls could not be made (layer, number): {sorted(waiting)}"
            )

    def _call(self, name, number):
        layer, call = self._layers[name], self._calls[name][number]
        args, kwargs = call.revived(self.tensor)
        result = layer(*args, **kwargs)
        if layer._inbound_nodes:
            return layer._inbound_nodes[-1].outputs
        return result if isinstance(result, list) else [result]

    def tensor(self, name, number, index):
        """What a call gave."""
        made = self._made[self._key(name, number)]
        if index >= len(made):
            raise ValueError(
                f"Invalid configuration of a functional model: output {index} of {name!r} is used, and it gives "
                f"{len(made)}."
            )
        return made[index]

    def structure(self, which):
        """The inputs or outputs in their form."""

        def find(value):
            if isinstance(value, list | tuple) and len(value) == 3 and isinstance(value[0], str):
                name, number, index = value
                inner = is_graph(self._layers.get(name)) and name not in self._shift
                key = self._key(name, number - inner)
                if key not in self._made:
                    raise ValueError(
                        f"Invalid configuration of a functional model: `{which}` refers to call {number} of {name!r}, "
                        "which is not there."
                    )
                return self.tensor(name, number - inner, index)
            if isinstance(value, dict):
                return {key: find(part) for key, part in value.items()}
            return [find(part) for part in value]

        found = find(self._config[which])
        # Keras 2 wrote a list for single tensors too.
        legacy = "module" not in self._config["layers"][0]
        return found[0] if legacy and isinstance(found, list) and len(found) == 1 else found


class _Call:
    """One call of a layer in a configuration, in the form of Keras 3 or of Keras 2.

    Attributes:
        needs: List of (layer, call, output) of the tensors it takes.
    """

    def __init__(self, node):
        if isinstance(node, dict) and "args" in node:
            self._args, self._kwargs = node["args"], node["kwargs"]
        else:  # Keras 2: a list of [layer, call, output, kwargs], or one of these
            node = [node] if node and isinstance(node[0], str) else node
            places = [_tensor_at(part[:3]) for part in node]
            self._args = places if len(places) == 1 else [places]
            self._kwargs = node[0][3] if node and len(node[0]) > 3 else {}
        self.needs = []
        self._walk([self._args, self._kwargs], lambda *place: self.needs.append(place))

    def revived(self, tensor):
        """`(args, kwargs)` with tensors in them."""
        return self._walk(self._args, tensor), self._walk(self._kwargs, tensor)

    def _walk(self, value, tensor):
        if isinstance(value, dict):
            if value.get("class_name") == "__keras_tensor__":
                return tensor(*value["config"]["keras_history"])
            if "class_name" in value and "config" in value:
                return deserialize_keras_object(value)
            return {key: self._walk(part, tensor) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [self._walk(part, tensor) for part in value]
        return value


def _tensor_at(place):
    return {"class_name": "__keras_tensor__", "config": {"keras_history": list(place)}}


def layer_from(entry):
    """The layer or operation of one entry of a model's list of layers.

    Args:
        entry: Dict in the form of Keras 3 or of Keras 2.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str) or "config" not in entry:
        raise ValueError(f"A layer in a configuration must be a dict with class_name and config. Received: {entry!r}")
    return deserialize_keras_object(entry, module="keras.layers")

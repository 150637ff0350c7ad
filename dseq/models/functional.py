"""A model as a graph: symbolic inputs, symbolic outputs, and the layers between."""

import numpy as np

from dseq.layers.core.input_layer import InputLayer
from dseq.layers.layer import Layer
from dseq.models import graph_configuration
from dseq.models.model import Model
from dseq.program.graph import Graph
from dseq.program.structure import flatten, pack
from dseq.program.tensor import Tensor
from dseq.training.data import conform


class Functional(Model):
    """A model made of symbolic tensors.

    Args:
        inputs: Symbolic tensor, or a list, tuple or dict of them, nested as one likes. A tensor that a layer made
            begins a model too: what lies before it does not belong to the model.
        outputs: The same.
        name: Name of the model.
        trainable: Whether training changes its weights.

    Attributes:
        inputs: The input tensors as a flat list; dicts are walked in sorted order of their keys.
        outputs: The output tensors as a flat list.
    """

    takes_any_type = True

    def __init__(self, inputs=None, outputs=None, name=None, trainable=True, **kwargs):
        super().__init__(name=name, **kwargs)
        self.inputs = _tensors(inputs, "inputs")
        self.outputs = _tensors(outputs, "outputs")
        self._input_structure, self._output_structure = inputs, outputs
        if len({id(t) for t in self.inputs}) < len(self.inputs):
            names = [t.name for t in self.inputs]
            raise ValueError(f"Each input of a model must stand there once. Received: inputs={names}")
        self._stand_ins = []  # in the order of the inputs they stand for; the graph has its members in Keras' order
        self._graph = Graph(self.inputs, self.outputs, self._stand_in)
        names = [member.name for member in self._graph.members]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f"All layers of a model must have unique names. Received: {name!r} {names.count(name)} times in "
                    f"model {self.name!r}. Give one of them another `name=`."
                )
        self.built = True
        if not trainable:
            self.trainable = False

    def _stand_in(self, tensor):
        """The input layer of a model that begins at a tensor some layer made."""
        self._stand_ins.append(InputLayer(batch_shape=(None, *tensor.shape[1:]), dtype=tensor.dtype))
        return self._stand_ins[-1]

    def __getstate__(self):
        # Nodes in running order come first, so that a copy of a tower does not walk down all of it by recursion.
        return {"_copied_first": self._nodes} | super().__getstate__()

    @property
    def _nodes(self):
        return self._graph.nodes

    @property
    def operations(self) -> list:
        """Layers and operations such as `a + b`, in Keras' order."""
        return list(self._graph.members)

    @property
    def layers(self):
        return [member for member in self._graph.members if isinstance(member, Layer)]

    def _children(self):
        inside = {id(layer) for layer in self.layers}
        more = [(n, c) for n, c in super()._children() if isinstance(c, list) or id(c) not in inside]
        return [("layers", self.layers), *more]

    # Inputs and outputs.

    @property
    def input(self):
        """The inputs in the form they were given."""
        return self._input_structure

    @property
    def output(self):
        """The outputs in the form they were given."""
        return self._output_structure

    @property
    def input_shape(self):
        """Full shape of the input, or a flat list of them."""
        return _one_or_all([tensor.shape for tensor in self.inputs])

    @property
    def output_shape(self):
        """Full shape of the output, or a flat list of them."""
        return _one_or_all([tensor.shape for tensor in self.outputs])

    @property
    def input_names(self) -> list:
        """Names by which dicts of data may call the inputs."""
        return [layer.name for layer in self._input_layers]

    @property
    def _input_layers(self):
        stand_ins = iter(self._stand_ins)
        return [t.node.layer if t.node.is_input else next(stand_ins) for t in self.inputs]

    @property
    def output_names(self) -> list:
        """Names by which losses and targets may call the outputs: keys of a dict, else names of the layers."""
        if isinstance(self._output_structure, dict) and all(
            isinstance(t, Tensor) for t in self._output_structure.values()
        ):
            return sorted(self._output_structure)
        names = []
        for tensor in self.outputs:
            name, count = tensor.node.layer.name, 0
            while (name if not count else f"{name}_{count}") in names:
                count += 1
            names.append(name if not count else f"{name}_{count}")
        return names

    def flatten_inputs(self, data):
        structure = self._input_structure
        if isinstance(data, dict):
            named = set(self.input_names) <= set(data)
            if isinstance(structure, dict) and (set(structure) <= set(data) or not named):
                _require_keys(data, structure, "input")
                data = {key: data[key] for key in structure}
            else:
                _require_keys(data, self.input_names, "input")
                return [data[name] for name in self.input_names]
        elif isinstance(structure, dict) and len(structure) > 1 and list(structure) != sorted(structure):
            raise ValueError(
                f"The structure of `inputs` doesn't match the expected structure. Expected: a dict with keys "
                f"{list(structure)}. Received: {type(data).__name__}. Pass a dict: the order would not be clear."
            )
        arrays = _leaves(data, len(self.inputs))
        if len(arrays) != len(self.inputs):
            shapes = [a.shape if hasattr(a, "shape") else np.shape(a) for a in arrays]
            raise ValueError(
                f"Model {self.name!r} expects {len(self.inputs)} input(s) {self.input_names}. "
                f"Received: {len(arrays)} array(s) of shapes {shapes}"
            )
        return arrays

    def pack_outputs(self, arrays):
        return pack(self._returned, arrays)

    def output_structure(self, operands=None, arguments=None, training=False, count=1):
        return pack(self._returned, range(len(self.outputs)))

    def _form_of_outputs(self):
        return self._output_structure

    @property
    def _returned(self):
        """The form of what a call returns: a list of one is that one, as in Keras."""
        structure = self._output_structure
        return structure[0] if isinstance(structure, list | tuple) and len(structure) == 1 else structure

    def output_kinds(self, count):
        return [(tensor.dtype, tensor.shared) for tensor in self.outputs]

    # As a layer.

    def __call__(self, inputs, training=None, mask=None, **kwargs):
        """Applies the model to symbolic tensors or arrays in the form of its inputs, or in a dict by their names."""
        if not isinstance(inputs, Tensor):
            flat = zip(self.flatten_inputs(inputs), self.inputs, strict=True)
            fitted = [x if isinstance(x, Tensor) else conform(np.asarray(x), t.shape) for x, t in flat]
            inputs = pack(self._input_structure, fitted)
        return super().__call__(inputs, training=training, mask=mask, **kwargs)

    def check_input(self, shape, index=0):
        if index >= len(self.inputs):
            raise ValueError(f"Model {self.name!r} expects {len(self.inputs)} input(s). Received: {index + 1} or more")
        expected = (None, *self.inputs[index].shape[1:])
        fits = len(shape) == len(expected) and all(
            e in (None, n) or n is None for e, n in zip(expected, shape, strict=True)
        )
        if not fits:
            raise ValueError(
                f'Input {index} of layer "{self.name}" is incompatible with the layer: '
                f"expected shape={expected}, found shape={tuple(shape)}"
            )

    def native_shapes(self, input_shapes):
        if len(input_shapes) != len(self.inputs):
            raise ValueError(
                f"Model {self.name!r} expects {len(self.inputs)} input(s) {self.input_names}. "
                f"Received: {len(input_shapes)} of shapes {list(input_shapes)}"
            )
        for index, shape in enumerate(input_shapes):
            self.check_input(shape, index)
        return self._graph.output_shapes(input_shapes)

    def compute_output_shape(self, input_shape):
        return pack(self._returned, self.native_shapes(_shapes(input_shape)))

    def lower(self, plan, *inputs):
        return self._graph.lower(plan, inputs)

    # Configuration.

    def get_config(self):
        if not graph_configuration.is_functional_class(type(self)):
            return super().get_config()  # a class of the user's own that makes its graph in its constructor
        return graph_configuration.functional_config(self)

    def get_build_config(self):
        return {"input_shape": None}


def _one_or_all(shapes):
    return shapes[0] if len(shapes) == 1 else shapes


def _require_keys(data, names, what):
    for name in names:
        if name not in data:
            raise ValueError(
                f'Missing data for {what} "{name}". You passed a data dictionary with keys {list(data)}. '
                f"Expected the following keys: {list(names)}"
            )


def _leaves(data, count):
    """The arrays in a structure. A list that is no structure of arrays is one array: nested numbers."""
    if isinstance(data, dict):
        return flatten(data)
    if isinstance(data, list | tuple):
        nested = any(hasattr(leaf, "shape") for leaf in flatten(data))
        return flatten(data) if nested or (count > 1 and len(data) == count) else [data]
    return [data]


def _shapes(structure):
    """Full shapes in a structure, as a flat list: a tuple of sizes is a leaf."""
    if isinstance(structure, dict):
        return [shape for key in sorted(structure) for shape in _shapes(structure[key])]
    if isinstance(structure, list | tuple) and any(isinstance(part, list | tuple | dict) for part in structure):
        return [shape for part in structure for shape in _shapes(part)]
    return [tuple(structure)]


def _tensors(structure, what):
    """Symbolic tensors in a structure, as a flat list."""
    tensors = flatten(structure)
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            kind = type(tensor).__name__
            hint = " Call the layer on a tensor first." if isinstance(tensor, Layer) else ""
            raise ValueError(f"`{what}` of a model must be symbolic tensors, made by `Input`. Received: {kind}.{hint}")
    if not tensors:
        raise ValueError(f"`{what}` of a model must hold at least one tensor. Received: {structure!r}")
    return tensors

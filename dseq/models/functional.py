"""A model as a graph: symbolic inputs, symbolic outputs, and the layers between."""

from dseq.layers.layer import Layer
from dseq.models.model import Model
from dseq.program.tensor import Tensor, sort_graph


class Functional(Model):
    """A model made of symbolic tensors.

    Args:
        inputs: Symbolic tensor, or a list of them.
        outputs: Symbolic tensor, or a list of them.
        name: Name of the model.
        trainable: Whether training changes its weights.
    """

    def __init__(self, inputs, outputs, name=None, trainable=True, **kwargs):
        super().__init__(name=name, **kwargs)
        self.inputs = _tensors(inputs, "inputs")
        self.outputs = _tensors(outputs, "outputs")
        self._single_output = isinstance(outputs, Tensor)
        self._nodes, self._ordered = sort_graph(self.inputs, self.outputs)
        names = [layer.name for layer in self._ordered]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f"All layers of a model must have unique names. Received: {name!r} {names.count(name)} times in "
                    f"model {self.name!r}. Give one of them another `name=`."
                )
        self.built = True
        if not trainable:
            self.trainable = False

    def __getstate__(self):
        # Nodes in running order come first, so that a copy of a tower does not walk down all of it by recursion.
        return {"_nodes": self._nodes} | super().__getstate__()

    @property
    def layers(self):
        return list(self._ordered)

    @property
    def input(self):
        return self.inputs[0] if len(self.inputs) == 1 else list(self.inputs)

    @property
    def output(self):
        return self.outputs[0] if self._single_output else list(self.outputs)

    @property
    def input_shape(self):
        shapes = [tensor.shape for tensor in self.inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self):
        shapes = [tensor.shape for tensor in self.outputs]
        return shapes[0] if self._single_output else shapes

    @property
    def output_names(self):
        """Names of the layers that give the outputs."""
        return [tensor.node.layer.name for tensor in self.outputs]

    def check_input(self, shape, index=0):
        expected = (None, *self.inputs[index].shape[1:])
        fits = len(shape) == len(expected) and all(
            e in (None, n) or n is None for e, n in zip(expected, shape, strict=True)
        )
        if not fits:
            raise ValueError(
                f'Input {index} of layer "{self.name}" is incompatible with the layer: '
                f"expected shape={expected}, found shape={tuple(shape)}"
            )

    def output_shapes(self, input_shapes):
        known = {id(tensor): shape for tensor, shape in zip(self.inputs, input_shapes, strict=True)}
        for node in self._nodes:
            taken = [known[id(t)] for t in node.inputs]
            for index, shape in enumerate(taken):
                node.layer.check_input(shape, index)
            shapes = node.layer.output_shapes(taken)
            known.update({id(t): shape for t, shape in zip(node.outputs, shapes, strict=True)})
        return [known[id(t)] for t in self.outputs]

    def compute_output_shape(self, input_shape):
        shapes = self.output_shapes([input_shape])
        return shapes[0] if len(shapes) == 1 else shapes

    def lower(self, plan, *inputs):
        known = {id(tensor): operand for tensor, operand in zip(self.inputs, inputs, strict=True)}
        for node in self._nodes:
            inputs = [known[id(t)] for t in node.inputs]
            outputs = node.layer.lower_into(plan, inputs)
            if isinstance(node.layer, Model):
                _check_unchanged(node, inputs, outputs)
            known.update({id(t): operand for t, operand in zip(node.outputs, outputs, strict=True)})
        return [known[id(t)] for t in self.outputs]

    def get_config(self):
        raise ValueError(
            f"The configuration of a functional model is not supported yet. Received: model {self.name!r}. "
            f"Use a Sequential model, or make the model by the same code again and load its weights."
        )


def _check_unchanged(node, inputs, outputs):
    """Raises if a model inside was changed so that it gives other shapes than when the model around it was made."""
    if any(x.shape != t.shape[1:] for x, t in zip(inputs, node.inputs, strict=True)):
        return  # other shapes came in, so others may come out
    before, now = [t.shape[1:] for t in node.outputs], [y.shape for y in outputs]
    fits = len(before) == len(now) and all(
        len(a) == len(b) and all(m in (None, n) for m, n in zip(a, b, strict=True))
        for a, b in zip(before, now, strict=True)
    )
    if not fits:
        raise ValueError(
            f"A model inside another must keep the shape of its output. Received: {node.layer.name!r} gives samples of "
            f"shape {now} and gave {before} when the model around it was made. Make that model again."
        )


def _tensors(structure, what):
    """Symbolic tensors given alone or in a list, as a list."""
    tensors = list(structure) if isinstance(structure, list | tuple) else [structure]
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            kind = type(tensor).__name__
            hint = " Call the layer on a tensor first." if isinstance(tensor, Layer) else ""
            raise ValueError(f"`{what}` of a model must be symbolic tensors, made by `Input`. Received: {kind}.{hint}")
    if not tensors:
        raise ValueError(f"`{what}` of a model must hold at least one tensor. Received: {structure!r}")
    return tensors

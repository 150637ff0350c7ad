"""A stack of layers: sugar over a graph."""

from dseq.layers.building import all_or_nothing, family, name_scope, new_version
from dseq.layers.core.input_layer import InputLayer
from dseq.layers.layer import Layer
from dseq.models import configuration
from dseq.models.functional import Functional
from dseq.models.model import Model
from dseq.program.tensor import Tensor, lasting


class Sequential(Model):
    """A model in which each layer takes what the one before gives.

    The graph is built as soon as the shape of the input is known: from an `Input` as first layer, from
    `input_shape=` of the first layer, by `build(shape)`, or when the model first sees data.

    Args:
        layers: List of layers; the first may be `dseq.Input(shape)`.
        trainable: Whether training changes the weights.
        name: Name of the model.

    Example:
        >>> model = dseq.Sequential([dseq.Input((784,)), dseq.layers.Dense(10, activation="softmax")])
        >>> model.count_params()
        7850
    """

    def __init__(self, layers=None, trainable=True, name=None):
        super().__init__(trainable=trainable, name=name)
        self._functional = None
        self._stack = []
        given = [layer for layer in layers or [] if isinstance(layer, Layer)]
        with all_or_nothing([self, *given]):
            for layer in layers or []:
                self._append(layer)
            self._maybe_rebuild()

    def add(self, layer, rebuild=True) -> None:
        """Adds a layer on top.

        Args:
            layer: A layer, a model, or `dseq.Input(shape)` as the first.
            rebuild: Whether to build the graph now if it can be.

        Raises:
            ValueError: If it is not a layer, its name is taken, or it does not fit; nothing is changed then.
        """
        with all_or_nothing([self, layer] if isinstance(layer, Layer) else [self]):
            self._append(layer)
            if rebuild:
                self._maybe_rebuild()

    def _append(self, layer):
        if isinstance(layer, Tensor):
            layer = layer.node.layer
        if not isinstance(layer, Layer):
            raise ValueError(
                f"Only layers can be added to a Sequential model. Received: {layer!r} (of type {type(layer).__name__})"
            )
        if any(inside is self for inside in family([layer])):
            raise ValueError(f"A model cannot be a layer of itself. Received: {layer!r}, added to {self.name!r}.")
        if any(layer.name == other.name and layer is not other for other in self._stack):
            raise ValueError(
                f"All layers added to a Sequential model should have unique names. Name {layer.name!r} is already the "
                f"name of a layer in this model. Update the `name` argument to pass a unique name."
            )
        if isinstance(layer, InputLayer):
            if self._stack and isinstance(self._stack[0], InputLayer):
                raise ValueError(
                    f"Sequential model {self.name!r} has already been configured to use input shape "
                    f"{self._stack[0].batch_shape}. You cannot add a different Input layer to it."
                )
            if self._stack:
                raise ValueError(f"An Input must be the first layer of a Sequential model. Received: {layer!r}")
        elif not self._stack:
            shape, dtype = layer.first_input_shape, None
            if shape is None and isinstance(layer, Model) and layer.built:
                shape, dtype = layer.inputs[0].shape[1:], layer.inputs[0].dtype
            if shape is not None:
                self._stack.append(InputLayer(shape=shape, dtype=dtype))
        self._stack.append(layer)

    def pop(self, rebuild=True):
        """Removes the layer on top.

        Args:
            rebuild: Whether to build the graph anew.

        Returns:
            The layer.

        Raises:
            IndexError: If the model has no layers.
        """
        if not self.layers:
            raise IndexError(f"There are no layers to pop in model {self.name!r}.")
        layer = self._stack.pop()
        below = self._functional and next(n for n in layer._inbound_nodes if n.outputs[0] is self.outputs[0]).inputs[0]
        self._set_graph(None)
        if rebuild and below is not None and self.layers:
            self._set_graph(Functional(self._stack[0].output, below, name=self.name))
        return layer

    def _maybe_rebuild(self):
        """Makes the graph if the input's shape is known; a graph that is there grows by the new layer only."""
        if len(self._stack) < 2 or not isinstance(self._stack[0], InputLayer):
            return
        grown = 0 if self._functional is None else len(self._functional.layers)
        x = self._stack[0].output if self._functional is None else self.outputs[0]
        with name_scope(self.name), lasting():
            for layer in self._stack[max(grown, 1) :]:
                x = layer(x)
        self._set_graph(Functional(self._stack[0].output, x, name=self.name))

    def _set_graph(self, functional):
        self._functional, self.built, self._version = functional, functional is not None, new_version()
        self._forget_steps()

    def build(self, input_shape=None) -> None:
        """Makes the weights.

        Args:
            input_shape: Full shape of the input, the batch axis first; taken from the first layer if None.

        Raises:
            ValueError: If the model has no layers, or no shape is known.
        """
        if not self.layers:
            raise ValueError(
                f"Sequential model {self.name!r} cannot be built because it has no layers. Call `model.add(layer)`."
            )
        if isinstance(self._stack[0], InputLayer):
            self._maybe_rebuild()
            if input_shape is not None:
                self.native_shapes([tuple(input_shape)])
            return
        if input_shape is None:
            raise ValueError(f"You must provide an `input_shape` argument to build model {self.name!r}.")
        with all_or_nothing([self]), lasting():  # if the shape does not fit, it may still be built on another
            self._stack.insert(0, InputLayer(batch_shape=tuple(input_shape)))
            self._maybe_rebuild()

    # What the graph knows.

    @property
    def layers(self):
        """The layers without the input."""
        return [layer for layer in self._stack if not isinstance(layer, InputLayer)]

    def _built_graph(self, what):
        if self._functional is None:
            raise AttributeError(
                f"Sequential model {self.name!r} has no defined {what} yet. Build it by calling it on data, by "
                f"`build(input_shape)`, or with an `Input` as first layer."
            )
        return self._functional

    @property
    def inputs(self):
        return self._built_graph("inputs").inputs

    @property
    def outputs(self):
        return self._built_graph("outputs").outputs

    @property
    def input(self):
        return self._built_graph("input").input

    @property
    def output(self):
        return self._built_graph("output").output

    @property
    def input_shape(self):
        return self._built_graph("input shape").input_shape

    @property
    def output_shape(self):
        return self._built_graph("output shape").output_shape

    @property
    def output_names(self):
        return self._built_graph("output names").output_names

    @property
    def weights(self):
        """All weights.

        Raises:
            ValueError: If they don't exist yet.
        """
        if not self.built and self.layers and not any(layer.built for layer in self.layers):
            raise ValueError(
                f"Weights for model {self.name!r} have not yet been created. Weights are created when the model is "
                f"first called on inputs or `build()` is called with an `input_shape`."
            )
        return self.variables

    def _children(self):
        return [("layers", self.layers)]

    def _record(self, arguments):
        if len(arguments.data) != 1:
            raise ValueError(f"Sequential model {self.name!r} takes one input. Received: {len(arguments.data)} inputs")
        return super()._record(arguments)

    def _build_for(self, arguments, shapes):
        if not self.built:
            self.build(tuple(shapes[0]))

    def flatten_inputs(self, data):
        if self._functional is not None:
            return self._functional.flatten_inputs(data)
        return super().flatten_inputs(data)

    def pack_outputs(self, arrays):
        return self._built_graph("outputs").pack_outputs(arrays)

    def output_structure(self, operands=None, arguments=None, training=False, count=1):
        return self._built_graph("outputs").output_structure()

    def output_kinds(self, count):
        return self._built_graph("outputs").output_kinds(count)

    def check_input(self, shape, index=0):
        """Nothing of its own: `output_shapes` raises in the name of the first layer that cannot take the shape."""

    def compute_output_shape(self, input_shape):
        return self._built_graph("output shape").compute_output_shape(input_shape)

    def native_shapes(self, input_shapes):
        return self._built_graph("output shape")._graph.output_shapes(input_shapes)

    def lower(self, plan, *inputs):
        return self._built_graph("layers").lower(plan, *inputs)

    # Configuration.

    def get_config(self):
        return configuration.sequential_config(self)

    def get_build_config(self):
        return {"input_shape": list(self._stack[0].batch_shape)} if self._functional is not None else None

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The model that a configuration describes, with fresh weights."""
        return configuration.sequential_from_config(cls, config, custom_objects)

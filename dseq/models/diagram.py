"""A model as boxes and arrows, whatever draws them: DOT, SVG or plain text."""


class Box:
    """One layer or operation in a picture.

    Args:
        number: Its number, by which arrows know it.
        title: What it is called: `dense (Dense)`.
        facts: List of (label, text) to show below the title.
        trainable: Whether training changes its weights; None if that is not shown.
        groups: Numbers of the models inside the model that it is part of, the outermost first.
    """

    def __init__(self, number, title, facts, trainable, groups):
        self.number, self.title, self.facts = number, title, facts
        self.trainable, self.groups = trainable, groups

    @property
    def lines(self) -> list:
        """Title and facts as lines of text."""
        found = [self.title, *(f"{label}: {text}" for label, text in self.facts)]
        return found if self.trainable is None else [*found, "Trainable" if self.trainable else "Non-trainable"]


class Diagram:
    """The boxes and arrows of a model.

    Args:
        model: A built model.
        show_shapes: Whether boxes show shapes.
        show_dtype: Whether they show the type of the output.
        show_layer_names: Whether they show the layer's name besides its class.
        expand_nested: Whether to show the layers of models inside.
        show_layer_activations: Whether they show the activation of layers that have one.
        show_trainable: Whether they show if layers are trainable.

    Attributes:
        boxes: List of `Box`.
        arrows: List of pairs of their numbers.
        groups: List of (name, number of the group around it or None) of the models inside.

    Raises:
        ValueError: If the model is not built.
    """

    def __init__(
        self,
        model,
        show_shapes=False,
        show_dtype=False,
        show_layer_names=True,
        expand_nested=False,
        show_layer_activations=False,
        show_trainable=False,
    ):
        if not model.built:
            raise ValueError(
                f"This model has not yet been built. Build it first by calling `build()` or by calling the model on a "
                f"batch of data. Received: model {model.name!r}"
            )
        self.name = model.name
        self._show = show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable
        self._expand = expand_nested
        self.boxes, self.groups, self._numbers, self._arrows = [], [], {}, {}
        if is_graph(model) or is_stack(model):
            self._add_model(model, ())
        else:  # what a class of the user's own does inside is no graph
            self._add_box(model, ())

    @property
    def arrows(self) -> list:
        return list(self._arrows)

    def _add_model(self, model, groups):
        members = model.layers if is_stack(model) else members_of(model)
        for member in members:
            if self._is_expanded(member):
                self.groups.append((member.name, groups[-1] if groups else None))
                self._add_model(member, (*groups, len(self.groups) - 1))
            else:
                self._add_box(member, groups)
        if is_stack(model):
            for above, below in zip(members, members[1:], strict=False):
                self._add_arrow(self._source(above, 0), self._target(below, 0))
            return
        starts = starts_of(model)
        for node in model._nodes:
            for i, tensor in enumerate(node.inputs):
                layer, index = starts.get(id(tensor)) or (tensor.node.layer, tensor.index)
                self._add_arrow(self._source(layer, index), self._target(node.layer, i))

    def _is_expanded(self, layer):
        return self._expand and (is_graph(layer) or (is_stack(layer) and bool(layer.layers)))

    def _add_box(self, layer, groups):
        if id(layer) in self._numbers:  # a layer that stands in two models is drawn once
            return
        shapes, dtype, names, activations, trainable = self._show
        kind, facts, trained = type(layer).__name__, [], None
        if activations and getattr(layer, "activation", None) is not None:
            facts.append(("Activation", activation_name(layer.activation)))
        if shapes:
            if kind != "InputLayer":
                facts.append(("Input shape", _shown(layer, "inputs", "shape")))
            facts.append(("Output shape", _shown(layer, "outputs", "shape")))
        if dtype:
            facts.append(("Output dtype", _shown(layer, "outputs", "dtype")))
        if trainable and getattr(layer, "weights", None):
            trained = bool(layer.trainable)
        number = self._numbers[id(layer)] = len(self.boxes)
        self.boxes.append(Box(number, f"{layer.name} ({kind})" if names else kind, facts, trained, groups))

    def _add_arrow(self, source, target):
        self._arrows[self._numbers[id(source)], self._numbers[id(target)]] = None

    def _source(self, layer, index):
        """The layer that makes an output, for a model that is drawn open one inside it."""
        while self._is_expanded(layer):
            if is_stack(layer):
                layer, index = layer.layers[-1], 0
            else:
                tensor = layer.outputs[index]
                layer, index = starts_of(layer).get(id(tensor)) or (tensor.node.layer, tensor.index)
        return layer

    def _target(self, layer, index):
        """The layer that takes an input."""
        while self._is_expanded(layer):
            if is_stack(layer):
                layer, index = layer.layers[0], 0
            else:
                layer, index = start_layers(layer)[index], 0
        return layer


# What pictures and tables ask of models.


def is_graph(layer) -> bool:
    """Whether it is a model of symbolic tensors, whose calls are known."""
    return hasattr(layer, "_nodes") and not is_stack(layer)


def is_stack(layer) -> bool:
    """Whether it is a Sequential model."""
    return hasattr(layer, "_stack")


def members_of(model) -> list:
    """The layers and operations of a graph, in Keras' order."""
    return list(getattr(model, "operations", None) or model._ordered)


def start_layers(model) -> list:
    """The input layers of a graph, one for each input."""
    members = {id(layer): layer for layer in members_of(model)}
    known = getattr(model, "_input_layers", None)
    if known is not None:
        return list(known)
    return [members.get(id(tensor.node.layer), tensor.node.layer) for tensor in model.inputs]


def starts_of(model) -> dict:
    """`{id of an input tensor: (input layer, 0)}`; a graph may begin where another model's layer gave a tensor."""
    return {id(t): (layer, 0) for t, layer in zip(model.inputs, start_layers(model), strict=True)}


def activation_name(activation) -> str:
    """The name of an activation, with its options if they are not the usual ones."""
    if hasattr(activation, "keras_config"):
        written = activation.keras_config()
        if isinstance(written, dict):
            return repr(activation).removeprefix("<Activation ").removesuffix(">")
        return written
    return getattr(activation, "name", None) or getattr(activation, "__name__", type(activation).__name__)


def _shown(layer, which, attribute):
    """Shapes or types at the first call of a layer, in the form in which they were given."""
    nodes = layer._inbound_nodes
    if not nodes:
        return "?"
    tensors = getattr(nodes[0], which)
    values = [str(getattr(tensor, attribute)) for tensor in tensors]
    if len(values) == 1:
        return values[0]
    return "[" + ", ".join(values) + "]" if values else "?"

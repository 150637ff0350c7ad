"""What a layer holds: its weights, and the layers inside it."""

from itertools import chain
from math import prod

import numpy as np

from dseq import constraints, initializers, regularizers
from dseq.layers.building import new_version, weight_path
from dseq.layers.tracking import TrackedDict, TrackedList, tracked
from dseq.program.tensor import is_tracing
from dseq.program.variable import Variable

# Attributes that training and building set, on which what a layer computes does not depend.
FRAMEWORK = {
    "built",
    "first_input_shape",
    "history",
    "jit_compile",
    "name",
    "run_eagerly",
    "steps_per_execution",
    "stop_training",
    "trainable",
}


# What the classes here keep for themselves: constructor's arguments, nodes, variables, steps.
UNTRACKED = {
    "_arguments",
    "_axes",
    "_call_arguments",
    "_data_samples",
    "_data_structure",
    "_given",
    "_inbound_nodes",
    "_input_structure",
    "_losses",
    "_met",
    "_non_trainable_variables",
    "_output_structure",
    "_sessions",
    "_specs",
    "_stack",
    "_stand_ins",
    "_traces",
    "_trainable_variables",
}


class WeightHolder:
    """The part of a layer that keeps weights and layers; both are found in its attributes."""

    def __init__(self, trainable, **kwargs):
        super().__init__(**kwargs)
        self._trainable = bool(trainable)
        self._trainable_variables = []
        self._non_trainable_variables = []
        self._met = []  # layers inside, in the order in which they came
        self._version = new_version()

    def __setattr__(self, name, value):
        if name not in UNTRACKED:
            if "_met" in vars(self):
                value = self._meet(value)
            elif isinstance(value, WeightHolder | Variable):
                raise RuntimeError(
                    f"In layer {type(self).__name__!r}, you forgot to call `super().__init__()` as the first statement "
                    f"in the `__init__()` method. Received: attribute {name!r}. Add the call."
                )
        super().__setattr__(name, value)
        # `call` or `lower` may have read the attribute, and what they wrote down holds what it was then.
        counts = not name.startswith("_") and name not in FRAMEWORK
        if counts and vars(self).get("built") and not is_tracing():
            self._version = new_version()

    # Weights.

    def add_weight(
        self,
        shape=None,
        initializer=None,
        dtype=None,
        trainable=True,
        autocast=True,
        regularizer=None,
        constraint=None,
        aggregation="none",
        name=None,
        **kwargs,
    ):
        """Makes a weight of this layer.

        Args:
            shape: Its shape, `()` if None.
            initializer: Name, object or callable `(shape, dtype)`; glorot_uniform for None.
            dtype: Its type, the layer's if None.
            trainable: Whether training changes it while the layer is trainable.
            autocast: Accepted as in Keras.
            regularizer: Name or object whose value is added to the loss while the weight is trained, or None.
            constraint: Name or object that is applied after each update, or None.
            aggregation: Accepted as in Keras; all ranks hold the same values.
            name: Its short name.
            **kwargs: Nothing else.

        Returns:
            The `Variable`.
        """
        if kwargs:
            raise ValueError(f"Unrecognized keyword arguments passed to add_weight: {sorted(kwargs)}")
        shape = () if shape is None else (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
        name = name or "variable"
        values = initializers.get(initializer or "glorot_uniform")(shape, dtype=dtype or self.dtype)
        path = weight_path(self, name)
        variable = Variable(values, dtype or self.dtype, name, path, trainable and self.trainable)
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints.get(constraint)
        (self._trainable_variables if trainable else self._non_trainable_variables).append(variable)
        return variable

    @property
    def _own_variables(self):
        own = vars(self)
        return [*own.get("_trainable_variables", ()), *own.get("_non_trainable_variables", ())]

    # Layers inside.

    def _children(self) -> list:
        """`(attribute, layer or nested list of layers)` for what is inside; weights files name groups by attributes."""
        found = []
        for name, value in vars(self).items():
            if name not in UNTRACKED:
                inner = _holders(value)
                if inner is not None:
                    found.append((name, inner))
        return found

    def _sublayers(self) -> list:
        """The layers directly inside, each once, in the order in which they came."""
        found = {id(layer): layer for _, child in self._children() for layer in _flat(child)}
        order = {id(layer): index for index, layer in enumerate(self._met)}
        return sorted(found.values(), key=lambda layer: order.get(id(layer), -1))

    def _meet(self, value):
        """Notes the layers and variables in a value that is kept; returns it with its lists and dicts tracked."""
        if isinstance(value, WeightHolder):
            if not any(value is layer for layer in self._met):
                self._met.append(value)
        elif isinstance(value, Variable):  # one that a user makes and keeps is a weight like those of `add_weight`
            if not any(value is v for v in self._own_variables):
                (self._trainable_variables if value.trainable else self._non_trainable_variables).append(value)
        elif type(value) is tuple:
            parts = [self._meet(part) for part in value]
            return tuple(parts) if any(a is not b for a, b in zip(parts, value, strict=True)) else value
        elif type(value) in (list, dict) and (not value or _holds_any(value)):
            parts = {k: self._meet(v) for k, v in value.items()} if type(value) is dict else [*map(self._meet, value)]
            return tracked(parts, self)
        return value

    @property
    def graph_version(self) -> int:
        """A number that grows whenever the layers inside become others: what was lowered before is then stale."""
        return self.graph_state[0]

    @property
    def graph_state(self) -> tuple:
        """`graph_version`, and which layers are frozen: on both depends what is lowered."""
        inside = [layer.graph_state for layer in self._sublayers()]
        versions, flags = zip((self._version, (self._trainable,)), *inside, strict=True)
        return max(versions), tuple(chain.from_iterable(flags))

    @property
    def variables(self) -> list:
        """All weights, this layer's own first; a shared one once."""
        return _each_once(self._own_variables, (layer.variables for layer in self._sublayers()))

    @property
    def weights(self) -> list:
        """All weights, this layer's own first."""
        return self.variables

    @property
    def trainable_variables(self) -> list:
        """Weights that training changes; none if the layer is frozen."""
        if not self.trainable:
            return []
        own = [v for v in self._trainable_variables if v.trainable]
        return _each_once(own, (layer.trainable_variables for layer in self._sublayers()))

    @property
    def non_trainable_variables(self) -> list:
        """Weights that training leaves alone; all of them if the layer is frozen."""
        trainable = {id(v) for v in self.trainable_variables}
        return [v for v in self.variables if id(v) not in trainable]

    @property
    def trainable_weights(self) -> list:
        return self.trainable_variables

    @property
    def non_trainable_weights(self) -> list:
        return self.non_trainable_variables

    @property
    def trainable(self) -> bool:
        """Whether training changes this layer's weights. Setting it reaches every layer inside.

        A compiled model keeps what it was compiled with: call `compile` again after a change.
        """
        return self._trainable

    @trainable.setter
    def trainable(self, value):
        self._trainable = bool(value)
        for variable in self._trainable_variables:
            variable.trainable = self._trainable
        for layer in self._sublayers():
            layer.trainable = value

    def get_weights(self) -> list:
        """Copies of all weights as a list of NumPy arrays, in the order of `weights`."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights) -> None:
        """Sets all weights from a list of arrays in the order of `weights`.

        Raises:
            ValueError: If their number or a shape differs; nothing is changed then.
        """
        variables = self.weights
        if len(variables) != len(weights):
            raise ValueError(
                f"`weights` must have one array for each weight of {self.name!r}, {len(variables)} in all. "
                f"Received: {len(weights)} arrays."
            )
        for variable, value in zip(variables, weights, strict=True):
            if tuple(np.shape(value)) != variable.shape:
                raise ValueError(
                    f"Weight {variable.path!r} has shape {variable.shape}. "
                    f"Received: an array of shape {np.shape(value)}."
                )
        for variable, value in zip(variables, weights, strict=True):
            variable.assign(value)

    def count_params(self) -> int:
        """The number of numbers in all weights.

        Raises:
            ValueError: If the layer is not built.
        """
        if not self.built:
            raise ValueError(
                f"You tried to call `count_params` on layer {self.name!r}, but the layer isn't built. "
                f"You can build it manually via: `layer.build(input_shape)`."
            )
        return sum(prod(v.shape) for v in self.weights)


def _holders(value):
    """A layer, or the layers in a list, tuple or dict as nested lists; None if there are none."""
    if isinstance(value, WeightHolder):
        return value
    if type(value) not in (list, tuple, dict, TrackedList, TrackedDict):
        return None
    found = [_holders(part) for part in (value.values() if isinstance(value, dict) else value)]
    return [part for part in found if part is not None] or None


def _holds_any(value):
    if isinstance(value, list | tuple | dict):
        return any(map(_holds_any, value.values() if isinstance(value, dict) else value))
    return isinstance(value, WeightHolder | Variable)


def _flat(child):
    return [layer for part in child for layer in _flat(part)] if isinstance(child, list) else [child]


def _each_once(own, parts):
    found = {id(v): v for v in own}
    for part in parts:
        for variable in part:
            found.setdefault(id(variable), variable)
    return list(found.values())

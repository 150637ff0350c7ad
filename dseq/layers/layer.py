"""The base of every layer: names, weights, shapes, and how a layer is called."""

import inspect
import threading
import warnings
from math import prod

import numpy as np

from dseq import initializers
from dseq.layers.building import build_once, misfit, new_version, scope
from dseq.layers.plain import plain
from dseq.program import naming, seeds
from dseq.program.floatx import standardize
from dseq.program.plan import Plan
from dseq.program.step import Step
from dseq.program.tensor import Node, Tensor
from dseq.program.variable import Variable


class Layer:
    """A layer knows its weights and shapes, and writes itself into a plan.

    A layer that owns kernels implements `build`, `compute_output_shape` and `lower`.

    Args:
        name: Name, unique in a model; made from the class' name if None.
        trainable: Whether training changes its weights.
        dtype: Float type of its weights, `dseq.config.floatx()` if None.
        activity_regularizer: Must be None.
        autocast: Accepted as in Keras; data is always cast.
        input_shape: Shape of one sample, for the first layer of a `Sequential`; prefer `dseq.Input`.
        input_dim: The same for vectors, an integer.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            cls.build = build_once(cls.build)

    takes_any_type = False  # True: `lower` gets inputs of the type they were declared with, not cast to floats

    def __new__(cls, *args, **kwargs):
        # The constructor's arguments are kept, so that `get_config` is written once, here.
        layer = super().__new__(cls)
        bound = inspect.signature(cls.__init__).bind_partial(layer, *args, **kwargs)
        layer._arguments = [p for p in bound.signature.parameters if p not in ("self", "args", "kwargs")]
        return layer

    def __init__(
        self,
        *,
        name=None,
        trainable=True,
        dtype=None,
        activity_regularizer=None,
        autocast=True,
        input_shape=None,
        input_dim=None,
        **kwargs,
    ):
        kind = type(self).__name__
        if kwargs:
            raise ValueError(f"Unrecognized keyword arguments passed to {kind}: {kwargs}")
        if name is not None and not isinstance(name, str):
            raise ValueError(f"`name` of {kind} must be a string. Received: name={name!r}")
        if name is not None and "/" in name:
            raise ValueError(f"`name` of {kind} cannot contain the character `/`. Received: name={name!r}")
        if activity_regularizer is not None:
            raise ValueError(f"`activity_regularizer` of {kind} must be None. Received: {activity_regularizer!r}")
        if input_shape is not None or input_dim is not None:
            warnings.warn(
                f"Do not pass an `input_shape`/`input_dim` argument to a layer. When using Sequential models, prefer "
                f"using an `Input(shape)` object as the first layer in the model instead. Received it in {kind}.",
                stacklevel=3,
            )
            if input_shape is None:
                input_shape = (input_dim,)
            elif not isinstance(input_shape, tuple | list):
                input_shape = (input_shape,)
        self._auto_named = name is None
        self.name = name or naming.auto_name(naming.snake_case(kind))
        self.dtype = standardize(dtype)
        self.autocast = autocast
        self.built = False
        self.first_input_shape = None if input_shape is None else tuple(input_shape)
        self._trainable = bool(trainable)
        self._trainable_variables = []
        self._non_trainable_variables = []
        self._inbound_nodes = []
        self._axes = {}
        self._version = new_version()
        self.__setstate__({})

    # Copies: `copy.deepcopy` and `pickle` take what the layer is, not what is bound to its memory.

    def __getstate__(self):
        return {k: v for k, v in vars(self).items() if k not in ("_lock", "_eager_steps")}

    def __setstate__(self, state):
        vars(self).update(state)
        self._lock = threading.RLock()
        self._eager_steps = {}

    # Weights.

    def add_weight(self, shape=None, initializer=None, dtype=None, trainable=True, name=None, **kwargs):
        """Makes a weight of this layer.

        Args:
            shape: Its shape, `()` if None.
            initializer: Name, object or callable `(shape, dtype)`; glorot_uniform for None.
            dtype: Its type, the layer's if None.
            trainable: Whether training changes it while the layer is trainable.
            name: Its short name.
            **kwargs: `autocast`, `aggregation`, accepted as in Keras; `regularizer` and `constraint` must be None.

        Returns:
            The `Variable`.
        """
        for option in ("regularizer", "constraint"):
            if kwargs.pop(option, None) is not None:
                raise ValueError(f"`{option}` of a weight must be None. Layer {self.name!r}, weight {name!r}.")
        unknown = set(kwargs) - {"autocast", "aggregation"}
        if unknown:
            raise ValueError(f"Unrecognized keyword arguments passed to add_weight: {sorted(unknown)}")
        shape = tuple(shape or ())
        name = name or "variable"
        values = initializers.get(initializer or "glorot_uniform")(shape, dtype=dtype or self.dtype)
        path = "/".join([*scope(), self.name, name])
        variable = Variable(values, dtype or self.dtype, name, path, trainable and self.trainable)
        (self._trainable_variables if trainable else self._non_trainable_variables).append(variable)
        return variable

    def _sublayers(self):
        """`(attribute, layer)` for each layer inside this one; weights files use the attributes as group names."""
        return []

    @property
    def graph_version(self) -> int:
        """A number that grows whenever the layers inside become others: what was lowered before is then stale."""
        return max([self._version, *(layer.graph_version for _, layer in self._sublayers())])

    @property
    def variables(self) -> list:
        """All weights, this layer's own first."""
        own = self._trainable_variables + self._non_trainable_variables
        return own + [v for _, layer in self._sublayers() for v in layer.variables]

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
        return own + [v for _, layer in self._sublayers() for v in layer.trainable_variables]

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
        for _, layer in self._sublayers():
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

    # Shapes.

    def build(self, input_shape) -> None:
        """Makes the weights for inputs of this shape (batch axis first); a second call makes no others."""
        self.built = True

    def compute_output_shape(self, input_shape) -> tuple:
        """The shape the layer gives for `input_shape`, both with the batch axis."""
        return tuple(input_shape)

    def require(self, ndim=None, min_ndim=None, axes=None) -> None:
        """Says what inputs must look like; `check_input` then names the layer when they don't.

        Args:
            ndim: Exact number of axes with the batch axis.
            min_ndim: Least number of axes.
            axes: `{axis: size}`.
        """
        self._axes = {"ndim": ndim, "min_ndim": min_ndim, "axes": axes or {}}

    def check_input(self, shape, index=0) -> None:
        """Raises if an input of this full shape does not fit the layer."""
        problem = misfit(self._axes, tuple(shape))
        if problem:
            raise ValueError(f'Input {index} of layer "{self.name}" is incompatible with the layer: {problem}')

    # Calling.

    def __call__(self, *inputs, training=None, mask=None):
        """Applies the layer.

        Args:
            *inputs: Symbolic tensors, then the result is symbolic; or arrays with the batch axis first, then the
                layer is built if need be and computes.
            training: Whether layers behave as in training; False if None.
            mask: Must be None.

        Returns:
            A symbolic tensor, or a NumPy array.
        """
        if mask is not None:
            raise ValueError(f"`mask` of {self.name!r} must be None. Received: mask={mask!r}")
        flat = [t for x in inputs for t in (x if isinstance(x, list | tuple) and _holds_tensors(x) else [x])]
        if any(isinstance(x, Tensor) for x in flat):
            return self._record(flat)
        return self._compute([np.asarray(x) for x in flat], bool(training))

    def _record(self, tensors):
        wrong = [x for x in tensors if not isinstance(x, Tensor)]
        if wrong:
            raise ValueError(
                f"Layer {self.name!r} was called on symbolic tensors and arrays at once. Received: {tensors}"
            )
        self._build_once([t.shape for t in tensors])
        shapes = self.output_shapes([t.shape for t in tensors])
        outputs = [Tensor(shape, self.dtype) for shape in shapes]
        Node(self, tensors, outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def output_shapes(self, input_shapes) -> list:
        """Full shapes of all outputs for the full shapes of all inputs."""
        return [self.compute_output_shape(*input_shapes)]

    def _build_once(self, shapes):
        if not self.built:
            self.build(*shapes)
            self.built = True
        for index, shape in enumerate(shapes):
            self.check_input(shape, index)

    def _compute(self, arrays, training):
        for x in arrays:
            if x.ndim == 0:
                raise ValueError(f"Layer {self.name!r} takes arrays with a batch axis. Received: a number, {x}")
        with self._lock:
            return self._run(arrays, training)

    def _run(self, arrays, training):
        self._build_once([x.shape for x in arrays])
        if len({len(x) for x in arrays}) > 1:
            lengths = [len(x) for x in arrays]
            raise ValueError(f"All inputs of {self.name!r} must have the same number of samples. Received: {lengths}")
        key = self.graph_version, training, tuple(x.shape[1:] for x in arrays)
        if key not in self._eager_steps:
            self.output_shapes([x.shape for x in arrays])  # each layer inside checks what it gets
            plan = Plan(training, self.dtype)
            operands = [plan.input(f"x{i}", x.shape[1:]) for i, x in enumerate(arrays)]
            outputs = self.lower_into(plan, operands)
            self._eager_steps[key] = Step(plan), outputs
        step, outputs = self._eager_steps[key]
        step.bind(len(arrays[0]))
        for i, x in enumerate(arrays):
            step.input(f"x{i}")[...] = x
        if training:
            step.clock[0] = seeds.next_seed()  # every call draws anew
        step.compute()
        results = [step.array(y).copy() for y in outputs]
        return results[0] if len(results) == 1 else results

    def lower_into(self, plan, operands) -> list:
        """Writes the layer into a plan under its own name; returns the operands of its outputs."""
        for index, operand in enumerate(operands):
            self.check_input((None, *operand.shape), index)
        if not self.takes_any_type:
            operands = [plan.floats(x) for x in operands]
        before = plan.enter(self.name, self._trainable_variables + self._non_trainable_variables, operands)
        outputs = self.lower(plan, *operands)
        plan.leave(before)
        return outputs if isinstance(outputs, list) else [outputs]

    def lower(self, plan, *inputs):
        """Appends this layer's kernels to a plan.

        Args:
            plan: The `Plan`.
            *inputs: Operands, whose shapes have no batch axis.

        Returns:
            The operand of the output, or a list of them.
        """
        raise TypeError(f"Layer {type(self).__name__} must implement `lower(self, plan, x)`.")

    # The graph around the layer.

    def _node(self, what):
        if not self._inbound_nodes:
            raise AttributeError(
                f"Layer {self.name!r} has no defined {what}: it was never called on a symbolic tensor."
            )
        return self._inbound_nodes[0]

    @property
    def input(self):
        """The symbolic tensor (or list) of the layer's first call."""
        tensors = self._node("input").inputs
        return tensors[0] if len(tensors) == 1 else tensors

    @property
    def output(self):
        """The symbolic tensor (or list) its first call gave."""
        tensors = self._node("output").outputs
        return tensors[0] if len(tensors) == 1 else tensors

    # Configuration.

    def get_config(self) -> dict:
        """The constructor's arguments as plain data, from which `from_config` makes an equal layer."""
        config = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype}
        for argument in self._arguments:
            if hasattr(self, argument):
                config[argument] = plain(getattr(self, argument))
        return config

    @classmethod
    def from_config(cls, config):
        """A layer with this configuration; its weights are fresh."""
        return cls(**config)

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _holds_tensors(values):
    return any(isinstance(x, Tensor | np.ndarray) for x in values)

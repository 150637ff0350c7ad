"""The base of every layer: names, shapes, and how a layer is called and written into a plan."""

import inspect
import threading
import warnings

import numpy as np

from dseq import regularizers
from dseq.layers.building import build_once, misfit
from dseq.layers.calling import Calling, arguments_of
from dseq.layers.configured import Configured
from dseq.layers.eager import Eager
from dseq.layers.tracing import current
from dseq.program import naming
from dseq.program.floatx import standardize
from dseq.program.graph import Arguments
from dseq.program.recent import Recent
from dseq.program.structure import flatten, pack
from dseq.program.tensor import Tensor


class Layer(Configured, Calling):
    """A layer knows its weights and shapes, and writes itself into a plan.

    A layer made of other layers and of `dseq.ops` implements `call`, as in Keras; one that owns kernels implements
    `compute_output_shape` and `lower`. Both make their weights in `build`.

    Args:
        name: Name, unique in a model; made from the class' name if None.
        trainable: Whether training changes its weights.
        dtype: Float type of its weights, `dseq.config.floatx()` if None.
        activity_regularizer: Name or object whose value for each output, divided by the number of samples, is added
            to the loss; None for nothing.
        autocast: Accepted as in Keras; data is always cast.
        input_shape: Shape of one sample, for the first layer of a `Sequential`; prefer `dseq.Input`.
        input_dim: The same for vectors, an integer.

    Example:
        >>> class Scale(dseq.layers.Layer):
        ...     def build(self, input_shape):
        ...         self.scale = self.add_weight((input_shape[-1],), "ones", name="scale")
        ...     def call(self, x):
        ...         return x * self.scale
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            cls.build = build_once(cls.build)

    is_input = False
    takes_any_type = False  # True: `lower` gets inputs of the type they were declared with, not cast to floats
    supports_masking = True  # False: masks of inputs end here

    def __new__(cls, *args, **kwargs):
        # The constructor's arguments are kept, so that `get_config` is written once, here.
        layer = super().__new__(cls)
        bound = inspect.signature(cls.__init__).bind_partial(layer, *args, **kwargs)
        given = {k: v for k, v in bound.arguments.items() if k not in ("self", "args", "kwargs")}
        names = [p for p in bound.signature.parameters if p not in ("self", "args", "kwargs")]
        vars(layer)["_arguments"], vars(layer)["_given"] = names, given
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
        super().__init__(trainable)
        self._auto_named = name is None
        self.name = name or naming.auto_name(naming.snake_case(kind))
        self.dtype = standardize(dtype["config"]["name"] if isinstance(dtype, dict) else dtype)
        self.autocast = autocast
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.built = False
        self.first_input_shape = None if input_shape is None else tuple(input_shape)
        self._inbound_nodes = []
        self._axes = {}
        self._losses = []
        self.__setstate__({})

    # Copies: `copy.deepcopy` and `pickle` take what the layer is, not what is bound to its memory.

    def __getstate__(self):
        return {k: v for k, v in vars(self).items() if k not in ("_lock", "_eager", "_traces")}

    def __setstate__(self, state):
        vars(self).update(state)
        self._lock = threading.RLock()
        self._eager = Eager(self)
        self._traces = Recent()

    # Shapes.

    def build(self, input_shape) -> None:
        """Makes the weights for inputs of this shape (batch axis first); a second call makes no others."""
        self.built = True

    def compute_output_shape(self, *args, **kwargs):
        """The shape the layer gives for `input_shape`, both with the batch axis."""
        if not self._is_traced:
            return tuple(args[0] if args else next(iter(kwargs.values())))
        arguments = Arguments(*_shapes_as_tensors(self, args, kwargs))
        self._build_for(arguments, [t.shape for t in arguments.data])
        kinds = [(t.shape, t.dtype, False) for t in arguments.data]
        trace = self._trace(arguments, kinds, False)
        return pack(trace.structure, trace.output_shapes(kinds))

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

    def output_shapes(self, input_shapes, arguments=None) -> list:
        """Full shapes of all outputs for the full shapes of all inputs.

        Args:
            input_shapes: List of shapes; they are checked.
            arguments: `(args, kwargs)` of the call, if it had more than the inputs.
        """
        if not self._is_traced:
            return self.native_shapes(input_shapes)
        arguments = arguments_of(arguments, input_shapes)
        types = [t.dtype if isinstance(t, Tensor) else self.dtype for t in arguments.data]
        shared = [getattr(t, "shared", False) for t in arguments.data]
        kinds = list(zip(input_shapes, types, shared, strict=True))
        return self._trace(arguments, kinds, False).output_shapes(kinds)

    def native_shapes(self, input_shapes) -> list:
        """`output_shapes` of a layer that owns kernels."""
        for index, shape in enumerate(input_shapes):
            self.check_input(shape, index)
        return [self.compute_output_shape(*input_shapes)]

    # In a plan.

    def lower_into(self, plan, operands, arguments=None) -> list:
        """Writes the layer into a plan under its own name; returns the operands of its outputs.

        Args:
            plan: The `Plan`.
            operands: List of operands of the inputs.
            arguments: `(args, kwargs)` of the call, if it had more than the inputs.
        """
        training, before = (plan.training, plan.augments), plan.enter(self.name, self._own_variables, operands)
        explicit = arguments[1].get("training") if arguments else None
        if explicit is not None:
            plan.training = plan.augments = bool(explicit)
        self._lower_weight_penalties(plan)  # before the kernels: backward then runs them last, when gradients are there
        if self._is_traced:
            outputs = self._trace_for(operands, arguments, plan.training).lower(plan, operands)
        else:
            outputs = self.lower_native(plan, operands)
        if self.activity_regularizer is not None and plan.scored:
            for y in outputs:
                self.activity_regularizer.lower_activity(plan, y)
        if self.supports_masking:
            _pass_mask(operands, outputs)
        plan.training, plan.augments = training
        plan.leave(before)
        return outputs

    def lower_native(self, plan, operands) -> list:
        """`lower_into` for a layer's own kernels: checked inputs, in the plan's float type."""
        for index, operand in enumerate(operands):
            self.check_input((None, *operand.shape), index)
        if not self.takes_any_type:
            operands = [plan.floats(x) for x in operands]
        outputs = self.lower(plan, *operands)
        return outputs if isinstance(outputs, list) else [outputs]

    def _lower_weight_penalties(self, plan):
        """Regularizers and constraints, each once in a plan however often the layer is called."""
        for variable in self._trainable_variables:
            if variable.trainable and self.trainable and plan.first_time(variable):
                if variable.regularizer is not None and plan.scored and plan.regularized:
                    variable.regularizer.lower(plan, variable)
                if variable.constraint is not None and variable.grad is not None:
                    variable.constraint.lower(plan, variable)

    def lower(self, plan, *inputs):
        """Appends this layer's kernels to a plan.

        Args:
            plan: The `Plan`.
            *inputs: Operands, whose shapes have no batch axis.

        Returns:
            The operand of the output, or a list of them.
        """
        raise NotImplementedError(
            f"Layer {self.name!r} of class {type(self).__name__} does not compute anything: implement "
            "`call(self, x)` with layers and `dseq.ops`."
        )

    # Losses of the layer's own.

    def add_loss(self, loss) -> None:
        """Adds a value to what training makes small; to be called in `call`.

        Args:
            loss: A symbolic tensor, or a list of them; all its elements are summed.

        Raises:
            ValueError: If it is called elsewhere, or with something else.
        """
        trace = current()
        tensors = flatten(loss)
        if trace is None or not all(isinstance(x, Tensor) for x in tensors):
            raise ValueError(
                "`add_loss()` can only be called from inside `call()`, on a tensor computed there with layers and "
                f"`dseq.ops`. Received: {loss!r} in layer {self.name!r}."
            )
        trace.losses += tensors

    @property
    def losses(self) -> list:
        """Values of the regularizers of trained weights, and of `add_loss` and activity regularizers in the last call
        on arrays."""
        variables = [v for v in self.trainable_variables if v.regularizer is not None]
        return [variable.regularizer(variable.numpy()) for variable in variables] + list(self._losses)

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _shapes_as_tensors(layer, args, kwargs):
    def tensors(value):
        if isinstance(value, dict):
            return {key: tensors(part) for key, part in value.items()}
        if value and all(n is None or isinstance(n, int | np.integer) for n in value):
            return Tensor(value, layer.dtype)
        return type(value)(tensors(part) for part in value)

    return [tensors(value) for value in args], {k.removesuffix("_shape"): tensors(v) for k, v in kwargs.items()}


def _pass_mask(operands, outputs):
    """Outputs that have no mask get the one that all masked inputs share, if their leading axes still fit."""
    masks = {id(x.mask): x.mask for x in operands if x.mask is not None}
    if len(masks) != 1:
        return
    mask = next(iter(masks.values()))
    for y in outputs:
        fits = y.shape[: len(mask.shape)] == mask.shape and y.per_row and y.rows_per_sample == mask.rows_per_sample
        if y.mask is None and fits and not any(y is x for x in operands):
            y.mask = mask

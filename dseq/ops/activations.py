"""The activation functions, as functions of tensors."""

import numpy as np

from dseq import activations
from dseq.ops.function import OPERATIONS, Function, Spec
from dseq.ops.moving import permuted
from dseq.ops.reading import as_type, read, value
from dseq.ops.types import as_array, float_type, type_of
from dseq.program.operand import flat, matrix
from dseq.program.tensor import operators


class _Activation(Function):
    """An activation function.

    Attributes:
        activation: The `Activation` with its default options.
    """

    module = "keras.src.ops.nn"
    activation = None

    @classmethod
    def compute(cls, x, **options):
        x = as_array(x).astype(float_type(type_of(x)), copy=False)
        axis = options.get("axis", -1)
        if isinstance(axis, list | tuple):
            shape, order = _together(x.shape, axis)
            moved = np.transpose(x, order)
            y = cls.activation.with_parameters(axis=-1)(moved.reshape(shape)).reshape(moved.shape)
            return np.transpose(y, np.argsort(order))
        return np.asarray(cls.activation.with_parameters(**options)(x))

    def infer(self, x):
        shape = x.shape
        if self.activation.name == "glu":
            shape = tuple(n if i != self.options["axis"] % len(shape) else n // 2 for i, n in enumerate(shape))
        return Spec(shape, float_type(x.dtype), x.shared)

    def write(self, plan, x):
        x = read(plan, as_type(plan, x, float_type(x.dtype)), x.per_row)
        if not self.activation.rowwise:
            return _write(plan, self.activation.with_parameters(**self.options), x)
        axes = self.options["axis"]
        axes = [axes] if isinstance(axes, int) else list(axes)
        rank = len(x.shape) + x.per_row
        axes = [axis % rank - x.per_row for axis in axes]
        if -1 in axes:
            raise self.error(
                "a function of whole vectors can't go along the axis of the samples, which lie on several ranks.",
                f"axis={self.options['axis']}",
            )
        order = [axis for axis in range(len(x.shape)) if axis not in axes] + axes
        moved = permuted(plan, x, order)
        last = int(np.prod([x.shape[axis] for axis in axes]))
        vectors = moved.reshape((*moved.shape[: len(moved.shape) - len(axes)], last))
        y = _write(plan, self.activation.with_parameters(axis=-1), vectors)
        kept = moved.shape
        if self.activation.name == "glu":
            kept = (*kept[:-1], kept[-1] // 2)
        return permuted(plan, y.reshape(kept), list(np.argsort(order)))


def _write(plan, activation, x):
    """As `dseq.activations.lower`, also for values that belong to no sample."""
    view = matrix if activation.rowwise else flat
    y = value(plan, activation.name, activation.output_shape(x.shape), x.dtype, not x.per_row)
    constants = [plan.constant(p) for p in activation.parameters]
    plan.forward(activation.forward, view(y), view(x), *constants)
    if y.grad is not None:
        plan.backward(activation.backward, view(x.grad), view(y.grad), view(x), view(y), *constants)
    return y


def _together(shape, axes):
    """The shape with some axes made the last one, and the order of axes that allows it."""
    axes = [axis % len(shape) for axis in axes]
    order = [axis for axis in range(len(shape)) if axis not in axes] + axes
    return (*[shape[axis] for axis in order[: len(shape) - len(axes)]], -1), order


def _make(name, class_name, activation, text, **defaults):
    members = {"activation": activation, "defaults": defaults, "function_name": name, "__doc__": text}
    operation = type(class_name, (_Activation,), members)
    names = list(defaults)

    def function(x, *args, **options):
        if len(args) > len(names):
            raise TypeError(f"`dseq.ops.{name}` takes {1 + len(names)} arguments. Received: {1 + len(args)}")
        return operation.apply(x, **{**defaults, **dict(zip(names, args, strict=False)), **options})

    function.__name__ = function.__qualname__ = name
    listed = "".join(
        f"\n        {option}: As in `dseq.activations`, {value!r} unless given." for option, value in defaults.items()
    )
    function.__doc__ = f"{text}\n\n    Args:\n        x: Tensor, variable, array or number.{listed}\n    "
    function.operation = operation
    return function


_a = activations
sigmoid = _make("sigmoid", "Sigmoid", _a.sigmoid, "1 / (1 + exp(-x))")
tanh = _make("tanh", "Tanh", _a.tanh, "The hyperbolic tangent.")
tanh.operation.module = Function.module
relu = _make("relu", "Relu", _a.relu, "x above 0, else 0.")
relu6 = _make("relu6", "Relu6", _a.relu6, "x within 0 and 6.")
leaky_relu = _make("leaky_relu", "LeakyRelu", _a.leaky_relu, "x above 0, a part of it below.", negative_slope=0.2)
elu = _make("elu", "Elu", _a.elu, "x above 0, alpha (exp(x) - 1) below.", alpha=1.0)
selu = _make("selu", "Selu", _a.selu, "elu with the numbers that keep mean and variance.")
celu = _make("celu", "Celu", _a.celu, "x above 0, alpha (exp(x / alpha) - 1) below.", alpha=1.0)
gelu = _make("gelu", "Gelu", _a.gelu, "x times the normal distribution's share below x.", approximate=True)
silu = _make("silu", "Silu", _a.silu, "x sigmoid(x)")
swish = silu
mish = _make("mish", "Mish", _a.mish, "x tanh(softplus(x))")
softplus = _make("softplus", "Softplus", _a.softplus, "log(1 + exp(x))")
softsign = _make("softsign", "Softsign", _a.softsign, "x / (1 + |x|)")
log_sigmoid = _make("log_sigmoid", "LogSigmoid", _a.log_sigmoid, "log(sigmoid(x))")
sparse_sigmoid = _make("sparse_sigmoid", "SparseSigmoid", _a.sparse_sigmoid, "(x + 1) / 2 within 0 and 1.")
hard_sigmoid = _make("hard_sigmoid", "HardSigmoid", _a.hard_sigmoid, "x / 6 + 1 / 2 within 0 and 1.")
hard_silu = _make("hard_silu", "HardSilu", _a.hard_silu, "x hard_sigmoid(x)")
hard_swish = hard_silu
hard_tanh = _make("hard_tanh", "HardTanh", _a.hard_tanh, "x within -1 and 1.")
tanh_shrink = _make("tanh_shrink", "TanhShrink", _a.tanh_shrink, "x - tanh(x)")
soft_shrink = _make("soft_shrink", "SoftShrink", _a.soft_shrink, "x drawn to 0 by a threshold.", threshold=0.5)
hard_shrink = _make("hard_shrink", "HardShrink", _a.hard_shrink, "0 within a threshold, else x.", threshold=0.5)
squareplus = _make("squareplus", "Squareplus", _a.squareplus, "(x + sqrt(x * x + b)) / 2", b=4)
sparse_plus = _make("sparse_plus", "SparsePlus", _a.sparse_plus, "softplus made of a parabola and lines.")
softmax = _make("softmax", "Softmax", _a.softmax, "Vectors of positive numbers with the sum 1.", axis=-1)
log_softmax = _make("log_softmax", "LogSoftmax", _a.log_softmax, "The logarithm of softmax.", axis=-1)
sparsemax = _make("sparsemax", "Sparsemax", _a.sparsemax, "The nearest vectors of the simplex.", axis=-1)
glu = _make("glu", "Glu", _a.glu, "The first half times the sigmoid of the second.", axis=-1)


class _Applied(_Activation):
    """An activation function that Keras has no operation for."""

    def __init__(self, activation):
        self.activation, self.defaults = activation, activation.options
        super().__init__()


def apply(activation, x):
    """An `Activation` of a symbolic tensor.

    Args:
        activation: The `Activation` with its options.
        x: Symbolic tensor or variable.
    """
    if activation.forward is None:
        return x
    for kind in OPERATIONS.values():
        own = getattr(kind, "activation", None)
        if own is not None and own.name == activation.name and set(activation.options) == set(kind.defaults):
            return kind(**activation.options)(x)
    return _Applied(activation)(x)


operators["activation"] = apply

"""The activation functions: applied to arrays, looked up by name, and written into plans.

Each name is an `Activation`: `relu(x)` computes, `Dense(8, activation=relu)` and `Dense(8, activation="relu")` use it.
"""

import inspect
import math

import numpy as np

from dseq.kernels import activation as smooth
from dseq.kernels import rectifier
from dseq.kernels import softmax as rows
from dseq.program.operand import flat, matrix
from dseq.program.tensor import Tensor, is_tracing, operators
from dseq.program.variable import Variable


class Activation:
    """An activation function with the values of its options.

    Args:
        name: Its name in Keras.
        choose: Function of the options which returns the kernels and their real parameters,
            `(forward, backward, *parameters)`; kernels None for the identity.
        rowwise: Whether kernels see a matrix of rows, not single elements.
        **options: Keras' arguments besides `x`, where they differ from the defaults of `choose`.

    Attributes:
        options: All options by name.
        forward: Kernel `(y, x, *parameters)`.
        backward: Kernel `(dx, dy, x, y, *parameters)`.
        parameters: Tuple of floats.

    Example:
        ```python
        relu(np.array([-1.0, 2.0]), negative_slope=0.5)  # [-0.5, 2.]
        layer = Dense(8, activation=leaky_relu.with_parameters(negative_slope=0.3))
        ```
    """

    def __init__(self, name, choose, rowwise=False, **options):
        self.name = name
        self.rowwise = rowwise
        self._choose = choose
        self.__signature__ = inspect.signature(choose)
        arguments = self.__signature__.bind(**options)
        arguments.apply_defaults()
        self.options = dict(arguments.arguments)
        self.forward, self.backward, *parameters = choose(**self.options)
        self.parameters = tuple(map(float, parameters))

    @property
    def __name__(self):
        return self.name

    def with_parameters(self, *args, **options) -> "Activation":
        """The same function with other options, in the order and with the names of Keras' arguments after `x`."""
        given = self.__signature__.bind_partial(*args, **options).arguments
        return Activation(self.name, self._choose, self.rowwise, **{**self.options, **given}) if given else self

    def __call__(self, x, *args, **options):
        """Applies the function to an array, in float64 for a float64 array, in float32 for all else; or to a tensor.

        Args:
            x: Array, or what NumPy makes one of; or a symbolic tensor, as in a layer's `call`.
            *args: Options, as in Keras, by position.
            **options: The same by name.

        Returns:
            A new array, or a symbolic tensor; of the same shape but for `glu`.
        """
        if args or options:
            return self.with_parameters(*args, **options)(x)
        if isinstance(x, Tensor) or (is_tracing() and isinstance(x, Variable)):
            return operators["activation"](self, x)
        x = np.asarray(x)
        x = np.require(x, np.float64 if x.dtype == np.float64 else np.float32, "CWA")
        if self.forward is None:
            return x
        axis = self.options.get("axis", -1)
        if self.rowwise:
            x = np.require(np.moveaxis(x, axis, -1), None, "CWA")
        y = np.empty(self.output_shape(x.shape), x.dtype)
        view = _matrix if self.rowwise else np.ravel
        self.forward(view(y), view(x), *[np.full(1, p, x.dtype) for p in self.parameters])
        return np.moveaxis(y, -1, axis) if self.rowwise else y

    def output_shape(self, shape) -> tuple:
        """The shape of the result; only the last axis of `glu` differs from the input's."""
        shape = tuple(shape)
        if self.forward is not rows.glu_forward:
            return shape
        if shape[-1] % 2:
            raise ValueError(f"`glu` halves the last axis, which must have an even size. Received: shape={shape}")
        return (*shape[:-1], shape[-1] // 2)

    def keras_config(self):
        """What stands for it in a configuration: see `serialize`."""
        return serialize(self)

    def __repr__(self):
        return f"<Activation {', '.join([self.name, *(f'{k}={v!r}' for k, v in self.options.items())])}>"

    def __reduce__(self):
        return _restore, (self.name, self.options)


def _matrix(array):
    return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])


def _restore(name, options):
    return get(name).with_parameters(**options)


def lower(plan, activation, x):
    """Writes an activation into a plan.

    Args:
        plan: The plan.
        activation: `Activation`, or None for none.
        x: Operand it is applied to.

    Returns:
        The operand of the result; `x` itself for the identity.

    Raises:
        ValueError: If it goes along another axis than the last.
    """
    if activation is None or activation.forward is None:
        return x
    axis = activation.options.get("axis", -1)
    if axis not in (-1, len(x.shape)):  # Keras counts the axis of rows, operands don't have it
        raise ValueError(
            f"In a model `{activation.name}` goes along the last axis. Received: axis={axis} for an input of shape "
            f"{(None, *x.shape)}. Put a `Permute` layer before and after it."
        )
    view = matrix if activation.rowwise else flat
    y = plan.value(activation.name, activation.output_shape(x.shape))
    constants = [plan.constant(p) for p in activation.parameters]
    plan.forward(activation.forward, view(y), view(x), *constants)
    plan.backward(activation.backward, view(x.grad), view(y.grad), view(x), view(y), *constants)
    return y


def _fixed(*choice):
    """For `Activation`: the choice of kernels of a function without options."""
    return lambda: choice


def _relu(negative_slope=0.0, max_value=None, threshold=0.0):
    if not negative_slope and max_value is None and not threshold:
        return rectifier.relu_forward, rectifier.relu_backward
    most = math.inf if max_value is None else max_value
    return rectifier.relu_general_forward, rectifier.relu_general_backward, negative_slope, most, threshold


def _leaky_relu(negative_slope=0.2):
    return rectifier.relu_general_forward, rectifier.relu_general_backward, negative_slope, math.inf, 0.0


def _clipped_line(slope, offset, low, high):
    return _fixed(rectifier.clipped_line_forward, rectifier.clipped_line_backward, slope, offset, low, high)


def _elu(alpha=1.0):
    return smooth.elu_forward, smooth.elu_backward, alpha, 1.0


def _celu(alpha=1.0):
    return smooth.celu_forward, smooth.celu_backward, alpha


def _gelu(approximate=False):
    if approximate:
        return smooth.gelu_approximate_forward, smooth.gelu_approximate_backward
    return smooth.gelu_forward, smooth.gelu_backward


def _squareplus(b=4):
    return smooth.squareplus_forward, smooth.squareplus_backward, b


def _soft_shrink(threshold=0.5):
    return rectifier.soft_shrink_forward, rectifier.shrink_backward, threshold


def _hard_shrink(threshold=0.5):
    return rectifier.hard_shrink_forward, rectifier.shrink_backward, threshold


def _threshold(threshold=0.0, default_value=0.0):
    return rectifier.threshold_forward, rectifier.threshold_backward, threshold, default_value


def _softmax(axis=-1):
    return rows.softmax_forward, rows.softmax_backward


def _log_softmax(axis=-1):
    return rows.log_softmax_forward, rows.log_softmax_backward


def _sparsemax(axis=-1):
    return rows.sparsemax_forward, rows.sparsemax_backward


def _glu(axis=-1):
    return rows.glu_forward, rows.glu_backward


# Klambauer et al. 2017: with these, activations of mean 0 and variance 1 keep them.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805

linear = Activation("linear", _fixed(None, None))
relu = Activation("relu", _relu)
relu6 = Activation("relu6", _clipped_line(1.0, 0.0, 0.0, 6.0))
leaky_relu = Activation("leaky_relu", _leaky_relu)
elu = Activation("elu", _elu)
selu = Activation("selu", _fixed(smooth.elu_forward, smooth.elu_backward, SELU_ALPHA, SELU_SCALE))
celu = Activation("celu", _celu)
gelu = Activation("gelu", _gelu)
silu = swish = Activation("silu", _fixed(smooth.silu_forward, smooth.silu_backward))
mish = Activation("mish", _fixed(smooth.mish_forward, smooth.mish_backward))
sigmoid = Activation("sigmoid", _fixed(smooth.sigmoid_forward, smooth.sigmoid_backward))
hard_sigmoid = Activation("hard_sigmoid", _clipped_line(1 / 6, 0.5, 0.0, 1.0))
log_sigmoid = Activation("log_sigmoid", _fixed(smooth.log_sigmoid_forward, smooth.log_sigmoid_backward))
sparse_sigmoid = Activation("sparse_sigmoid", _clipped_line(0.5, 0.5, 0.0, 1.0))
hard_silu = hard_swish = Activation("hard_silu", _fixed(rectifier.hard_silu_forward, rectifier.hard_silu_backward))
tanh = Activation("tanh", _fixed(smooth.tanh_forward, smooth.tanh_backward))
hard_tanh = Activation("hard_tanh", _clipped_line(1.0, 0.0, -1.0, 1.0))
tanh_shrink = Activation("tanh_shrink", _fixed(smooth.tanh_shrink_forward, smooth.tanh_shrink_backward))
soft_shrink = Activation("soft_shrink", _soft_shrink)
hard_shrink = Activation("hard_shrink", _hard_shrink)
threshold = Activation("threshold", _threshold)
exponential = Activation("exponential", _fixed(smooth.exponential_forward, smooth.exponential_backward))
softplus = Activation("softplus", _fixed(smooth.softplus_forward, smooth.softplus_backward))
softsign = Activation("softsign", _fixed(smooth.softsign_forward, smooth.softsign_backward))
squareplus = Activation("squareplus", _squareplus)
sparse_plus = Activation("sparse_plus", _fixed(smooth.sparse_plus_forward, smooth.sparse_plus_backward))
softmax = Activation("softmax", _softmax, rowwise=True)
log_softmax = Activation("log_softmax", _log_softmax, rowwise=True)
sparsemax = Activation("sparsemax", _sparsemax, rowwise=True)
glu = Activation("glu", _glu, rowwise=True)

NAMES = {name: value for name, value in list(globals().items()) if isinstance(value, Activation)}


def get(identifier) -> Activation:
    """The activation that an identifier means.

    Args:
        identifier: Name, `Activation`, config made by `serialize` or found in a Keras file, or None for `linear`.

    Returns:
        An `Activation`.

    Raises:
        ValueError: If nothing of that kind is known.
    """
    if identifier is None:
        return linear
    if isinstance(identifier, Activation):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str) and identifier in NAMES:
        return NAMES[identifier]
    remedy = f"The known ones are: {', '.join(sorted(NAMES))}."
    if callable(identifier):
        remedy = f"A Python function can't be part of a compiled step. {remedy}"
    raise ValueError(f"Could not interpret activation function identifier: {identifier}. {remedy}")


# Keras' layers that do the same with options, as which its `activation=` arguments take them.
LAYERS = {"relu": "ReLU", "leaky_relu": "LeakyReLU", "elu": "ELU", "softmax": "Softmax"}


def serialize(activation):
    """An activation as plain data for `deserialize`.

    Returns:
        Its name; a dict if its options are not the usual ones, which Keras reads too where it has a layer for it.
    """
    activation = get(activation)
    if activation.options == NAMES[activation.name].options:
        return activation.name
    if activation.name in LAYERS:
        options = activation.options | {"name": activation.name}
        config = {"module": "keras.layers", "class_name": LAYERS[activation.name], "config": options}
    else:
        config = {"module": "dseq.activations", "class_name": activation.name, "config": activation.options}
    return config | {"registered_name": None}


def deserialize(config, custom_objects=None) -> Activation:
    """The activation of a name or config dict, dseq's or Keras'; also that of one of Keras' activation layers.

    Args:
        config: Name or dict.
        custom_objects: Accepted as in Keras; functions of your own can't be part of a compiled step.

    Raises:
        ValueError: If it is not known.
    """
    if not isinstance(config, dict):
        return get(config)
    inner, name = config.get("config"), config.get("class_name")
    if isinstance(inner, str):
        return get(inner)
    name = next((own for own, layer in LAYERS.items() if layer == name), name)
    if name not in NAMES:
        raise ValueError(
            f"Could not interpret activation function identifier: {config}. "
            f"The known ones are: {', '.join(sorted(NAMES))}."
        )
    options = NAMES[name].options
    return NAMES[name].with_parameters(**{k: v for k, v in (inner or {}).items() if k in options})

"""What every regularizer has: a value, a configuration, and a way into a plan."""

import inspect
import math

import numpy as np

from dseq.kernels.regularizer import count_once, slope_once
from dseq.program.graph import Graph
from dseq.program.operand import flat
from dseq.program.serialization import serialize_keras_object
from dseq.program.tensor import Tensor, tracing


class Regularizer:
    """The base of regularizers: `regularizer(x)` is a number that is added to the loss.

    A class of your own implements `__call__(x)` with functions of `dseq.ops`, of which the gradient follows, and
    `get_config` if its constructor takes arguments that it does not keep under their names. The value and the gradient
    count once, not once for each rank.

    Example:
        >>> class Cubes(Regularizer):
        ...     def __call__(self, x):
        ...         return 0.01 * dseq.ops.sum(dseq.ops.abs(x) ** 3)
        >>> layer = dseq.layers.Dense(4, kernel_regularizer=Cubes())
    """

    def __call__(self, x):
        """The penalty.

        Args:
            x: A weight, or the outputs of a layer for a batch.
        """
        return 0.0

    def get_config(self) -> dict:
        """The constructor's arguments: attributes of the same names, unless a class says otherwise.

        Raises:
            NotImplementedError: If there are no such attributes.
        """
        names = [name for name in inspect.signature(type(self).__init__).parameters if name != "self"]
        names = [] if type(self).__init__ is object.__init__ else names
        if not all(hasattr(self, name) for name in names):
            raise NotImplementedError(
                f"{type(self).__name__} does not implement get_config(), which gives the constructor's arguments "
                f"{names} as a dict."
            )
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config: dict) -> "Regularizer":
        """A regularizer with this configuration."""
        return cls(**config)

    def __repr__(self):
        try:
            config = self.get_config()
        except NotImplementedError:
            return f"{type(self).__name__}(...)"
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in config.items())})"

    def lower(self, plan, variable) -> None:
        """Writes the penalty on a weight, and its gradient if the weight has one, into a plan.

        Args:
            plan: The `Plan`; one that is not scored is left as it is.
            variable: The weight.
        """
        total = plan.penalty(f"{variable.label} penalty")
        if total is not None:
            symbol = Tensor(variable.shape, variable.dtype, shared=True)
            self._lower_call(plan, variable, symbol, total, plan.constant(1.0, "float64"))

    def lower_activity(self, plan, y) -> None:
        """Writes the penalty on a layer's output into a plan: a sum over samples, divided by the global batch.

        Args:
            plan: The `Plan`; one that is not scored is left as it is.
            y: The operand of the output.
        """
        total = plan.penalty(f"{y.label} penalty", per_sample=True)
        if total is not None:
            self._lower_call(plan, y, Tensor((None, *y.shape), y.dtype), total, plan.per_row_scale())

    def _lower_call(self, plan, x, symbol, total, scale):
        """What `__call__` does with a symbolic tensor, or calls of it for a plan without gradients."""
        result, reason = self._traced(symbol)
        if isinstance(result, Tensor):
            if not result.shared or math.prod(result.shape) != 1:
                raise ValueError(
                    f"A regularizer must give one number. Received: shape {result.shape} from {type(self).__name__}. "
                    "Add it up with `dseq.ops.sum`."
                )
            (value,) = Graph([symbol], [result]).lower(plan, [x])
            plan.forward(count_once, total, flat(value), plan.clock)
            if value.grad is not None:
                plan.backward(slope_once, flat(value.grad), scale, plan.clock)
            return
        if result is None and (x.grad is not None or x.per_row):
            raise ValueError(
                f"A regularizer needs a gradient, which follows when `__call__` uses functions of `dseq.ops` alone. "
                f"Received: {self!r} for {x.label}, whose `__call__` raised: {reason}"
            ) from reason

        def penalty(total, array, clock):
            if clock[3] == 0:
                total[0] += float(self(array.copy()))

        if result is None or result != 0:
            plan.host(penalty, total, x, plan.clock)

    def _traced(self, symbol):
        """`(result, None)`: symbolic, or a number whatever the weight is; `(None, error)` if only arrays will do."""
        try:
            with tracing():
                result = self(symbol)
        except (TypeError, AttributeError) as error:
            return None, error
        return (result if isinstance(result, Tensor) else float(result)), None


class Function(Regularizer):
    """A plain function, or another callable, as a regularizer.

    Args:
        function: Called with a weight, gives a number.
    """

    def __init__(self, function):
        self.function = function

    def __call__(self, x):
        return self.function(x)

    def get_config(self):
        return {"function": self.function}

    def keras_config(self):
        """What stands for it in a configuration: the function's name."""
        return serialize_keras_object(self.function)

    def __eq__(self, other):
        return self.function == getattr(other, "function", other)

    def __hash__(self):
        return hash(self.function)

    def __repr__(self):
        return f"Function({getattr(self.function, '__name__', self.function)!r})"


def factor(value, name) -> float:
    """A factor of a penalty.

    Args:
        value: What the user gave.
        name: Name of the argument.

    Raises:
        ValueError: If it is not a finite number >= 0.
    """
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0:
        raise ValueError(
            f"Invalid value for argument {name}: expected a non-negative float. Received: {name}={value!r}"
        )
    return float(value)

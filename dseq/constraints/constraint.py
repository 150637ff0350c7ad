"""What every constraint has: a projection of a weight, a configuration, and a way into a plan."""

import numpy as np

from dseq.program.host import Host
from dseq.program.serialization import serialize_keras_object


class Constraint:
    """The base of constraints: `constraint(w)` gives what a weight becomes after each update.

    A class of your own implements `__call__` on NumPy arrays and, if its constructor takes arguments, `get_config`.

    Example:
        >>> class Halves(Constraint):
        ...     def __call__(self, w):
        ...         return np.round(2 * w) / 2
        >>> layer = dseq.layers.Dense(4, kernel_constraint=Halves())
    """

    def __call__(self, w):
        """The weight as it may be.

        Args:
            w: Array of weights; it is not changed.
        """
        return w

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict) -> "Constraint":
        """A constraint with this configuration."""
        return cls(**config)

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.get_config().items())})"

    def lower(self, plan, variable) -> None:
        """Writes the constraint into a plan, to be applied to the whole weight after each update.

        Args:
            plan: The `Plan` of a training step.
            variable: The weight.
        """

        def constrain(array):
            values = np.asarray(self(array.copy()))
            if values.shape != array.shape:
                raise ValueError(
                    f"A constraint must keep the weight's shape {array.shape}. Received: shape {values.shape} from "
                    f"{self!r} for {variable.label}"
                )
            array[...] = values

        constrain.__name__ = type(self).__name__
        plan.settle(Host(constrain), variable)


class Function(Constraint):
    """A plain function, or another callable, as a constraint.

    Args:
        function: Called with an array, gives one of the same shape.
    """

    def __init__(self, function):
        self.function = function

    def __call__(self, w):
        return self.function(w)

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

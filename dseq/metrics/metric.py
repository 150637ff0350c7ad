"""What every metric has: sums that add up over batches and ranks, and a result made of them."""

import numpy as np

from dseq.program.floatx import standardize
from dseq.program.naming import auto_name, snake_case
from dseq.program.variable import Variable


class Metric:
    """The base of metrics. Its state is an array of sums, so that states of parts of the data can be added.

    Args:
        dtype: Float type of its arrays, `dseq.config.floatx()` if None. In a model the model's type counts.
        name: Name of the metric.

    Attributes:
        slots: How many sums there are.
        state: The sums, in float64.
    """

    slots = 1
    names = ("total",)
    _direction = None  # "up" or "down": what is better, for callbacks that watch it

    def __init__(self, dtype=None, name=None):
        self.name = name or auto_name(snake_case(type(self).__name__))
        self._dtype = standardize(dtype)
        self.state = np.zeros(self.slots)

    @property
    def dtype(self) -> str:
        """Name of the float type for arrays."""
        return self._dtype

    @property
    def variables(self) -> list:
        """The sums as variables."""
        found = []
        for i, name in enumerate(self.names):
            variable = Variable(0.0, "float64", name, f"{self.name}/{name}", trainable=False)
            variable.array = self.state[i : i + 1].reshape(())
            found.append(variable)
        return found

    def target(self, y_true_shape, y_pred_shape):
        """How one sample's labels must be laid out for the kernels; see `Loss.target`."""
        raise NotImplementedError

    def lower(self, plan, y_true, y_pred, weight, sums) -> None:
        """Writes the sums over the rows into a plan.

        Args:
            plan: The plan.
            y_true: Operand of labels as `target` says.
            y_pred: Operand of predictions.
            weight: Operand with a float for each row, or None.
            sums: Operand of `slots` slots, to which the sums are added.
        """
        raise NotImplementedError(
            f"{type(self).__name__} can't watch a model's training: it must implement `lower`. Use one of "
            "`dseq.metrics`; metrics written in Python can't be compiled yet."
        )

    def update_state(self, *args, **kwargs) -> None:
        """Adds data."""
        raise NotImplementedError(f"{type(self).__name__} must implement `update_state`.")

    def result(self) -> float:
        """The metric of all data since `reset_state`."""
        raise NotImplementedError(f"{type(self).__name__} must implement `result`.")

    def reset_state(self) -> None:
        """Forgets all data."""
        self.state[:] = 0

    def __call__(self, *args, **kwargs) -> float:
        """Adds data and gives the result."""
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config):
        """A metric with this configuration."""
        return cls(**config)

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}>"

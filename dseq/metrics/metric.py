"""What every metric has: a name and a state that can be summed, over batches and over ranks."""

from math import prod

import numpy as np

from dseq.initializers import get as initializer_of
from dseq.program.floatx import standardize
from dseq.program.naming import auto_name, snake_case
from dseq.program.variable import Variable

LARGEST_IN_TAIL = 4096  # sums of a larger state do not travel with the gradients of every step


class Metric:
    """The base of metrics. Their state is made of sums, so that states of parts of the data can be added.

    A metric of your own makes variables in its constructor, changes them in `update_state`, a function of arrays, and
    gives the number to show in `result`. In a model that several ranks train, `update_state` sees each rank's rows,
    and when a result is wanted the variables of all ranks are added up; a metric whose variables are no sums says with
    `merge_state` how they are joined.

    Args:
        dtype: Float type of its arrays, `dseq.config.floatx()` if None. In a model the model's type counts.
        name: Name of the metric.

    Attributes:
        state: The sums of dseq's own metrics, in float64.

    Example:
        >>> class Largest(dseq.metrics.Metric):
        ...     def __init__(self, name="largest", dtype=None):
        ...         super().__init__(dtype, name)
        ...         self.most = self.add_weight(name="most")
        ...
        ...     def update_state(self, y_true, y_pred, sample_weight=None):
        ...         self.most.assign(np.maximum(self.most, y_pred.max()))
        ...
        ...     def result(self):
        ...         return self.most
        ...
        ...     def merge_state(self, states):
        ...         self.most.assign(max(state[0] for state in states))
    """

    _direction = None  # "up" or "down": what is better, for callbacks that watch it
    exact = False  # True: the state is no sum, or needs more digits than the floats of a model have

    def __init__(self, dtype=None, name=None):
        self._metrics, self._variables = [], []
        self._layout, self.state = {}, np.zeros(0)
        self.name = name or auto_name(snake_case(type(self).__name__))
        self._dtype = standardize(dtype)

    def __setattr__(self, name, value):
        if isinstance(value, Metric) and value not in self.__dict__.get("_metrics", ()):
            self._require_base()
            self._metrics.append(value)
        super().__setattr__(name, value)

    def __getattr__(self, name):
        if name in self.__dict__.get("_layout", ()):
            return self._view(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _require_base(self):
        if "_metrics" not in self.__dict__:
            raise RuntimeError("You forgot to call `super().__init__()` in the `__init__()` method. Go add it!")

    @property
    def dtype(self) -> str:
        """Name of the float type for arrays."""
        return self._dtype

    @property
    def slots(self) -> int:
        """How many sums dseq's own metrics have."""
        return self.state.size

    # State.

    def _allocate(self, **layout):
        """Makes the sums, by name and shape; they are attributes from now on."""
        self._layout = {name: tuple(shape) for name, shape in layout.items()}
        self.state = np.zeros(sum(map(prod, self._layout.values())))

    def _part(self, name) -> np.ndarray:
        start = 0
        for other, shape in self._layout.items():
            if other == name:
                return self.state[start : start + prod(shape)].reshape(shape)
            start += prod(shape)
        raise KeyError(name)

    def _view(self, name):
        variable = Variable(np.zeros(self._layout[name]), "float64", name, f"{self.name}/{name}", trainable=False)
        variable.array = self._part(name)
        return variable

    def add_variable(self, shape, initializer, dtype=None, aggregation="sum", name=None) -> Variable:
        """Makes a part of the state.

        Args:
            shape: Its shape.
            initializer: Name or `Initializer` of its first values; zeros if None.
            dtype: Its type, the metric's unless given.
            aggregation: How ranks' values are joined; only "sum", for anything else see `merge_state`.
            name: Its name.

        Returns:
            A `Variable`, 0 again after `reset_state`.
        """
        self._require_base()
        if aggregation != "sum":
            raise ValueError(
                f"The state of a metric is summed over ranks. Received: aggregation={aggregation!r}. Define "
                "`merge_state` to join the values of ranks otherwise."
            )
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        values = np.asarray(initializer_of(initializer or "zeros")(shape))
        name = name or f"variable_{len(self._variables)}"
        variable = Variable(values, dtype or self.dtype, name, f"{self.name}/{name}", trainable=False)
        self._variables.append(variable)
        return variable

    def add_weight(self, shape=(), initializer=None, dtype=None, name=None) -> Variable:
        """Makes a part of the state, see `add_variable`."""
        return self.add_variable(shape, initializer, dtype, name=name)

    @property
    def variables(self) -> list:
        """The state as variables, that of metrics inside this one included."""
        own = [self._view(name) for name in self._layout] + self._variables
        return own + [variable for metric in self._metrics for variable in metric.variables]

    def reset_state(self) -> None:
        """Forgets all data."""
        self.state[:] = 0
        for variable in self.variables:
            variable.array[...] = 0

    def merge_state(self, states) -> None:
        """Sets the state to what the states of several ranks are together: their sum.

        Args:
            states: For each rank the list of arrays of its `variables`.
        """
        for variable, *parts in zip(self.variables, *states, strict=True):
            variable.array[...] = sum(parts[1:], parts[0])

    # In a plan.

    @property
    def runs_on_host(self) -> bool:
        """Whether its state is changed by Python: its `update_state` is not the one that its `lower` stands for."""
        kinds = type(self).__mro__
        place = {name: next(i for i, k in enumerate(kinds) if name in vars(k)) for name in ("update_state", "lower")}
        return place["update_state"] < place["lower"] or type(self).lower is Metric.lower

    def target(self, y_true_shape, y_pred_shape):
        """How one sample's labels must be laid out; see `Loss.target`. Python gets them as they are given."""
        return tuple(y_true_shape), "given"

    def lower(self, plan, y_true, y_pred, weight, sums) -> None:
        """Writes the sums over the rows into a plan.

        Args:
            plan: The plan.
            y_true: Operand of labels as `target` says.
            y_pred: Operand of predictions.
            weight: Operand with a float for each row, or None.
            sums: Operand of `slots` slots, to which the sums are added.
        """
        raise NotImplementedError

    # On arrays.

    def update_state(self, *args, **kwargs) -> None:
        """Adds data."""
        raise NotImplementedError(f"{type(self).__name__} must implement `update_state`.")

    def result(self):
        """The metric of all data since `reset_state`."""
        raise NotImplementedError(f"{type(self).__name__} must implement `result`.")

    def __call__(self, *args, **kwargs):
        """Adds data and gives the result."""
        self._require_base()
        self.update_state(*args, **kwargs)
        return self.result()

    def stateless_update_state(self, metric_variables, *args, **kwargs) -> list:
        """The state after `update_state` from another one, without a change of this metric's.

        Args:
            metric_variables: Arrays for `variables`.
            *args: Arguments of `update_state`.
            **kwargs: Arguments of `update_state`.
        """
        return self._with_state(metric_variables, lambda: self.update_state(*args, **kwargs))[1]

    def stateless_result(self, metric_variables):
        """The result of another state.

        Args:
            metric_variables: Arrays for `variables`.
        """
        return self._with_state(metric_variables, self.result)[0]

    def stateless_reset_state(self) -> list:
        """The state after `reset_state`."""
        return self._with_state([v.numpy() for v in self.variables], self.reset_state)[1]

    def _with_state(self, arrays, function):
        variables = self.variables
        if len(arrays) != len(variables):
            raise ValueError(
                f"Argument `metric_variables` must be a list of tensors corresponding 1:1 to {type(self).__name__}()"
                f".variables. Received list with length {len(arrays)}, but expected {len(variables)} variables."
            )
        kept = [v.numpy() for v in variables]
        try:
            for variable, array in zip(variables, arrays, strict=True):
                variable.array[...] = array
            result = function()
            return result, [v.numpy() for v in self.variables]
        finally:
            for variable, array in zip(variables, kept, strict=True):
                variable.array[...] = array

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config):
        """A metric with this configuration."""
        return cls(**config)

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}>"

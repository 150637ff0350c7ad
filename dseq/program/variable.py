"""A weight: an operand that owns its values."""

import operator

import numpy as np

from dseq.program.floatx import standardize
from dseq.program.operand import Operand


class Variable(Operand):
    """A named array of weights.

    Until a model trains, a variable has memory of its own. A training model *adopts* its variables: the values
    move into one flat arena, and `array` becomes a view of it. Whoever holds the variable sees the same weights
    before and after, also when another model adopts them later.

    Args:
        value: Initial values, any array.
        dtype: `"float32"`, `"float64"`, an integer type, or None for the default float type.
        name: Short name, e.g. `"kernel"`.
        path: Full name, e.g. `"sequential/dense/kernel"`; the name unless given.
        trainable: Whether training changes it.
    """

    regularizer = None  # what is added to the loss while the weight is trained
    constraint = None  # what is applied after each update

    def __init__(self, value, dtype=None, name="variable", path=None, trainable=True):
        value = np.asarray(value)
        integer = dtype is not None and np.dtype(dtype).kind in "iu"
        dtype = np.dtype(dtype).name if integer else standardize(dtype)
        super().__init__(path or name, value.shape, "params", dtype)
        self.array = np.array(value, dtype, order="C")
        self.name = name
        self.trainable = trainable
        self.owner = None  # the arena that adopted it
        self.synchronised = False  # whether all ranks are known to have rank 0's values

    @property
    def path(self) -> str:
        """The full name, from the model down to the weight."""
        return self.label

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def value(self) -> np.ndarray:
        """The values, as a view that the next update changes."""
        return self.array

    def numpy(self) -> np.ndarray:
        """A copy of the values."""
        return self.array.copy()

    def assign(self, value) -> "Variable":
        """Replaces the values.

        Args:
            value: An array or number of the variable's shape; it is cast to its type.

        Raises:
            ValueError: If the shape differs.
        """
        value = np.asarray(value)
        if tuple(value.shape) != self.shape:
            raise ValueError(
                f"The value assigned to variable {self.path!r} must have its shape {self.shape}. "
                f"Received: shape={tuple(value.shape)}"
            )
        self.array[...] = value
        self.synchronised = False
        return self

    def assign_add(self, value) -> "Variable":
        return self.assign(self.array + np.asarray(value))

    def assign_sub(self, value) -> "Variable":
        return self.assign(self.array - np.asarray(value))

    def __getstate__(self):
        # A copy has memory of its own, and no part in the plans and arenas of the model it came from.
        own = {"array": self.array.copy(), "owner": None, "grad": None, "producer": None, "synchronised": False}
        return vars(self) | own

    def __array__(self, dtype=None, copy=None):
        if copy is False and (dtype is None or np.dtype(dtype) == self.array.dtype):
            return self.array
        return np.array(self.array, dtype)

    def __getitem__(self, index):
        return self.array[index]

    def __float__(self):
        return float(self.array)

    def __int__(self):
        return int(self.array)

    def __repr__(self):
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}, value={self.array}>"

    def __str__(self):
        return repr(self)


def _operator(function, reflected):
    def operate(self, other):
        other = np.asarray(other)
        return function(other, self.array) if reflected else function(self.array, other)

    return operate


# Arithmetic gives NumPy arrays; comparison stays identity, by which plans and arenas find their variables.
for _name in ("add", "sub", "mul", "truediv", "floordiv", "pow", "matmul"):
    setattr(Variable, f"__{_name}__", _operator(getattr(operator, _name), False))
    setattr(Variable, f"__r{_name}__", _operator(getattr(operator, _name), True))

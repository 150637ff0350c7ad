"""A weight: an operand that owns its values."""

import operator

import numpy as np

from dseq.program.floatx import standardize
from dseq.program.operand import Operand
from dseq.program.tensor import UFUNCS, Tensor, is_tracing, operators

_assignments = 0  # how often a weight was assigned


def assignments() -> int:
    """How often weights were assigned in this process; what is made of weights is made again when it changes."""
    return _assignments


def _count():
    global _assignments
    _assignments += 1


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
    home = None  # the arena in shared memory to which it belongs, also while it has memory of its own

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
        """The values, as a view that the next update changes; a read-only one if ranks share the memory."""
        if not self._is_shared:
            return self.array
        view = self.array.view()
        view.flags.writeable = False
        return view

    @property
    def _is_shared(self):
        return self.owner is not None and self.owner.shared

    @property
    def strayed(self) -> bool:
        """Whether it has left shared memory on this rank, where a script has set it."""
        return self.home is not None and self.owner is not self.home

    def numpy(self) -> np.ndarray:
        """A copy of the values."""
        return self.array.copy()

    def assign(self, value) -> "Variable":
        """Replaces the values.

        Args:
            value: An array or number of the variable's shape; it is cast to its type.

        In a layer's `call` the value is a symbolic tensor that belongs to no sample, and the weight changes after each
        step.

        Raises:
            ValueError: If the shape differs.
        """
        if isinstance(value, Tensor) or is_tracing():
            operators["assign"](self, value)
            return self
        value = np.asarray(value)
        if tuple(value.shape) != self.shape:
            raise ValueError(
                f"The value assigned to variable {self.path!r} must have its shape {self.shape}. "
                f"Received: shape={tuple(value.shape)}"
            )
        if self._is_shared:
            self.owner.release(self)
        self.array[...] = value
        self.synchronised = False
        _count()
        return self

    def assign_add(self, value) -> "Variable":
        if is_tracing():
            return self.assign(operators["assigned"](self) + value)
        return self.assign(self.array + np.asarray(value))

    def assign_sub(self, value) -> "Variable":
        if is_tracing():
            return self.assign(operators["assigned"](self) - value)
        return self.assign(self.array - np.asarray(value))

    def __getstate__(self):
        # A copy has memory of its own, and no part in the plans and arenas of the model it came from.
        own = {"array": self.array.copy(), "owner": None, "home": None, "grad": None, "producer": None}
        return vars(self) | own | {"synchronised": False}

    def __array__(self, dtype=None, copy=None):
        self._refuse_while_tracing()
        if copy is False and (dtype is None or np.dtype(dtype) == self.array.dtype):
            return self.value
        return np.array(self.array, dtype)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        # Here end operators with an array on the left, and NumPy's functions.
        if is_tracing() or any(isinstance(x, Tensor) for x in inputs):
            if method == "__call__" and ufunc.__name__ in UFUNCS and not kwargs:
                return operators[UFUNCS[ufunc.__name__]](*inputs)
            self._refuse_while_tracing()
        inputs = [x.array if isinstance(x, Variable) else x for x in inputs]
        return getattr(ufunc, method)(*inputs, **kwargs)

    def __float__(self):
        self._refuse_while_tracing()
        return float(self.array)

    def __int__(self):
        self._refuse_while_tracing()
        return int(self.array)

    def _refuse_while_tracing(self):
        if is_tracing():
            raise TypeError(
                "Inside a layer's `call` a weight has no values: those of now would be part of the model for ever. Use "
                f"the functions of `dseq.ops` and Python's operators. Received: weight {self.path!r}"
            )

    def __repr__(self):
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}, value={self.array}>"

    def __str__(self):
        return repr(self)


def _operator(name, reflected=False):
    function = getattr(operator, name)

    def operate(self, *others):
        if is_tracing() or any(isinstance(other, Tensor) for other in others):
            symbolic = operators[name]
            return symbolic(*others, self) if reflected else symbolic(self, *others)
        others = [np.asarray(other) for other in others]
        return function(*others, self.array) if reflected else function(self.array, *others)

    return operate


def _getitem(self, key):
    return operators["getitem"](self, key) if is_tracing() else self.array[key]


# Arithmetic gives NumPy arrays, or symbolic tensors where a `call` is traced; `==` stays identity, by which plans and
# arenas find their variables.
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"):
    setattr(Variable, f"__{_name}__", _operator(_name))
    setattr(Variable, f"__r{_name}__", _operator(_name, reflected=True))
for _name in ("neg", "abs", "lt", "le", "gt", "ge"):
    setattr(Variable, f"__{_name}__", _operator(_name))
Variable.__getitem__ = _getitem

"""Types: cast, conversion, and values cut off from gradients."""

import numpy as np

from dseq.ops.function import Function, is_symbolic
from dseq.ops.reading import as_type, stopped
from dseq.ops.types import as_array, exactly, is_float, result_type, standard
from dseq.program.tensor import Tensor, is_tracing
from dseq.program.variable import Variable


class Cast(Function):
    """Another type for the same numbers."""

    module = "keras.src.ops.core"
    defaults = {"dtype": None}

    @staticmethod
    def compute(x, dtype):
        return exactly(x).astype(standard(dtype))

    def infer(self, x):
        return x._replace(dtype=standard(self.dtype), value=None)

    def write(self, plan, x):
        return as_type(plan, x, standard(self.dtype))


def cast(x, dtype):
    """Another type for the same numbers. In a model all floats are of the model's float type.

    Args:
        x: Tensor, variable, array or number.
        dtype: Name of a type. No gradient flows through integers and bools.
    """
    return Cast.apply(x, dtype=dtype)


def convert_to_tensor(x, dtype=None, sparse=None, ragged=None):
    """A value as an array, or as the symbolic tensor it is.

    Args:
        x: Tensor, variable, array, number or list of numbers.
        dtype: Its type; the one it has if None, where lists of Python's numbers have the default float type or int32.
        sparse: Must not be True.
        ragged: Must not be True.
    """
    if sparse or ragged:
        raise ValueError(f"`dseq.ops.convert_to_tensor` makes dense tensors. Received: {sparse=}, {ragged=}")
    if isinstance(x, Tensor) and (dtype is None or standard(dtype) == x.dtype):
        return x
    if is_symbolic([x]):
        return cast(x, dtype or x.dtype)
    array = as_array(x)
    array = array if dtype is None else array.astype(standard(dtype))
    return Constant()(array) if is_tracing() else array


class Constant(Cast):
    """A constant as a symbolic tensor, for results that depend on nothing."""

    defaults = {}

    def infer(self, x):
        return x._replace(dtype=result_type(x.dtype), value=None)

    def write(self, plan, x):
        return as_type(plan, x, result_type(x.dtype))


def convert_to_numpy(x):
    """The values of an array or variable as a NumPy array.

    Raises:
        TypeError: For a symbolic tensor, which has none.
    """
    return np.array(x) if isinstance(x, Variable) else np.asarray(x)


class StopGradient(Function):
    """The same values; no gradient flows."""

    module = "keras.src.ops.core"
    function_name = "stop_gradient"

    @staticmethod
    def compute(variable):
        return as_array(variable)

    def infer(self, x):
        return x._replace(value=None)

    def write(self, plan, x):
        return stopped(x)


def stop_gradient(variable):
    """The same values, through which no gradient flows.

    Args:
        variable: Tensor, variable or array.
    """
    return StopGradient.apply(variable)


def is_tensor(x) -> bool:
    """Whether something is a symbolic tensor, an array or a variable."""
    return isinstance(x, Tensor | Variable | np.ndarray)


def saturate_cast(x, dtype):
    """Another type, where numbers beyond its range become its first or last.

    Args:
        x: Tensor, variable, array or number.
        dtype: Name of a type.
    """
    from dseq.ops.selection import clip

    target = standard(dtype)
    if not is_float(target) and target != "bool":
        limits = np.iinfo(target)
        x = clip(x, limits.min, limits.max)
    return cast(x, target)

"""New arrays, and what is known of tensors."""

import numpy as np

from dseq.ops.arithmetic import add, logical_and
from dseq.ops.casting import cast
from dseq.ops.composite import Composite
from dseq.ops.drawing import filled, is_per_sample
from dseq.ops.types import as_array, standard, type_of
from dseq.program.floatx import floatx
from dseq.program.tensor import Tensor


def zeros(shape, dtype=None):
    """An array of zeros.

    Args:
        shape: Its shape; in a layer's `call` the first size may be None, for a row for each sample.
        dtype: Its type; the default float type if None.
    """
    if is_per_sample(shape):
        return filled(shape, 0, dtype)
    return np.zeros(shape, standard(dtype or floatx()))


def ones(shape, dtype=None):
    """An array of ones.

    Args:
        shape: Its shape; in a layer's `call` the first size may be None, for a row for each sample.
        dtype: Its type; the default float type if None.
    """
    if is_per_sample(shape):
        return filled(shape, 1, dtype)
    return np.ones(shape, standard(dtype or floatx()))


def empty(shape, dtype=None):
    """An array of zeros: whatever else it would hold, no two runs would hold the same; arguments as for `zeros`."""
    return zeros(shape, dtype)


def full(shape, fill_value, dtype=None):
    """An array of one value.

    Args:
        shape: Its shape; in a layer's `call` the first size may be None, for a row for each sample.
        fill_value: The value.
        dtype: Its type; the default float type if None.
    """
    if is_per_sample(shape):
        return filled(shape, fill_value, dtype)
    return np.full(shape, fill_value, standard(dtype or floatx()))


def eye(N, M=None, k=0, dtype=None):
    """A matrix of zeros with ones along a diagonal.

    Args:
        N: Number of rows.
        M: Number of columns, N if None.
        k: Which diagonal; 0 is the main one, those above are positive.
        dtype: Its type; the default float type if None.
    """
    return np.eye(N, M, k, standard(dtype or floatx()))


def identity(n, dtype=None):
    """The identity matrix.

    Args:
        n: Number of rows and columns.
        dtype: Its type; the default float type if None.
    """
    return eye(n, dtype=dtype)


def tri(N, M=None, k=0, dtype=None):
    """A matrix with ones up to a diagonal and zeros above; arguments as for `eye`."""
    return np.tri(N, M, k, standard(dtype or floatx()))


def arange(start, stop=None, step=None, dtype=None):
    """Numbers from a start up to a stop, which is left out.

    Args:
        start: The first number; the stop if there is none, and 0 is the first.
        stop: Where it ends.
        step: The distance, 1 if None.
        dtype: Its type; int32 for integers, else the default float type.
    """
    given = [n for n in (start, stop, step) if n is not None]
    whole = all(isinstance(n, int | np.integer) for n in given)
    first, last = (0, start) if stop is None else (start, stop)
    return np.arange(first, last, 1 if step is None else step).astype(
        standard(dtype or ("int32" if whole else floatx()))
    )


def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    """Numbers at equal distances, as `numpy.linspace` gives them.

    Args:
        start: The first.
        stop: The last.
        num: How many.
        endpoint: Whether the last is among them.
        retstep: Whether the distance is returned, too.
        dtype: Their type; the default float type if None.
        axis: The axis along which they lie, where start and stop are arrays.
    """
    kind = standard(dtype or floatx())
    made = np.linspace(as_array(start), as_array(stop), num, endpoint, retstep, axis=axis)
    return (made[0].astype(kind), made[1]) if retstep else made.astype(kind)


class FullLike(Composite):
    """One value, in the shape of a tensor."""

    defaults = {"dtype": None}
    function_name = "full_like"

    @staticmethod
    def compute(x, fill_value, dtype):
        x = as_array(x)
        return np.full(x.shape, fill_value, standard(dtype) if dtype else x.dtype)

    @staticmethod
    def expression(x, fill_value, dtype):
        none = logical_and(x, False)
        return add(cast(none, dtype or x.dtype), cast(fill_value, dtype or x.dtype))


def full_like(x, fill_value, dtype=None):
    """One value, in the shape of a tensor.

    Args:
        x: Tensor, variable or array.
        fill_value: The value.
        dtype: The type; that of x if None.
    """
    return FullLike.apply(x, fill_value, dtype=dtype)


class ZerosLike(FullLike):
    """Zeros in the shape of a tensor."""

    function_name = "zeros_like"
    number = 0

    @classmethod
    def compute(cls, x, dtype):
        return FullLike.compute(x, cls.number, dtype)

    @classmethod
    def expression(cls, x, dtype):
        return FullLike.expression(x, cls.number, dtype)


class OnesLike(ZerosLike):
    """Ones in the shape of a tensor."""

    function_name = "ones_like"
    number = 1


def zeros_like(x, dtype=None):
    """Zeros in the shape of a tensor.

    Args:
        x: Tensor, variable or array.
        dtype: The type; that of x if None.
    """
    return ZerosLike.apply(x, dtype=dtype)


def ones_like(x, dtype=None):
    """Ones in the shape of a tensor; arguments as for `zeros_like`."""
    return OnesLike.apply(x, dtype=dtype)


def shape(x) -> tuple:
    """The shape of a tensor, variable or array: None stands for the batch of a symbolic tensor."""
    return tuple(x.shape) if hasattr(x, "shape") else as_array(x).shape


def ndim(x) -> int:
    """The number of axes of a tensor, variable or array."""
    return len(shape(x))


def size(x):
    """The number of elements of a tensor, variable or array; None if data will say."""
    sizes = shape(x)
    return None if None in sizes else int(np.prod(sizes, dtype=np.int64))


def dtype(x) -> str:
    """The name of the type of a tensor, variable or array."""
    return x.dtype if isinstance(x, Tensor) else standard(type_of(x))

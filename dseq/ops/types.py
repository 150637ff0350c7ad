"""Which type a result has, by Keras' rules.

Python's numbers are weak: they take the type of what they meet. Integers that meet floats take their type, and a
division of integers is of the default float type.
"""

import numpy as np

from dseq.program.floatx import floatx
from dseq.program.tensor import Tensor
from dseq.program.variable import Variable

WEAK = ("int", "float")


def type_of(x) -> str:
    """The name of a value's type; `"int"` and `"float"` for numbers of Python's."""
    if isinstance(x, Tensor | Variable):
        return x.dtype
    if isinstance(x, bool | np.bool_):
        return "bool"
    if isinstance(x, int | np.integer):
        return "int"
    if isinstance(x, float | np.floating):
        return "float"
    if isinstance(x, np.ndarray):
        return x.dtype.name
    return as_array(x).dtype.name


def exactly(x) -> np.ndarray:
    """A value as an array that has lost nothing yet: Python's numbers are as exact as they are."""
    return x.array if isinstance(x, Variable) else np.asarray(x)


def as_array(x) -> np.ndarray:
    """A value as an array; lists of Python's numbers become the default float type, or int32."""
    if isinstance(x, np.ndarray):
        return x
    if isinstance(x, Variable):
        return x.array
    holds_arrays = isinstance(x, list | tuple) and any(hasattr(part, "dtype") for part in x)
    array = np.asarray(x)
    if isinstance(x, np.generic) or holds_arrays:
        return array
    if array.dtype == np.float64:
        return array.astype(floatx())
    return array.astype(np.int32) if array.dtype.kind == "i" else array


def is_float(dtype) -> bool:
    """Whether a type is one of floats, weak ones too."""
    return dtype == "float" or (dtype != "int" and np.dtype(dtype).kind == "f")


def result_type(*dtypes) -> str:
    """The type in which values of these types meet.

    Args:
        *dtypes: Names of types, weak ones among them.

    Returns:
        The name of a type that is not weak.
    """
    strong = [np.dtype(d) for d in dtypes if d not in WEAK]
    floats = [d for d in strong if d.kind == "f"]
    if floats:
        return max(floats, key=lambda d: d.itemsize).name
    if "float" in dtypes:
        return floatx()
    integers = [d for d in strong if d.kind in "iu"]
    if integers:
        met = np.result_type(*integers)
        return floatx() if met.kind == "f" else met.name
    return "int32" if "int" in dtypes else "bool"


def float_type(*dtypes) -> str:
    """The float type in which values of these types meet."""
    met = result_type(*dtypes)
    return met if is_float(met) else floatx()


def standard(dtype) -> str:
    """A type as users write it (a name, a NumPy type, Python's `int`, `float` or `bool`) by its name."""
    if dtype in (float, "float"):
        return floatx()
    if dtype in (int, "int"):
        return "int32"
    return np.dtype(dtype).name

"""Keras' `backend` functions that still have a use."""

import gc

import numpy as np

from dseq.program import naming
from dseq.program.floatx import (
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from dseq.program.tensor import Tensor


def clear_session(free_memory=True) -> None:
    """Starts the automatic names of layers anew: the next `Dense` is called `dense` again.

    Args:
        free_memory: Whether to collect models that nobody holds any more.
    """
    naming.reset()
    if free_memory:
        gc.collect()


def backend() -> str:
    """What computes: `"dseq"`, which is none of Keras' backends."""
    return "dseq"


def get_uid(prefix="") -> int:
    """The next number for automatic names that begin with a prefix, from 1 on.

    Args:
        prefix: The prefix.
    """
    number = naming.auto_name(prefix).removeprefix(prefix).removeprefix("_")
    return int(number) + 1 if number else 1


def is_keras_tensor(x) -> bool:
    """Whether a value is symbolic: `dseq.Input` or what layers make of it."""
    return isinstance(x, Tensor)


def is_float_dtype(dtype) -> bool:
    """Whether a type is one of floats."""
    return np.dtype(standardize_dtype(dtype)).kind == "f"


def is_int_dtype(dtype) -> bool:
    """Whether a type is one of integers."""
    return np.dtype(standardize_dtype(dtype)).kind in "iu"


def standardize_dtype(dtype) -> str:
    """The name of a type.

    Args:
        dtype: A name, a NumPy type or a Python type; the default float type if None.

    Raises:
        ValueError: If it is none.
    """
    names = {bool: "bool", int: "int64", float: floatx(), "int": "int64", "float": floatx(), None: floatx()}
    try:
        return names[dtype] if dtype in names else np.dtype(dtype).name
    except TypeError as error:
        raise ValueError(f"Invalid dtype: {dtype!r}") from error


__all__ = [
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "get_uid",
    "image_data_format",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "standardize_dtype",
]

"""The default type of weights and activations, and Keras' small constant."""

import numpy as np

_floatx = "float32"
_epsilon = 1e-7


def floatx() -> str:
    """The default floating-point type, `"float32"` or `"float64"`."""
    return _floatx


def set_floatx(value: str) -> None:
    """Sets the type in which layers made from now on keep weights and compute.

    Args:
        value: `"float32"` or `"float64"`.

    Raises:
        ValueError: For any other type.
    """
    global _floatx
    if value not in ("float32", "float64"):
        raise ValueError(f"`floatx` must be 'float32' or 'float64'. Received: {value!r}")
    _floatx = value


def epsilon() -> float:
    """The constant that keeps logarithms and divisions finite, 1e-7 unless set."""
    return _epsilon


def set_epsilon(value: float) -> None:
    """Sets the value `epsilon()` returns."""
    global _epsilon
    _epsilon = float(value)


def standardize(dtype) -> str:
    """The name of a float type; `None` means `floatx()`.

    Raises:
        ValueError: If the type is not one dseq computes in.
    """
    name = _floatx if dtype is None else np.dtype(getattr(dtype, "name", dtype)).name
    if name not in ("float32", "float64"):
        raise ValueError(f"dseq computes in float32 or float64. Received: dtype={dtype!r}")
    return name

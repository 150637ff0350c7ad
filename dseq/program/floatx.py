"""The defaults: the type of weights and activations, Keras' small constant, where images have their channels."""

import numpy as np

_floatx = "float32"
_epsilon = 1e-7
_image_data_format = "channels_last"


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


def image_data_format() -> str:
    """Where images have their channels unless a layer says otherwise, `"channels_last"` or `"channels_first"`."""
    return _image_data_format


def set_image_data_format(data_format: str) -> None:
    """Sets where layers made from now on expect channels. Images with channels last are faster.

    Args:
        data_format: `"channels_last"` or `"channels_first"`.

    Raises:
        ValueError: For anything else.
    """
    global _image_data_format
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            "The `data_format` argument must be one of {'channels_first', 'channels_last'}. "
            f"Received: data_format={data_format!r}"
        )
    _image_data_format = data_format

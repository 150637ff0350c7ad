"""Vectors of length one."""

import numpy as np


def normalize(x, axis=-1, order=2) -> np.ndarray:
    """Divides an array by its norm along an axis; a vector of norm 0 stays 0.

    Args:
        x: Array.
        axis: Axis along which the norm is taken.
        order: Which norm: 2 Euclidean, 1 sum of absolute values, and so on.

    Returns:
        Array of the shape of `x`.
    """
    x = np.asarray(x)
    if x.ndim == 0:
        x = x.reshape(1)
    norm = np.asarray(np.linalg.norm(x, order, axis, keepdims=True))
    return x / np.where(norm == 0, 1, norm)

"""Initializers without randomness."""

import numpy as np

from dseq.initializers.initializer import Initializer, standardize


class Zeros(Initializer):
    """All values are 0."""

    def __call__(self, shape, dtype=None):
        return np.zeros(*standardize(shape, dtype))


class Ones(Initializer):
    """All values are 1."""

    def __call__(self, shape, dtype=None):
        return np.ones(*standardize(shape, dtype))


class Constant(Initializer):
    """All values are one number.

    Args:
        value: The number, or an array that broadcasts to the weight's shape.
    """

    def __init__(self, value=0.0):
        self.value = value

    def __call__(self, shape, dtype=None):
        shape, dtype = standardize(shape, dtype)
        try:
            return np.array(np.broadcast_to(np.asarray(self.value), shape), dtype)
        except ValueError:
            raise ValueError(
                f"`value` of Constant must be a number or broadcast to the weight's shape {shape}. "
                f"Received: an array of shape {np.shape(self.value)}"
            ) from None

    def get_config(self):
        return {"value": self.value.tolist() if isinstance(self.value, np.ndarray | np.generic) else self.value}


class Identity(Initializer):
    """The identity matrix, for weights with two axes; a matrix that is not square has ones on its main diagonal.

    Args:
        gain: Factor on all values.
    """

    def __init__(self, gain=1.0):
        self.gain = gain

    def __call__(self, shape, dtype=None):
        shape, dtype = standardize(shape, dtype)
        if len(shape) != 2:
            raise ValueError(f"Identity makes matrices only: the weight must have two axes. Received: shape={shape}")
        return (self.gain * np.eye(*shape)).astype(dtype)

    def get_config(self):
        return {"gain": self.gain}

"""The initializer of orthogonal matrices."""

from math import prod

import numpy as np

from dseq.initializers.initializer import RandomInitializer, cast, standardize


class Orthogonal(RandomInitializer):
    """A random matrix with orthonormal columns, or rows if it has fewer of them (Saxe et al., 2014).

    Weights with more than two axes are seen as matrices whose rows are all axes but the last.

    Args:
        gain: Factor on all values.
        seed: Integer, or None for fresh values in each object.
    """

    def __init__(self, gain=1.0, seed=None):
        super().__init__(seed)
        self.gain = gain

    def __call__(self, shape, dtype=None):
        shape, dtype = standardize(shape, dtype)
        if len(shape) < 2:
            raise ValueError(f"The weight that Orthogonal fills must have two axes or more. Received: shape={shape}")
        rows, columns = prod(shape[:-1]), shape[-1]
        if rows == 0 or columns == 0:
            return np.zeros(shape, dtype)
        normal = self.generator().standard_normal((max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(normal)
        q *= np.where(np.diag(r) < 0, -1.0, 1.0)  # makes all orthogonal matrices equally likely
        return cast(self.gain * (q.T if rows < columns else q), shape, dtype)

    def get_config(self):
        return {**super().get_config(), "gain": self.gain}

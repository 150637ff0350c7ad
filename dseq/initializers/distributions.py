"""Initializers that draw from a distribution of fixed width."""

import numpy as np

from dseq.initializers.initializer import RandomInitializer, cast, standardize


class RandomUniform(RandomInitializer):
    """Uniform values.

    Args:
        minval: Lower end.
        maxval: Upper end, excluded.
        seed: Integer, or None for fresh values in each object.
    """

    def __init__(self, minval=-0.05, maxval=0.05, seed=None):
        super().__init__(seed)
        self.minval, self.maxval = minval, maxval

    def __call__(self, shape, dtype=None):
        shape, dtype = standardize(shape, dtype)
        return cast(self.generator().uniform(self.minval, self.maxval, shape), shape, dtype)

    def get_config(self):
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


class RandomNormal(RandomInitializer):
    """Normal values.

    Args:
        mean: Their mean.
        stddev: Their standard deviation.
        seed: Integer, or None for fresh values in each object.
    """

    def __init__(self, mean=0.0, stddev=0.05, seed=None):
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def __call__(self, shape, dtype=None):
        shape, dtype = standardize(shape, dtype)
        return cast(self.generator().normal(self.mean, self.stddev, shape), shape, dtype)

    def get_config(self):
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomNormal):
    """Normal values; those further than two standard deviations from the mean are drawn again.

    Args:
        mean: Mean of the values.
        stddev: Standard deviation before truncation (the values' own is 0.88 of it).
        seed: Integer, or None for fresh values in each object.
    """

    def __call__(self, shape, dtype=None):
        shape, dtype = standardize(shape, dtype)
        values = truncated_normal(self.generator(), shape)
        return cast(self.mean + self.stddev * values, shape, dtype)


def truncated_normal(generator: np.random.Generator, shape: tuple) -> np.ndarray:
    """Standard normal values without those beyond 2."""
    values = generator.standard_normal(int(np.prod(shape, dtype=np.int64)))
    outside = np.flatnonzero(np.abs(values) > 2)
    while outside.size:
        values[outside] = generator.standard_normal(outside.size)
        outside = outside[np.abs(values[outside]) > 2]
    return values.reshape(shape)

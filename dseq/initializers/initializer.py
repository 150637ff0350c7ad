"""What every initializer has: a call that makes values, and a configuration."""

import numpy as np

from dseq.program.floatx import floatx
from dseq.program.seeds import next_seed


class Initializer:
    """The base of initializers: `initializer(shape, dtype)` gives the first values of a weight.

    A class of your own implements `__call__` and, if its constructor takes arguments, `get_config`.

    Example:
        >>> class Halves(Initializer):
        ...     def __call__(self, shape, dtype=None):
        ...         return np.full(shape, 0.5, dtype)
    """

    def __call__(self, shape, dtype=None) -> np.ndarray:
        """Makes the values.

        Args:
            shape: Shape of the weight.
            dtype: Its type, `dseq.config.floatx()` if None.
        """
        raise NotImplementedError(
            f"Initializer {type(self).__name__} must implement `__call__(self, shape, dtype=None)`."
        )

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict) -> "Initializer":
        """An initializer with this configuration."""
        return cls(**config)

    def clone(self) -> "Initializer":
        """A copy; without a seed of its own it draws other values."""
        return type(self).from_config(self.get_config())

    def __repr__(self):
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items() if value is not None)
        return f"{type(self).__name__}({arguments})"


class RandomInitializer(Initializer):
    """The base of random initializers. An object gives the same values for the same shape at each call.

    Args:
        seed: Integer >= 0 that fixes the values, or None to draw one from `dseq.utils.set_random_seed`'s generator.

    Raises:
        ValueError: If `seed` is something else.
    """

    def __init__(self, seed=None):
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0):
            raise ValueError(
                f"`seed` of {type(self).__name__} must be an integer >= 0 or None. Received: seed={seed!r}"
            )
        self._given_seed = None if seed is None else int(seed)
        self.seed = next_seed() if seed is None else int(seed)

    def generator(self) -> np.random.Generator:
        """A counter-based generator at its start: what it gives depends on the seed alone."""
        return np.random.Generator(np.random.Philox(self.seed))

    def get_config(self):
        return {"seed": self._given_seed}


def standardize(shape, dtype):
    """A shape as a tuple of ints, and a NumPy type; None means `floatx()`."""
    shape = (shape,) if isinstance(shape, int | np.integer) else tuple(int(n) for n in shape)
    return shape, np.dtype(floatx() if dtype is None else getattr(dtype, "name", dtype))


def cast(values: np.ndarray, shape: tuple, dtype: np.dtype) -> np.ndarray:
    """Values drawn in float64, so that float32 and float64 models begin with the same weights to rounding."""
    return np.ascontiguousarray(values.reshape(shape), dtype=dtype)

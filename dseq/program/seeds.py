"""Where randomness begins: one generator that hands out seeds."""

import random

import numpy as np

_generator = np.random.default_rng()


def set_random_seed(seed: int) -> None:
    """Makes everything random in this process reproducible: Python's, NumPy's and dseq's generators.

    Args:
        seed: An integer in [0, 2**32).

    Raises:
        ValueError: If `seed` is not such an integer.
    """
    global _generator
    if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise ValueError(f"`seed` must be an integer in [0, 2**32). Received: seed={seed!r}")
    random.seed(int(seed))
    np.random.seed(int(seed))
    _generator = np.random.default_rng(int(seed))


def next_seed() -> int:
    """A fresh 32-bit seed from the generator."""
    return int(_generator.integers(2**32))

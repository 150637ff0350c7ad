"""One seed for Python, NumPy and dseq."""

import random

import numpy as np
import pytest

from dseq.program.seeds import next_seed
from dseq.utils import set_random_seed


def draw():
    return random.random(), np.random.rand(), next_seed()


def test_everything_repeats():
    set_random_seed(7)
    first = draw()
    set_random_seed(7)
    assert draw() == first
    assert draw() != first


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, None])
def test_seed_must_be_an_integer(seed):
    with pytest.raises(ValueError, match="`seed` must be an integer"):
        set_random_seed(seed)

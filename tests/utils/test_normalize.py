"""Vectors of length one."""

import numpy as np
import pytest

from dseq.utils import normalize


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_norm_is_one(axis, order):
    x = np.random.default_rng(0).normal(size=(4, 6))
    np.testing.assert_allclose(np.linalg.norm(normalize(x, axis, order), order, axis), 1)


def test_values():
    np.testing.assert_allclose(normalize([[3.0, 4.0], [0.0, 0.0]]), [[0.6, 0.8], [0, 0]])

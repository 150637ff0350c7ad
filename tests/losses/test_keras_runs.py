"""Training with every loss, weighted and not, masked and not, against Keras."""

import numpy as np
import pytest

from tests.losses import keras_runs


@pytest.mark.parametrize("case", keras_runs.EXPECTED, ids=lambda case: f"{case[0]}{'-weighted' * case[1]}")
def test_run(case):
    losses, weights = keras_runs.run(*case)
    expected, total = keras_runs.EXPECTED[case]
    np.testing.assert_allclose(losses, expected, rtol=2e-5)
    # Sums of weights of both signs, which mape drives to 1e6.
    np.testing.assert_allclose(weights, total, rtol=2e-5, atol=2e-5 * max(1.0, np.abs(expected).max() ** 0.5))

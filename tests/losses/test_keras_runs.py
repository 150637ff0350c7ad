"""Training with every loss, weighted and not, masked and not, against Keras."""

import pytest

from tests.losses import keras_runs


@pytest.mark.parametrize("case", keras_runs.EXPECTED, ids=lambda case: f"{case[0]}{'-weighted' * case[1]}")
def test_run(case):
    keras_runs.check(case, keras_runs.run(*case))

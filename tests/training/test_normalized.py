"""Networks with normalisation, regularizers and constraints train as in Keras."""

import pytest

import dseq
from tests.training import normalized_runs


@pytest.mark.parametrize("name", normalized_runs.KERAS)
def test_keras_runs(name):
    normalized_runs.check(name, normalized_runs.run(dseq, name))

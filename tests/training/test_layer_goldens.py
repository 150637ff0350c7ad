"""Networks of convolutions, pooling, embeddings and steps train as in Keras."""

import pytest

import dseq as keras
from tests.training import layer_goldens


@pytest.mark.parametrize("name", layer_goldens.NETWORKS)
def test_six_steps(name):
    layer_goldens.check(name, layer_goldens.run(keras, name))

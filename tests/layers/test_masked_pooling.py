"""The mean over a sequence leaves out the steps that a mask says do not count."""

import numpy as np
import pytest

import dseq
from dseq import layers

TABLE = np.arange(10, dtype=np.float32).reshape(5, 2)
TOKENS = np.array([[1, 2, 0, 0], [3, 1, 2, 0], [0, 0, 0, 0]])
MEANS = [(TABLE[1] + TABLE[2]) / 2, (TABLE[3] + TABLE[1] + TABLE[2]) / 3, [0, 0]]


@pytest.mark.parametrize("keepdims", [False, True])
def test_mean_of_the_steps_that_count(keepdims):
    between = [layers.Embedding(5, 2, mask_zero=True), layers.Dropout(0.5)]
    pooling = layers.GlobalAveragePooling1D(keepdims=keepdims)
    model = dseq.Sequential([dseq.Input((4,), dtype="int64"), *between, pooling])
    model.set_weights([TABLE])
    expected = np.reshape(MEANS, (3, 1, 2) if keepdims else (3, 2))
    assert model.output_shape == (None, *expected.shape[1:])
    np.testing.assert_allclose(model.predict(TOKENS, verbose=0), expected, rtol=1e-6)


def test_gradient_goes_to_the_steps_that_count():
    embedding = layers.Embedding(5, 2, mask_zero=True)
    model = dseq.Sequential([dseq.Input((4,), dtype="int64"), embedding, layers.GlobalAveragePooling1D()])
    model.set_weights([TABLE])
    model.compile(dseq.optimizers.SGD(1.0), "mse")
    model.train_on_batch(TOKENS[:1], np.zeros((1, 2)))
    # d mean((row 1 + row 2) / 2)^2 over 2 values: the mean itself, half to each row.
    moved = TABLE - model.get_weights()[0]
    np.testing.assert_allclose(moved[1:3], np.tile(MEANS[0] / 2, (2, 1)), rtol=1e-6)
    assert not moved[[0, 3, 4]].any()

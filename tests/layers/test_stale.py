"""What was written down for one call is not used for another that differs."""

import gc

import numpy as np
import pytest

import dseq
from dseq import layers, ops

ONES = np.ones((2, 3), "float32")


class Apply(layers.Layer):
    def call(self, x, function):
        return function(x)


class Plus(layers.Layer):
    def call(self, x, table):
        return x + table


def test_each_function_given_to_a_call_is_called():
    layer = Apply()
    for k in range(12):  # the addresses of functions that are gone are given to new ones
        assert layer(ONES, eval(f"lambda x: x * {k}.0"))[0, 0] == k


def test_large_tables_that_differ_in_the_middle():
    first, second = np.zeros(3000, "float32"), np.zeros(3000, "float32")
    second[1500] = 5
    x, plus = dseq.Input((3000,)), Plus()
    model = dseq.Model(x, [plus(x, first), plus(x, second)])
    a, b = model.predict(np.zeros((2, 3000), "float32"), verbose=0)
    assert (a[0, 1500], b[0, 1500]) == (0, 5)


def test_attributes_of_layers_with_kernels_count_at_once():
    x = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)
    inputs, dense, dropout = dseq.Input((4,)), layers.Dense(3), layers.Dropout(0.5)
    model = dseq.Model(inputs, dense(inputs))
    before = model.predict(x, verbose=0), model(x), dense(x)
    assert min(part.min() for part in before) < 0
    dense.activation = dseq.activations.get("relu")
    for now, linear in zip((model.predict(x, verbose=0), model(x), dense(x)), before, strict=True):
        np.testing.assert_array_equal(now, np.maximum(linear, 0))
    assert not dropout(np.ones((40, 5), "float32"), training=True).all()
    dropout.rate = 0.0
    assert dropout(np.ones((40, 5), "float32"), training=True).all()


def test_a_frozen_batch_normalisation_rests_at_once():
    x = np.arange(12, dtype="float32").reshape(4, 3)
    norm = layers.BatchNormalization(momentum=0.5, center=False, scale=False)  # no weight that is trained
    inputs = dseq.Input((3,))
    model = dseq.Model(inputs, layers.Dense(2)(norm(inputs)))
    model.compile("sgd", "mse")

    def run():
        model.fit(x, x[:, :2], batch_size=4, verbose=0)
        norm(x, training=True)
        return norm.moving_mean.numpy()

    moved = run()
    assert moved.all()
    norm.trainable = False
    np.testing.assert_array_equal(run(), moved)
    norm.trainable = True
    assert (run() != moved).all()


@pytest.mark.parametrize("eagerly", [False, True])
def test_calls_with_many_lengths_do_not_pile_up(eagerly):
    inputs = dseq.Input((None,))
    model = dseq.Model(inputs, layers.Lambda(lambda x: ops.sum(x, axis=-1, keepdims=True))(inputs))
    model._sessions.limit = model._eager._steps.limit = 3
    for length in range(1, 9):
        x = np.ones((2, length), "float32")
        result = model(x) if eagerly else model.predict(x, verbose=0)
        np.testing.assert_array_equal(result, [[length]] * 2)
    gc.collect()
    assert len(model._eager._steps if eagerly else model._sessions) == 3


def test_sessions_of_a_graph_that_was_changed_are_dropped():
    model = dseq.Sequential([dseq.Input((3,)), layers.Dense(2)])
    for _ in range(4):
        model.predict(ONES, verbose=0)
        model.layers[0].activation = dseq.activations.get("relu")
    model.predict(ONES, verbose=0)
    assert len(model._sessions) == 1

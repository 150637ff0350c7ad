"""Steps that hold several shards: what they compute is what one shard computes, to rounding."""

import numpy as np
import pytest

import dseq as keras
from dseq import config, layers
from dseq.parallel.shard import Division
from dseq.program import rewriting, shards

RNG = np.random.default_rng(0)
X = RNG.normal(size=(27, 6)).astype("float32")
LABELS = RNG.integers(0, 3, 27)


class Python(layers.Layer):
    """A layer whose function is plain Python, and looks at all samples besides."""

    def call(self, x):
        doubled = layers.Lambda(lambda a: 2 * a, gradient=lambda dy, a: 2 * dy)(x)
        return doubled - keras.ops.max(x, axis=0) + keras.ops.mean(x, axis=0)


def dense():
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="tanh", kernel_regularizer="l1", activity_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.4),
            Python(),
            layers.Dense(3, activation="softmax"),
        ]
    ), "sparse_categorical_crossentropy"  # fmt: skip


def embeddings():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(4), layers.UnitNormalization()])
    return model, keras.losses.Circle()


def images():
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Reshape((3, 2, 1)),
            layers.Conv2D(3, 2, padding="same", activation="relu"),
            layers.MaxPooling2D((2, 1)),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    return model, "sparse_categorical_crossentropy"


def products():
    """Products whose gradients can be summed as they are made, and such that others are added to."""
    x = keras.Input((6,))
    shared = layers.Dense(15, activation="relu")
    h = layers.Flatten()(layers.Dense(5, activation="relu")(layers.Reshape((3, 2))(x)))  # three rows a sample
    h = layers.Dense(8, kernel_regularizer="l2")(layers.Concatenate()([shared(shared(h)), x]))
    return keras.Model(x, layers.Dense(3, activation="softmax")(h)), "sparse_categorical_crossentropy"


def trained(make, strict, found=None, **options):
    keras.utils.set_random_seed(7)
    model, loss = make()
    metrics = [] if make is embeddings else ["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2)]
    optimizer = keras.optimizers.Adam(0.01, global_clipnorm=1.0, gradient_accumulation_steps=options.pop("every", None))
    model.compile(optimizer, loss, metrics=metrics, strict=strict, **options)
    if found is not None:
        found.append(model)
    history = model.fit(X, LABELS, batch_size=11, epochs=2, verbose=0, validation_data=(X[:7], LABELS[:7])).history
    single = model.train_on_batch(X[:5], LABELS[:5], return_dict=True)  # fewer rows than shards
    return [*model.get_weights(), *history.values(), *single.values(), model.predict(X, verbose=0)]


@pytest.mark.parametrize("make", [dense, embeddings, images])
def test_shards_compute_what_one_would(make):
    expected = trained(make, False)
    for strict in (True, 3):
        for one, several in zip(expected, trained(make, strict), strict=True):
            np.testing.assert_allclose(several, one, rtol=2e-4, atol=2e-5)


def summed_as_made(model):
    calls = model.plans["training"].backward_calls
    return [args[0].shape for kernel, args in calls if kernel.__name__.startswith("dense_tree")]


@pytest.mark.parametrize("every", [None, 2])
def test_how_shards_are_summed_changes_no_bit(monkeypatch, every):
    """Row by row for all shards and along the tree as products are made; shard by shard and then summed."""
    models, compiled = [], [] if every else [(3,), (8, 3), (8,), (5,), (2, 5)]
    arms = [{"strict": 8}, {"strict": 8, "jit_compile": False}, {"strict": 5}]
    fast = [trained(products, every=every, found=models, **arm) for arm in arms]
    assert [summed_as_made(model) for model in models] == [compiled] * 3
    monkeypatch.setattr(config, "threads", 3)
    fast.append(trained(products, 8, every=every))
    monkeypatch.setattr(config, "threads", 1)
    monkeypatch.setattr(shards, "ROW_BY_ROW", set())
    with rewriting.limited_to(*rewriting.REWRITES.keys() - {"sums"}):
        slow = [trained(products, every=every, found=models, **arm) for arm in arms]
    assert summed_as_made(models[-1]) == []
    for several, one in zip(fast, [*slow, slow[0]], strict=True):
        for a, b in zip(several, one, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("make", [dense, images])
def test_threads_change_no_bit(make, monkeypatch):
    expected = trained(make, True)
    monkeypatch.setattr(config, "threads", 3)
    for one, several in zip(expected, trained(make, None), strict=True):
        np.testing.assert_array_equal(several, one)


def test_what_strict_may_be():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(1)])
    for bad in (0, -1, 2.5, "yes"):
        with pytest.raises(ValueError, match="`strict` must be None, a bool or a number of shards. Received"):
            model.compile("sgd", "mse", strict=bad)
    model.compile("sgd", "mse", strict=5)
    assert model.division.shards == 5 and model.division.strict
    model.compile("sgd", "mse", strict=1)
    assert model.division.shards == config.shards == 8
    model.compile("sgd", "mse")
    assert model.division.shards == 1 and not model.division.strict
    assert Division(0, 1).cuts(4) == [0, 4]

"""Inputs, targets and weights as arrays, lists, tuples and dicts by name, in every combination."""

from itertools import product

import numpy as np
import pytest

import dseq as keras
from dseq import layers

RNG = np.random.default_rng(0)
A, B = RNG.random((20, 3)).astype("float32"), RNG.random((20, 2)).astype("float32")
P, Q = RNG.random((20, 1)).astype("float32"), np.arange(20) % 3
V, W = np.linspace(0, 1, 20), np.linspace(2, 1, 20)


def network(form=list):
    keras.utils.set_random_seed(1)
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    joined = layers.Concatenate()([a, b])
    p, q = layers.Dense(1, name="p")(joined), layers.Dense(3, "softmax", name="q")(joined)
    inputs, outputs = ([a, b], [p, q]) if form is list else ({"a": a, "b": b}, {"p": p, "q": q})
    model = keras.Model(inputs, outputs)
    losses = {"p": "mse", "q": "sparse_categorical_crossentropy"}
    model.compile("sgd", losses if form is dict else [losses["p"], losses["q"]])
    return model


INPUTS = {"list": [A, B], "tuple": (A, B), "dict": {"b": B, "a": A}}
TARGETS = {"list": [P, Q], "tuple": (P, Q), "dict": {"q": Q, "p": P}}
WEIGHTS = {"list": [V, W], "tuple": (V, W), "dict": {"q": W, "p": V}}


@pytest.fixture(scope="module")
def expected():
    model = network()
    history = model.fit([A, B], [P, Q], sample_weight=[V, W], epochs=2, shuffle=False, batch_size=8, verbose=0).history
    return history, model.get_weights()


@pytest.mark.parametrize("kinds", list(product(INPUTS, TARGETS, WEIGHTS)), ids="-".join)
def test_every_combination(kinds, expected):
    x, y, weights = INPUTS[kinds[0]], TARGETS[kinds[1]], WEIGHTS[kinds[2]]
    model = network()
    options = {"epochs": 2, "shuffle": False, "batch_size": 8, "verbose": 0}
    history = model.fit(x, y, sample_weight=weights, validation_data=(x, y, weights), **options).history
    assert {name: values for name, values in history.items() if not name.startswith("val_")} == expected[0]
    assert len(history) == 2 * len(expected[0])
    for a, b in zip(model.get_weights(), expected[1], strict=True):
        np.testing.assert_array_equal(a, b)
    batches = [tuple(rows_of(part, lo, lo + 8) for part in (x, y, weights)) for _ in range(2) for lo in range(0, 20, 8)]
    again = network()
    assert again.fit(iter(batches), steps_per_epoch=3, epochs=2, verbose=0).history == expected[0]


def rows_of(part, lo, hi):
    if isinstance(part, dict):
        return {name: array[lo:hi] for name, array in part.items()}
    return type(part)(array[lo:hi] for array in part)


def test_models_of_dicts_give_dicts():
    model = network(dict)
    lists = network(list)
    given = {"b": B, "a": A, "more": RNG.random((20, 9))}
    outputs = model.predict(given, verbose=0)
    assert set(outputs) == {"p", "q"}
    for output, other in zip((outputs["p"], outputs["q"]), lists.predict([A, B], verbose=0), strict=True):
        np.testing.assert_array_equal(output, other)
    on_batch = model.predict_on_batch(given)
    np.testing.assert_array_equal(on_batch["p"], outputs["p"])
    logs = model.train_on_batch(given, {"p": P, "q": Q}, sample_weight={"p": V, "q": W}, return_dict=True)
    assert logs == lists.train_on_batch([A, B], [P, Q], sample_weight=[V, W], return_dict=True)
    assert model.test_on_batch(given, {"p": P, "q": Q}) == lists.test_on_batch([A, B], [P, Q])
    assert model.evaluate(given, {"p": P, "q": Q}, verbose=0) == lists.evaluate([A, B], [P, Q], verbose=0)


def test_weights_for_some_outputs_and_for_all():
    model = network()
    some = model.test_on_batch([A, B], [P, Q], sample_weight={"q": W})
    np.testing.assert_allclose(some, model.test_on_batch([A, B], [P, Q], sample_weight=[np.ones(20), W]), rtol=1e-6)
    both = model.test_on_batch([A, B], [P, Q], sample_weight=W)
    np.testing.assert_allclose(both, model.test_on_batch([A, B], [P, Q], sample_weight=[W, W]), rtol=1e-6)


def test_plain_lists_of_numbers():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    kernel, bias = model.get_weights()
    rows = [[1.0, 2.0], [3.0, 4.0]]
    np.testing.assert_allclose(model.predict(rows, verbose=0), np.array(rows) @ kernel + bias, rtol=1e-6)
    assert np.isfinite(model.fit(rows, [1.0, 0.0], verbose=0).history["loss"]).all()


@pytest.mark.parametrize(
    "use, message",
    [
        (lambda m: m.predict({"a": A}, verbose=0), 'Missing data for input "b"'),
        (lambda m: m.fit({"a": A}, [P, Q], verbose=0), 'Missing data for input "b"'),
        (lambda m: m.fit([A, B], {"p": P}, verbose=0), r"one entry for each output \['p', 'q'\]"),
        (lambda m: m.fit([A, B], {"p": P, "r": Q}, verbose=0), "one entry for each output"),
        (lambda m: m.fit([A], [P, Q], verbose=0), "Received: .*1 array"),
        (lambda m: m.fit([A, B[:9]], [P, Q], verbose=0), "'x' sizes: 20, 9"),
        (lambda m: m.fit([A, B], [P], verbose=0), "each needs targets"),
        (lambda m: m.fit([A, B], [P, Q], sample_weight=[V, W, W], verbose=0), "one array, or one for each output"),
        (lambda m: m.fit([A, B], [P, Q], class_weight={0: 2}, verbose=0), "only supported for Models with a single"),
        (lambda m: m.fit([A, "b"], [P, Q], verbose=0), "`x` must be a NumPy array"),
    ],
)
def test_errors(use, message):
    with pytest.raises(ValueError, match=message):
        use(network())


def test_lists_of_results_go_in_the_order_of_compile():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae", keras.metrics.RootMeanSquaredError(name="a"), "mape"])
    named = model.evaluate(A, P, return_dict=True, verbose=0)
    assert set(named) == {"loss", "mae", "a", "mape"}
    assert model.evaluate(A, P, verbose=0) == [named[name] for name in ("loss", "mae", "a", "mape")]
    assert model.metrics_names == ["loss", "mae", "a", "mape"]

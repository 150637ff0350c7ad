"""Models of symbolic tensors: shared layers, parts of other models, several inputs."""

import numpy as np
import pytest

import dseq as keras
from dseq import layers


@pytest.fixture(autouse=True)
def fresh_names():
    keras.backend.clear_session(free_memory=False)


X = np.random.default_rng(0).standard_normal((40, 6)).astype("float32")
Y = (X[:, 0] > 0).astype("int64")


def test_a_chain_is_a_sequential_model():
    x = keras.Input((64,))
    y = layers.Dense(10, "softmax")(layers.Dense(32, "relu")(layers.Dense(32, "relu")(x)))
    model = keras.Model(x, y)
    assert model.count_params() == 3466 and model.name == "functional"
    assert [type(layer).__name__ for layer in model.layers] == ["InputLayer", "Dense", "Dense", "Dense"]
    assert (model.input_shape, model.output_shape) == ((None, 64), (None, 10))
    with pytest.raises(ValueError, match=r"expected shape=\(None, 64\), found shape=\(32, 100\)"):
        model.compile("adam", "mse")
        model.fit(np.zeros((1000, 100)), np.zeros((1000, 10)), verbose=0)


def test_a_shared_layer_gets_the_sum_of_its_gradients():
    """One layer applied twice, in float64, against central differences of the whole loss."""
    keras.backend.set_floatx("float64")
    try:
        shared = layers.Dense(6, "tanh")
        x = keras.Input((6,))
        model = keras.Model(x, layers.Dense(1)(shared(shared(x))))
        model.compile(keras.optimizers.SGD(1.0), "mse")
        data, target = X.astype("f8"), X[:, :1].astype("f8")
        before = model.get_weights()
        model.train_on_batch(data, target)
        gradient = before[0] - model.get_weights()[0]
        direction = np.random.default_rng(1).standard_normal(before[0].shape)
        losses = []
        for step in (1e-6, -1e-6):
            model.set_weights([before[0] + step * direction, *before[1:]])
            losses.append(model.evaluate(data, target, verbose=0))
        np.testing.assert_allclose((gradient * direction).sum(), (losses[0] - losses[1]) / 2e-6, rtol=1e-6)
    finally:
        keras.backend.set_floatx("float32")


def test_parts_of_a_model_share_its_weights():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(5, "relu"), layers.Dense(4, name="mid"), layers.Dense(2)])
    every = keras.Model(inputs=model.inputs, outputs=[layer.output for layer in model.layers])
    assert [y.shape for y in every(X)] == [(40, 5), (40, 4), (40, 2)]
    middle = keras.Model(model.inputs, model.get_layer("mid").output)
    np.testing.assert_array_equal(middle(X), every(X)[1])
    np.testing.assert_array_equal(middle.predict(X, verbose=0), middle(X))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = middle.predict(X, verbose=0)
    model.fit(X, Y, verbose=0)
    assert not np.array_equal(middle.predict(X, verbose=0), before)
    assert [p.shape for p in every.predict(X, verbose=0)] == [(40, 5), (40, 4), (40, 2)]


def test_a_frozen_base_with_a_new_head():
    base = keras.Sequential([keras.Input((6,)), layers.Dense(8, "relu"), layers.Dropout(0.1)], name="base")
    base.trainable = False
    x = keras.Input((6,))
    model = keras.Model(x, layers.Dense(2, "softmax")(base(x)))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    kept = base.get_weights()
    model.fit(X, Y, epochs=2, verbose=0)
    for a, b in zip(kept, base.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    called = [kernel.__name__ for kernel, _ in model.plans["training"].backward_calls]
    assert called.count("dense_write_kernel") == 1 and not [name for name in called if name.endswith("_input")]


def test_everything_frozen_trains_nothing():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(2, "softmax")])
    model.trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    kept = model.get_weights()
    history = model.fit(X, Y, verbose=0)
    np.testing.assert_allclose(history.history["loss"][0], model.evaluate(X, Y, verbose=0), rtol=1e-6)
    np.testing.assert_array_equal(kept[0], model.get_weights()[0])


@pytest.mark.parametrize(
    "use, message",
    [
        (lambda: keras.Model(3, keras.Input((2,))), "must be symbolic tensors"),
        (lambda: keras.Model(keras.Input((2,)), layers.Dense(3)), "Call the layer on a tensor first"),
        (lambda: keras.Model(keras.Input((2,)), layers.Dense(3)(keras.Input((2,), name="other"))), "'other'"),
    ],
)
def test_errors(use, message):
    with pytest.raises(ValueError, match=message):
        use()

"""Models saved, loaded and trained on: the same run as without the file in between."""

import numpy as np
import pytest

import dseq as keras

X = np.sin(1 + np.arange(60)).reshape(12, 5).astype("float32")
Y = np.cos(np.arange(24)).reshape(12, 2).astype("float32")


def network(optimizer="adam", seed=0, rate=0.2):
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    stack = [layers.Dense(7, activation="relu"), layers.Dropout(rate), layers.LeakyReLU(), layers.Dense(2)]
    model = keras.Sequential([keras.Input((5,)), *stack])
    if optimizer:
        model.compile(optimizer, "mse")
    return model


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_training_goes_on_as_if_nothing_had_happened(tmp_path, optimizer):
    model, other = network(optimizer, rate=0), network(optimizer, seed=1, rate=0)
    for _ in range(3):
        model.train_on_batch(X, Y)
    model.save_weights(tmp_path / "m.weights.h5")
    other.load_weights(tmp_path / "m.weights.h5")
    assert int(other.optimizer.iterations) == 3
    for _ in range(2):
        assert model.train_on_batch(X, Y) == other.train_on_batch(X, Y)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_loaded_before_compile_and_after(tmp_path):
    model = network()
    model.fit(X, Y, epochs=2, batch_size=4, verbose=0)
    model.save_weights(tmp_path / "m.weights.h5")
    other = network(optimizer=None, seed=1)
    other.load_weights(tmp_path / "m.weights.h5")
    other.compile("adam", "mse")
    np.testing.assert_array_equal(model.predict(X, verbose=0), other.predict(X, verbose=0))
    assert int(other.optimizer.iterations) == 0
    other.load_weights(tmp_path / "m.weights.h5")
    assert int(other.optimizer.iterations) == 6


def test_the_arena_of_a_trained_model_is_filled(tmp_path):
    model = network()
    model.train_on_batch(X, Y)
    model.save_weights(tmp_path / "m.weights.h5")
    expected = model.predict(X, verbose=0)
    model.fit(X, Y, epochs=3, verbose=0)
    assert np.abs(model.predict(X, verbose=0) - expected).max() > 1e-3
    model.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(model.predict(X, verbose=0), expected)


def test_float64(tmp_path):
    keras.backend.set_floatx("float64")
    try:
        model, other = network(), network(seed=1)
        model.fit(X, Y, epochs=1, verbose=0)
        model.save_weights(tmp_path / "m.weights.h5")
        other.load_weights(tmp_path / "m.weights.h5")
        for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
            assert a.dtype == np.float64
            np.testing.assert_array_equal(a, b)
    finally:
        keras.backend.set_floatx("float32")


def test_fine_tuning_with_another_head(tmp_path):
    model = network(optimizer=None)
    model.save_weights(tmp_path / "m.weights.h5")
    body = [keras.layers.Dense(7, activation="relu"), keras.layers.Dropout(0.2), keras.layers.LeakyReLU()]
    other = keras.Sequential([keras.Input((5,)), *body, keras.layers.Dense(3, name="head")])
    with pytest.raises(ValueError, match="keep the fresh weights of `head`, pass `skip_mismatch=True`"):
        other.load_weights(tmp_path / "m.weights.h5")
    with pytest.warns(UserWarning, match="Layer 'head'"):
        other.load_weights(tmp_path / "m.weights.h5", skip_mismatch=True)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


def test_a_model_that_is_not_built(tmp_path):
    model = keras.Sequential([keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="saving a model that has not yet been built"):
        model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(ValueError, match="loading weights into a model that has not yet been built"):
        model.load_weights(tmp_path / "m.weights.h5")

"""Files that Keras 3.15.1 wrote: predictions and optimizer state must be those it recorded."""

from pathlib import Path

import numpy as np
import pytest

import dseq as keras

FILES = Path(__file__).parent / "keras_files"
X = np.sin(1 + np.arange(20)).reshape(4, 5).astype("float32")


def test_fitted_sgd_with_momentum():
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4), keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    model.load_weights(FILES / "mlp_sgd_mom.weights.h5")
    expected = [
        [-0.002250276505947113, 0.03462322801351547],
        [0.029092542827129364, 0.032538823783397675],
        [0.02651529759168625, 0.004049718379974365],
        [-0.006289668381214142, -0.010028444230556488],
    ]
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, atol=1e-6)
    assert int(model.optimizer.iterations) == 4
    assert all(np.abs(v.numpy()).sum() > 0 for v in model.optimizer.variables)


@pytest.mark.parametrize("file", ["nested.weights.h5", "nested.h5"])
def test_nested_model(file):
    base = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4), keras.layers.Dense(4)])
    model = keras.Sequential([keras.Input((5,)), base, keras.layers.Dense(3)])
    model.load_weights(FILES / file)
    expected = [
        [-0.031894952058792114, 0.2266322672367096, 0.27679482102394104],
        [-0.0341227687895298, 0.2262267768383026, 0.27858445048332214],
        [-0.030085958540439606, 0.22840678691864014, 0.2769033908843994],
        [-0.02556798607110977, 0.23004905879497528, 0.2741600573062897],
    ]
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, atol=1e-6)


def test_normalization_layers():
    layers = keras.layers
    stack = [layers.Normalization(), layers.Dense(4), layers.BatchNormalization(), layers.LayerNormalization()]
    model = keras.Sequential([keras.Input((5,)), *stack, layers.Dense(2)])
    model.load_weights(FILES / "normalized.weights.h5")
    expected = [
        [-0.7555257678031921, -1.1968417167663574],
        [-0.10988922417163849, 0.30165988206863403],
        [0.6965279579162598, 1.2407104969024658],
        [0.24811261892318726, 0.07304099947214127],
    ]
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, atol=2e-6)
    np.testing.assert_allclose(model.layers[0].mean, X.mean(0, keepdims=True), atol=1e-6)


def test_a_wrong_architecture():
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4), keras.layers.Dense(7, name="head")])
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"Layer 'head' \(group /layers/dense_1\): '.*head/kernel' has shape \(4, 7\)"):
        model.load_weights(FILES / "mlp_sgd_mom.weights.h5")
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)

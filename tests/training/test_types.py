"""Data and weights of every type: inputs are cast, weights of another float type are refused."""

import numpy as np
import pytest

import dseq as keras
from dseq import layers

TYPES = ("float16", "float32", "float64", "bool", "uint8", "int8", "int32", "int64")


@pytest.fixture(params=["float32", "float64"])
def floatx(request):
    keras.config.set_floatx(request.param)
    yield request.param
    keras.config.set_floatx("float32")


def data(dtype):
    values = np.random.default_rng(0).uniform(0, 100, (9, 2, 3))
    return (values > 50 if dtype == "bool" else values).astype(dtype)


def model_of(dtype):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2, 3), dtype=dtype), layers.Flatten(), layers.Dense(2)])
    model.compile(keras.optimizers.SGD(1e-5), "mse")
    return model


@pytest.mark.parametrize("dtype", TYPES)
def test_an_input_of_any_type(dtype, floatx):
    x, y = data(dtype), np.ones((9, 2))
    model = model_of(dtype)
    kernel, bias = (w.astype("f8") for w in model.get_weights())
    flat = x.reshape(9, 6).astype(floatx).astype("f8")
    expected = flat @ kernel + bias
    tolerance = 1e-5 if floatx == "float32" else 1e-12
    for p in (model.predict(x, verbose=0), model(x)):
        assert p.dtype == floatx
        np.testing.assert_allclose(p, expected, tolerance, 100 * tolerance)
    loss = ((expected - y) ** 2).mean()
    np.testing.assert_allclose(model.evaluate(x, y, verbose=0), loss, 10 * tolerance)
    model.fit(x, y, batch_size=9, verbose=0)
    slope = flat.T @ (expected - y) / 9
    np.testing.assert_allclose(model.get_weights()[0], kernel - 1e-5 * slope, 10 * tolerance, 10 * tolerance)


@pytest.mark.parametrize("given", ["float32", "float64", "uint8", "int64"])
def test_arrays_of_another_type_than_the_input(given):
    x = data(given)
    model = model_of("int32")
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(x.astype("int32"), verbose=0))


def test_an_input_taken_twice_and_inside_another_model():
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    x = keras.Input((3,), dtype="uint8")
    model = keras.Model(x, layers.Add()([inner(x), layers.Dense(2)(x)]))
    values = data("uint8")[:, 0]
    a, b, c, d = model.get_weights()
    np.testing.assert_allclose(model.predict(values, verbose=0), values @ a + b + values @ c + d, rtol=1e-5)


def test_text_is_no_data():
    model = keras.Sequential([keras.Input((3,), dtype="complex64"), layers.Dense(2)])
    with pytest.raises(ValueError, match=r"must be real numbers.*complex64"):
        model.predict(np.ones((2, 3)), verbose=0)


@pytest.mark.parametrize("other", ["float32", "float64"])
def test_a_weight_of_another_float_type(other):
    mine = {"float32": "float64", "float64": "float32"}[other]
    keras.config.set_floatx(mine)
    try:
        model = keras.Sequential([keras.Input((3,)), layers.Dense(2, dtype=other, name="odd")])
        model.compile("sgd", "mse")
        x, y = np.ones((4, 3)), np.ones((4, 2))
        rule = f"one float type, {mine} here. Received: weight .*odd/kernel of {other}"
        for call in (model.predict, model, lambda x: model.evaluate(x, y), lambda x: model.fit(x, y)):
            with pytest.raises(ValueError, match=rule):
                call(x)
    finally:
        keras.config.set_floatx("float32")

"""Graphs of every kind: what they compute, train and are made of, as Keras does; their gradients; parts cut out."""

import numpy as np
import pytest

import dseq as keras
from dseq import layers
from tests.models.gradients import check_gradients
from tests.models.zoo import ZOO, fill, nested, repeated, tower, wave

# From Keras 3.15.1, on the same closed forms: the losses of four steps of SGD(0.05), the layers, the number of weights,
# and the sum of all predictions' sizes after them.
GOLDENS = {
    "u_shape": (
        [0.590727, 0.539233, 0.493646, 0.452722],
        "input_layer dense dense_1 dense_2 dense_3 concatenate dense_4 concatenate_1 dense_5",
        538,
        24.89447,
    ),
    "siamese": ([0.706607, 0.705359, 0.704139, 0.702948], "a b trunk subtract dense_2", 43, 3.88967),
    "two_towers": (
        [1.347492, 0.771963, 0.577062, 0.501444],
        "user item dense_1 dense_3 dense dense_2 dot",
        116,
        1.17289,
    ),
    "nested": ([0.708229, 0.65405, 0.604443, 0.559159], "input_layer_2 middle inner add", 40, 4.40256),
    "repeated": ([0.482737, 0.475463, 0.468044, 0.460331], "input_layer dense", 30, 8.17459),
}


@pytest.fixture(autouse=True)
def fresh_names():
    keras.backend.clear_session(free_memory=False)


@pytest.fixture
def double():
    keras.backend.set_floatx("float64")
    yield
    keras.backend.set_floatx("float32")


@pytest.mark.parametrize("kind", GOLDENS)
def test_as_keras_trains_it(kind):
    make, x, y, loss = ZOO[kind]
    losses, names, weights, predicted = GOLDENS[kind]
    model = fill(make())
    assert [layer.name for layer in model.layers] == names.split() and model.count_params() == weights
    model.compile(keras.optimizers.SGD(0.05), loss)
    np.testing.assert_allclose([model.train_on_batch(x, y) for _ in losses], losses, atol=2e-6)
    np.testing.assert_allclose(np.abs(model.predict(x, verbose=0)).sum(), predicted, rtol=2e-5)


def test_a_tower_of_fifty_blocks_as_keras_trains_it():
    _, x, y, loss = ZOO["tower"]
    model = fill(tower())
    names = ["input_layer", "dense"] + [f"{n}_{i + k}" for i in range(50) for n, k in (("dense", 1), ("add", 0))]
    assert [layer.name.replace("add_0", "add") for layer in model.layers[:-1]] == [
        n.replace("add_0", "add") for n in names
    ]
    assert model.count_params() == 3666
    model.compile(keras.optimizers.SGD(0.05), loss)
    losses = [model.train_on_batch(x, y) for _ in range(4)]
    np.testing.assert_allclose(losses, [0.559789, 0.748195, 0.545293, 0.518925], atol=5e-6)


@pytest.mark.parametrize("kind", ZOO)
def test_gradients_of_the_whole_model(kind, double):
    make, x, y, loss = ZOO[kind]
    model = fill(make() if kind != "tower" else tower(6))
    check_gradients(model, x, y, loss)


def test_gradients_of_several_weighted_losses(double):
    make, x, y, _ = ZOO["structured"]
    a = keras.Input((5,))
    h = layers.Dense(4, "tanh")(a)
    model = fill(keras.Model(a, [layers.Dense(1)(h), layers.Dense(3, "softmax")(h), layers.Dense(2)(h)]))
    targets = [wave((8, 1), 1), np.arange(8) % 3, wave((8, 2), 2)]
    losses = ["mse", "sparse_categorical_crossentropy", "mae"]
    check_gradients(model, wave((8, 5), 3), targets, losses, loss_weights=[0.5, 2.0, 3.0])


def test_a_layer_repeated_has_one_node_for_each_call():
    model = repeated(10)
    assert len(model.layers) == 2 and model.count_params() == 30
    kernel, bias = (w.numpy() for w in fill(model).weights)
    h = x = wave((8, 5), 1)
    for _ in range(10):
        h = np.tanh(h @ kernel + bias)
    np.testing.assert_allclose(model.predict(x, verbose=0), h, rtol=2e-5, atol=1e-6)


def test_three_levels_share_the_innermost():
    model = fill(nested())
    assert [w.path for w in model.weights] == ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]
    inner = model.get_layer("inner")
    x = wave((8, 4), 1)
    h = np.tanh(x @ inner.weights[0].numpy() + inner.weights[1].numpy())
    kernel, bias = (w.numpy() for w in model.get_layer("middle").layers[-1].weights)
    np.testing.assert_allclose(model(x), h @ kernel + bias + h, rtol=1e-5, atol=1e-6)


# Parts of a graph.


def test_the_outputs_of_all_layers():
    model = fill(ZOO["u_shape"][0]())
    x = ZOO["u_shape"][1]
    outputs = keras.Model(model.inputs, [layer.output for layer in model.layers]).predict(x, verbose=0)
    assert [y.shape[1] for y in outputs] == [16, 8, 4, 2, 4, 8, 8, 16, 16]
    np.testing.assert_array_equal(outputs[0], x)
    np.testing.assert_array_equal(outputs[5], np.concatenate([outputs[4], outputs[2]], axis=1))
    np.testing.assert_array_equal(outputs[-1], model.predict(x, verbose=0))


def test_a_model_that_begins_in_the_middle():
    x = keras.Input((5,))
    h = layers.Dense(4, "relu", name="h")(x)
    g, k = layers.Dense(3, name="g")(h), layers.Dense(3, name="k")(h)
    whole = fill(keras.Model(x, layers.Add()([g, k])))
    data = wave((8, 5), 1)
    at_h, at_g, at_k = (keras.Model(x, t).predict(data, verbose=0) for t in (h, g, k))
    behind = keras.Model(h, whole.output)
    assert [type(layer).__name__ for layer in behind.layers] == ["InputLayer", "Dense", "Dense", "Add"]
    assert behind.count_params() == 30 and behind.input_shape == (None, 4)
    np.testing.assert_array_equal(behind.predict(at_h, verbose=0), whole.predict(data, verbose=0))
    last = keras.Model([g, k], whole.output)
    assert [type(layer).__name__ for layer in last.layers] == ["InputLayer", "InputLayer", "Add"]
    np.testing.assert_array_equal(last([at_g, at_k]), at_g + at_k)
    again = keras.Model(whole.get_layer("g").input, g)
    np.testing.assert_array_equal(again(at_h), at_g)


def test_a_part_trains_the_whole():
    model = fill(ZOO["u_shape"][0]())
    x, part = ZOO["u_shape"][1], keras.Model(model.input, model.layers[3].output)
    before, kept = model.predict(x, verbose=0), model.layers[-1].get_weights()
    part.compile("sgd", "mse")
    part.fit(x, wave((8, 2), 3), verbose=0)
    assert np.abs(model.predict(x, verbose=0) - before).max() > 1e-4
    np.testing.assert_array_equal(model.layers[-1].get_weights()[0], kept[0])


def test_layers_may_be_read_before_the_graph_is_a_model():
    x = keras.Input((5,))
    layer = layers.Dense(3)
    y = layer(x)
    assert layer.input is x and layer.output is y and y.shape == (None, 3)
    other = layer(keras.Input((5,)))
    assert layer.output is y and other is not y, "the first call's"


# Inputs.


def test_sizes_that_data_give():
    x = keras.Input((None, 3))
    model = keras.Model(x, layers.Dense(2)(x))
    assert model.output_shape == (None, None, 2)
    for length in (4, 7):
        data = wave((2, length, 3), 1)
        expected = data @ model.get_weights()[0]
        np.testing.assert_allclose(model.predict(data, verbose=0), expected, rtol=1e-5, atol=1e-6)
    model.compile("sgd", "mse")
    for length in (4, 7):
        assert np.isfinite(model.train_on_batch(wave((2, length, 3), 1), wave((2, length, 2), 2)))


@pytest.mark.parametrize("options", [{"batch_shape": (4, 3)}, {"shape": (3,), "batch_size": 4}])
def test_a_fixed_batch(options):
    x = keras.Input(**options)
    model = keras.Model(x, layers.Dense(2)(x))
    assert model.input_shape == (4, 3) and model.output_shape == (4, 2)
    assert model.predict(wave((8, 3), 1), batch_size=4, verbose=0).shape == (8, 2)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "bool"])
def test_integers_come_in_as_such(dtype):
    x = keras.Input((3,), dtype=dtype)
    model = keras.Model(x, layers.Dense(2)(x))
    data = np.array([[0, 1, 1], [1, 0, 0]], dtype)
    assert model.inputs[0].dtype == dtype
    np.testing.assert_allclose(
        model.predict(data, verbose=0), data.astype("float32") @ model.get_weights()[0], rtol=1e-6
    )
    np.testing.assert_allclose(model(data), data.astype("float32") @ model.get_weights()[0], rtol=1e-6)


def test_an_axis_of_one_comes_and_goes():
    one = keras.Model(x := keras.Input((1,)), layers.Dense(2)(x))
    assert one(wave((4,), 1)).shape == one.predict(wave((4,), 1), verbose=0).shape == (4, 2)
    three = keras.Model(x := keras.Input((3,)), layers.Dense(2)(x))
    assert three(wave((4, 3, 1), 1)).shape == three.predict(wave((4, 3, 1), 1), verbose=0).shape == (4, 2)


def test_an_input_that_nothing_uses():
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    model = keras.Model([a, b], layers.Dense(2)(a))
    assert [layer.name for layer in model.layers] == ["a", "b", "dense"]
    model.compile("sgd", "mse")
    data = [wave((8, 4), 1), wave((8, 3), 1)]
    assert model.predict(data, verbose=0).shape == (8, 2) and model.fit(data, wave((8, 2), 1), verbose=0).history


def test_an_input_that_is_an_output():
    a = keras.Input((4,), name="a")
    model = keras.Model(a, [a, layers.Dense(2)(a)])
    data = wave((8, 4), 1)
    same, other = model.predict(data, verbose=0)
    np.testing.assert_array_equal(same, data)
    np.testing.assert_array_equal(other, keras.Model(a, model.outputs[1])(data))
    np.testing.assert_array_equal(keras.Model(a, a)(data), data)


# Structures in and out.


def test_structures_come_back():
    make, x, _, _ = ZOO["structured"]
    model = fill(make())
    assert model.input_shape == [(None, 2), (None, 3), (None, 4)]
    assert len(model.outputs) == 3
    for result in (model(x), model.predict(x, verbose=0), model.predict_on_batch(x)):
        assert set(result) == {"z", "y"} and isinstance(result["y"], list)
        assert [p.shape for p in (result["z"], *result["y"])] == [(8, 1), (8, 3), (8, 2)]
    symbols = model({"u": [keras.Input((2,)), keras.Input((3,))], "v": (keras.Input((4,)),)})
    assert symbols["y"][1].shape == (None, 2)


@pytest.mark.parametrize("structure", [tuple, list])
def test_tuples_and_lists(structure):
    a = keras.Input((2,))
    two = keras.Model(structure([a]), structure([layers.Dense(1)(a), layers.Dense(2)(a)]))
    data = wave((4, 2), 1)
    for x in (data, [data], (data,)):
        assert type(two(x)) is type(two.predict(x, verbose=0)) is structure
    one = keras.Model(structure([a]), structure([layers.Dense(1)(a)]))
    assert one(data).shape == one.predict([data], verbose=0).shape == (4, 1), "a list of one is that one"
    assert one.input_shape == (None, 2) and one.output_shape == (None, 1)


def test_dicts_by_key_and_by_name():
    a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
    x, y = wave((4, 2), 1), wave((4, 3), 2)
    h = layers.Concatenate()([a, b])
    listed, named, other = keras.Model([a, b], h), keras.Model({"b": b, "a": a}, h), keras.Model({"k": a, "l": b}, h)
    expected = np.concatenate([x, y], axis=1)
    for model, data in (
        (listed, [x, y]),
        (listed, (x, y)),
        (listed, {"b": y, "a": x}),
        (listed, {"b": y, "a": x, "more": x}),
        (named, {"a": x, "b": y}),
        (named, {"b": y, "a": x, "more": x}),
        (other, {"k": x, "l": y}),
        (other, {"a": x, "b": y}),
    ):
        np.testing.assert_array_equal(model(data), expected)
        np.testing.assert_array_equal(model.predict(data, verbose=0), expected)
    with pytest.raises(ValueError, match="doesn't match the expected structure"):
        named.predict([x, y], verbose=0)

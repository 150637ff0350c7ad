"""Models written as `call`: the examples of Keras' guides, and what lies around them."""

import h5py
import numpy as np
import pytest

import dseq as keras
from dseq import layers
from tests.models.gradients import check_gradients
from tests.models.zoo import fill, wave

X = wave((8, 5), 1)


@pytest.fixture(autouse=True)
def fresh_names():
    keras.backend.clear_session(free_memory=False)


# "Making new layers and models via subclassing".


class Network(keras.Model):
    """Attributes of every kind: lists and dicts of layers, nested ones, a weight of its own, one not trained."""

    def __init__(self):
        super().__init__()
        self.last = layers.Dense(4)
        self.rises, self.falls = [], []
        for _ in range(2):
            self.rises.append(layers.Dense(4, "tanh"))
            self.falls.append(Scaled())
        self.heads = {"b": layers.Dense(2), "a": layers.Dense(1)}
        self.nested = [[layers.Dense(4)], (layers.Dense(4), {"k": layers.Dense(4)})]
        self._private = layers.Dense(4)
        self.shift = self.add_weight(shape=(4,), name="shift")

    def call(self, x):
        x = self._private(self.last(x)) + self.shift
        for rise, fall in zip(self.rises, self.falls, strict=True):
            x = fall(rise(x))
        x = self.nested[1][1]["k"](self.nested[1][0](self.nested[0][0](x)))
        return {name: head(x) for name, head in self.heads.items()}


class Scaled(layers.Layer):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(4)

    def build(self, input_shape):
        self.factor = self.add_weight(shape=(1,), initializer="ones", name="factor")
        self.offset = self.add_weight(shape=(1,), initializer="zeros", name="offset", trainable=False)

    def call(self, x):
        return self.dense(x) * self.factor + self.offset


def network():
    model = Network()
    model(X)
    return fill(model)


def test_the_order_of_weights_and_layers_is_keras():
    """By the order in which layers came, into whatever list; from Keras 3.15.1."""
    model = network()
    pair, square, one = [(4, 4), (4,)], (4, 4), (1,)
    shapes = [(4,), (5, 4), (4,)]
    for _ in range(2):
        shapes += [*pair, one, one, *pair]
    shapes += [(4, 2), (2,), (4, 1), (1,), *pair * 4]
    assert [w.shape for w in model.weights] == [w.shape for w in model.get_weights()] == shapes
    assert model.layers[:5] == [model.last, model.rises[0], model.falls[0], model.rises[1], model.falls[1]]
    assert [w.shape for w in model.non_trainable_weights] == [one, one]
    assert len(model.trainable_weights) == len(model.weights) - 2 and square in shapes


def test_groups_of_a_weights_file_are_keras(tmp_path):
    """Layers of attributes behind `layers` in the alphabet lie in `layers`, as Keras has it."""
    model, path = network(), tmp_path / "network.weights.h5"
    model.save_weights(path)
    with h5py.File(path) as file:
        found = []
        file.visititems(lambda name, item: found.append(name) if name.endswith("vars/0") else None)
    groups = ["falls/scaled", "falls/scaled/dense", "falls/scaled_1", "falls/scaled_1/dense", "heads/dense"]
    groups += ["heads/dense_1", "last", *(f"layers/dense_{n}" for n in (1, 2, 5, 6, 7, 8))]
    assert sorted(found) == sorted(["vars/0", *(f"{group}/vars/0" for group in groups)])
    again = network()
    again.set_weights([w + 1 for w in again.get_weights()])
    again.load_weights(path)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_gradients_of_a_written_model():
    keras.backend.set_floatx("float64")
    try:
        model = network()
        check_gradients(model, X, {"a": wave((8, 1), 2), "b": wave((8, 2), 3)}, rtol=3e-6)
    finally:
        keras.backend.set_floatx("float32")


@pytest.mark.parametrize("built", [False, True])
def test_a_written_model_is_trained(built):
    model = network() if built else Network()
    model.compile("sgd", {"a": "mse", "b": "mae"}, loss_weights={"a": 1.0, "b": 2.0}, metrics={"a": ["mae"]})
    y = {"a": wave((8, 1), 2), "b": wave((8, 2), 3)}
    logs = model.fit(X, y, epochs=3, batch_size=4, verbose=0).history
    assert list(logs) == ["a_loss", "a_mae", "b_loss", "loss"] and logs["loss"][-1] < logs["loss"][0]
    assert set(model.predict(X, verbose=0)) == set(model(X)) == {"a", "b"}
    np.testing.assert_array_equal(model.predict(X, verbose=0)["a"], model(X)["a"])


class OfTwo(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.second = layers.Dense(3), layers.Dense(3)

    def call(self, inputs):
        a, b = (inputs["a"], inputs["b"]) if isinstance(inputs, dict) else inputs
        return self.first(a) + self.second(b)


@pytest.mark.parametrize("inputs", [[X, X], (X, X), {"a": X, "b": X}], ids=["list", "tuple", "dict"])
def test_several_inputs(inputs):
    """0.581121 from Keras 3.15.1."""
    model = OfTwo()
    model(inputs)
    fill(model).compile("sgd", "mse")
    logs = model.fit(inputs, wave((8, 3), 1), shuffle=False, verbose=0).history
    assert logs["loss"][0] == pytest.approx(0.581121, abs=2e-6)
    fresh = OfTwo()
    fresh.compile("sgd", "mse")
    fresh.fit(inputs, wave((8, 3), 1), verbose=0)
    assert fresh.predict(inputs, verbose=0).shape == (8, 3)


# Inheritance.


class ScaledDense(layers.Dense):
    def build(self, input_shape):
        super().build(input_shape)
        self.scale = self.add_weight(shape=(self.units,), initializer="ones", name="scale")

    def call(self, x):
        return super().call(x) * self.scale


def test_a_subclass_of_dense():
    """Losses and predictions from Keras 3.15.1."""
    model = fill(keras.Sequential([keras.Input((5,)), ScaledDense(3, "relu"), layers.Dense(2)]))
    names = ["scaled_dense/kernel", "scaled_dense/bias", "scaled_dense/scale", "dense/kernel", "dense/bias"]
    assert [w.path for w in model.weights] == [f"sequential/{name}" for name in names]
    model.compile("sgd", "mse")
    logs = model.fit(X, wave((8, 2), 1), shuffle=False, epochs=2, verbose=0).history
    np.testing.assert_allclose(logs["loss"], [0.59041, 0.588291], atol=2e-6)
    np.testing.assert_allclose(model.predict(X, verbose=0)[0], [-0.28195, -0.08453], atol=2e-5)


class Given(keras.Model):
    """A graph made in the constructor, with methods of its own."""

    def __init__(self, units=3, **kwargs):
        x = keras.Input((5,))
        super().__init__(inputs=x, outputs=layers.Dense(units)(x), **kwargs)
        self.units = units

    def doubled(self, x):
        return 2 * self(x)


class Continued(keras.Model):
    """A graph made in the constructor, and more in `call`."""

    def __init__(self):
        x = keras.Input((5,))
        super().__init__(x, layers.Dense(3)(x))
        self.more = layers.Dense(2)

    def call(self, x):
        return self.more(super().call(x))


def test_a_subclass_that_is_a_graph():
    model = Given(4, name="given")
    assert type(model) is Given and model.name == "given" and model.count_params() == 24
    assert [layer.name for layer in model.layers] == ["input_layer", "dense"]
    np.testing.assert_array_equal(model.doubled(X), 2 * model(X))
    model.compile("sgd", "mse")
    assert model.fit(X, wave((8, 4), 1), verbose=0).history["loss"]


def test_a_subclass_that_goes_on_behind_its_graph():
    model = Continued()
    assert model(X).shape == (8, 2)
    fill(model)
    (kernel, bias), (more, shift) = (layer.get_weights() for layer in (model.layers[1], model.more))
    np.testing.assert_allclose(model(X), (X @ kernel + bias) @ more + shift, rtol=1e-5, atol=1e-6)


def test_super_reaches_the_call_above():
    class Same(layers.Layer):
        def call(self, x):
            return x

    class Tripled(Same):
        def call(self, x):
            return super().call(x) * 3.0

    np.testing.assert_array_equal(Tripled()(X), 3 * X)


# What is inside what.


def test_a_sequential_inside_is_built_by_the_first_call():
    class Around(keras.Model):
        def __init__(self):
            super().__init__()
            self.inside = keras.Sequential([layers.Dense(4, "relu"), layers.Dense(2)])

        def call(self, x):
            return self.inside(x)

    model = Around()
    y = model(X)
    assert [w.path for w in model.weights] == [
        f"around/sequential/{d}/{w}" for d in ("dense", "dense_1") for w in ("kernel", "bias")
    ]
    np.testing.assert_array_equal(y, model.inside(X))
    np.testing.assert_array_equal(y, model.predict(X, verbose=0))
    assert model.inside.output_shape[1:] == (2,) and model.inside.layers[0].output.shape[1:] == (4,)


def test_a_written_model_in_a_graph():
    inner, x = network(), keras.Input((5,))
    y = inner(x)
    model = keras.Model(x, layers.Concatenate()([y["a"], layers.Dense(2)(y["b"])]))
    assert model.layers[1] is inner and model.output_shape == (None, 3)
    np.testing.assert_array_equal(model.predict(X, verbose=0)[:, :1], inner(X)["a"])
    model.compile("sgd", "mse")
    before = inner.heads["a"].get_weights()[0]
    model.fit(X, wave((8, 3), 1), verbose=0)
    assert (inner.heads["a"].get_weights()[0] != before).all()


def test_layers_made_in_build_and_put_in_later():
    class Residual(layers.Layer):
        def build(self, input_shape):
            self.dense = layers.Dense(input_shape[-1])
            self.dense.build(input_shape)

        def call(self, x):
            return x + self.dense(x)

    class Chain(keras.Model):
        def __init__(self):
            super().__init__()
            self.parts = []

        def call(self, x):
            for part in self.parts:
                x = part(x)
            return x

    model = Chain()
    model.parts.append(Residual())
    model.parts += [Residual(), layers.Dense(2)]
    assert model(X).shape == (8, 2) and len(model.layers) == 3 and len(model.weights) == 6


def test_a_variable_kept_is_a_weight():
    class Times(layers.Layer):
        def __init__(self):
            super().__init__()
            self.factor = keras.Variable(np.full(5, 2, "float32"), name="factor")
            self.more = [keras.Variable(np.ones(5, "float32"), name="more", trainable=False)]

        def call(self, x):
            return x * self.factor + self.more[0]

    layer = Times()
    np.testing.assert_array_equal(layer(X), 2 * X + 1)
    assert len(layer.trainable_weights) == 1 and len(layer.weights) == 2


def test_tensors_and_constants_as_further_arguments():
    class Combined(layers.Layer):
        def call(self, x, scale=1.0, other=None):
            return x * scale if other is None else x * scale + other

    x, layer = keras.Input((5,)), Combined()
    model = keras.Model(x, layer(x, scale=3.0, other=layer(x)))
    np.testing.assert_allclose(model.predict(X, verbose=0), 4 * X, rtol=1e-6)
    assert len(model.layers) == 2


def test_an_attribute_that_call_reads_may_change():
    class Times(layers.Layer):
        def __init__(self):
            super().__init__()
            self.factor = 2.0

        def call(self, x):
            return x * self.factor

    layer = Times()
    np.testing.assert_array_equal(layer(X), 2 * X)
    layer.factor = 3.0
    np.testing.assert_array_equal(layer(X), 3 * X)


# Errors.


def test_a_forgotten_super():
    class Forgot(keras.Model):
        def __init__(self):
            self.dense = layers.Dense(2)

    with pytest.raises(RuntimeError, match=r"In layer 'Forgot', you forgot to call `super\(\).__init__\(\)`"):
        Forgot()


def test_a_layer_without_call():
    class Nothing(layers.Layer):
        pass

    with pytest.raises(NotImplementedError, match="class Nothing does not compute anything: implement `call"):
        Nothing()(X)


@pytest.mark.parametrize("what", ["if", "numpy", "outside", "constant"])
def test_what_call_cannot_do(what):
    outside = keras.Input((5,)) * 2.0

    class Wrong(layers.Layer):
        def call(self, x):
            if what == "if":
                return x if x > 0 else -x
            if what == "numpy":
                return np.tanh(x)
            return x + outside if what == "outside" else "text"

    with pytest.raises((TypeError, ValueError), match="symbolic tensor|inputs alone|must return tensors"):
        Wrong()(X)


def test_data_must_come_in_one_form():
    model = OfTwo()
    model([X, X])
    with pytest.raises(ValueError, match="in the form it was first called with"):
        model.predict({"a": X, "b": X}, verbose=0)

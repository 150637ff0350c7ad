"""Models as plain data and back, in the form that Keras 3.15.1 writes."""

import json

import numpy as np
import pytest

import dseq as keras
from dseq import layers, ops
from dseq.models import Functional, model_from_json
from dseq.program.structure import flatten, form


@pytest.fixture(autouse=True)
def fresh_names():
    keras.backend.clear_session(free_memory=False)


X = np.sin(1 + np.arange(20)).reshape(5, 4).astype("float32")


def nested():
    """Shared layers and a shared model with two outputs, inputs and outputs in dicts."""
    a, b, c = keras.Input((4,), name="a"), keras.Input((4,), name="b"), keras.Input((4,), name="c")
    inner = keras.Model(c, [layers.Dense(3, name="d1")(c), layers.Dense(2, name="d2")(c)], name="inner")
    shared = layers.Dense(4, name="shared")
    (p, q), (r, _) = inner(shared(a)), inner(shared(b))
    y = layers.Dense(1, name="out")(layers.Concatenate(name="cat")([p, r]))
    return keras.Model({"a": a, "b": b}, {"o": y, "z": [q]}, name="big")


def same(first, second, data):
    """Whether two models compute the same with the same weights."""
    second.set_weights(first.get_weights())
    one, two = first.predict(data, verbose=0), second.predict(data, verbose=0)
    assert form(one) == form(two)
    for x, y in zip(flatten(one), flatten(two), strict=True):
        np.testing.assert_array_equal(x, y)


def tensor(name, call, index, *shape):
    config = {"shape": [None, *shape], "dtype": "float32", "keras_history": [name, call, index]}
    return {"class_name": "__keras_tensor__", "config": config}


def test_a_graph_is_written_as_keras_writes_it():
    """Printed by Keras 3.15.1 for the same model."""
    config = json.loads(json.dumps(nested().get_config()))
    calls = {entry["name"]: entry["inbound_nodes"] for entry in config["layers"]}
    assert list(calls) == ["a", "b", "shared", "inner", "cat", "out"]
    assert calls["a"] == []
    assert calls["shared"] == [{"args": [tensor(n, 0, 0, 4)], "kwargs": {}} for n in ("a", "b")]
    assert [node["args"] for node in calls["inner"]] == [[tensor("shared", i, 0, 4)] for i in (0, 1)]
    assert calls["cat"] == [{"args": [[tensor("inner", 0, 0, 3), tensor("inner", 1, 0, 3)]], "kwargs": {}}]
    assert config["input_layers"] == {"a": ["a", 0, 0], "b": ["b", 0, 0]}
    # Calls of a model inside are counted from 1 where the model's outputs are told, and from 0 elsewhere.
    assert config["output_layers"] == {"o": ["out", 0, 0], "z": [["inner", 1, 1]]}
    inner = config["layers"][3]
    assert (inner["module"], inner["class_name"]) == ("keras.src.models.functional", "Functional")
    assert inner["registered_name"] == "Functional" and inner["build_config"] == {"input_shape": None}
    assert inner["config"]["input_layers"] == ["c", 0, 0]
    assert inner["config"]["output_layers"] == [["d1", 0, 0], ["d2", 0, 0]]
    assert (config["name"], config["trainable"]) == ("big", True)


@pytest.mark.parametrize("how", ["config", "json"])
def test_nested_graphs_come_back(how):
    model = nested()
    again = Functional.from_config(model.get_config()) if how == "config" else model_from_json(model.to_json())
    assert again.to_json() == model.to_json() and again.count_params() == 52
    assert [layer.name for layer in again.layers] == ["a", "b", "shared", "inner", "cat", "out"]
    same(model, again, {"a": X, "b": 2 * X})


def test_a_layer_may_feed_itself():
    """A(B(A(B(x)))): no order of whole layers would do."""
    x = keras.Input((4,))
    a, b = layers.Dense(4, name="one"), layers.Dense(4, name="two")
    model = keras.Model([x], [a(b(a(b(x)))), b(x)])
    again = model_from_json(model.to_json())
    assert again.to_json() == model.to_json() and again.input_shape == (None, 4)
    same(model, again, [X])


def test_a_graph_that_begins_inside_another():
    x = keras.Input((4,))
    h = layers.Dense(3, name="h")(x)
    g = layers.Dense(5, name="g")(h)
    model = keras.Model([g, h], layers.Concatenate()([h, layers.Dense(2)(g)]))
    again = model_from_json(model.to_json())
    assert again.input_shape == model.input_shape == [(None, 5), (None, 3)]
    same(model, again, [np.ones((2, 5)), np.ones((2, 3))])


def test_arguments_of_calls_come_back():
    class Scaled(layers.Layer):
        def call(self, x, factor, extra=None):
            return (x if extra is None else x + extra) * factor

    x, y = keras.Input((4,), name="x"), keras.Input((4,), name="y")
    model = keras.Model([x, y], Scaled(name="s")(x, 3.0, extra=y))
    assert model.get_config()["layers"][2]["inbound_nodes"] == [
        {"args": [tensor("x", 0, 0, 4), 3.0], "kwargs": {"extra": tensor("y", 0, 0, 4)}}
    ]
    again = model_from_json(model.to_json(), {"Scaled": Scaled})
    np.testing.assert_allclose(again.predict([X, X], verbose=0), 6 * X, rtol=1e-6)


def test_towers_are_no_deeper_than_others():
    x = y = keras.Input((2,))
    for _ in range(1000):
        y = layers.Identity()(y)
    model = keras.Model(x, y)
    again = model_from_json(model.to_json())
    assert len(again.layers) == 1001 and again.layers[-1].name == "identity_999"


# Sequential models.


def test_a_sequential_model_is_written_as_keras_writes_it():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dropout(0.2)], name="s")
    written = json.loads(model.to_json())
    config = written.pop("config")
    assert written == {
        "module": "keras",
        "class_name": "Sequential",
        "registered_name": None,
        "build_config": {"input_shape": [None, 4]},
        "compile_config": {},
    }
    assert [entry["class_name"] for entry in config["layers"]] == ["InputLayer", "Dense", "Dropout"]
    assert config["build_input_shape"] == [None, 4] and config["dtype"]["config"] == {"name": "float32"}
    again = model_from_json(json.dumps({**written, "config": config}))
    assert again.to_json() == model.to_json()
    same(model, again, X)


def test_a_layer_that_stands_in_several_places_is_made_once():
    shared = layers.Dense(4)
    model = keras.Sequential([keras.Input((4,)), shared, layers.ReLU(), shared])
    again = model_from_json(model.to_json())
    assert again.layers[0] is again.layers[2] and len(again.weights) == 2
    same(model, again, X)


def test_models_in_models():
    base = keras.Sequential([keras.Input((4,)), layers.Dense(3)], name="base")
    x = keras.Input((3,))
    head = keras.Model(x, layers.Dense(2)(x), name="head")
    model = keras.Sequential([base, head, layers.Dense(1)])
    again = model_from_json(model.to_json())
    assert [type(layer).__name__ for layer in again.layers] == ["Sequential", "Functional", "Dense"]
    same(model, again, X)


def test_a_model_that_is_not_built():
    model = keras.Sequential([layers.Dense(3, name="d"), layers.Dense(2)])
    again = model_from_json(model.to_json())
    assert not again.built and again.get_layer("d").units == 3
    again.build((None, 4))
    assert json.loads(again.to_json())["config"]["build_input_shape"] == [None, 4]


def test_frozen_layers_stay_frozen():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="a"), layers.Dense(2, name="b")])
    model.get_layer("a").trainable = False
    again = model_from_json(model.to_json())
    assert [layer.trainable for layer in again.layers] == [False, True] and len(again.trainable_weights) == 2
    model.trainable = False
    assert model_from_json(model.to_json()).trainable_weights == []


# Compiled models.


def test_how_a_model_was_compiled_comes_back():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(
        keras.optimizers.Adam(0.25, beta_1=0.5),
        loss,
        metrics=["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2)],
    )
    written = json.loads(model.to_json())["compile_config"]
    assert written["optimizer"]["module"] == "keras.optimizers" and written["optimizer"]["class_name"] == "Adam"
    assert written["loss"]["config"]["from_logits"] is True and written["metrics"][0] == "accuracy"
    again = model_from_json(model.to_json())
    assert again.compiled and again.loss.from_logits and float(again.optimizer.learning_rate.array) == 0.25
    again.set_weights(model.get_weights())
    y = np.arange(5) % 3
    results = [m.evaluate(X, y, verbose=0, return_dict=True) for m in (model, again)]
    assert results[0] == results[1] and "accuracy" in results[0]


def test_losses_by_output_come_back():
    model = nested()
    model.compile("sgd", {"o": "mse", "z": keras.losses.MeanAbsoluteError()}, loss_weights={"o": 0.5, "z": 2.0})
    config = json.loads(model.to_json())["compile_config"]
    assert config["loss"]["o"] == "mse" and config["loss_weights"] == {"o": 0.5, "z": 2.0}
    assert isinstance(model_from_json(model.to_json()).loss["z"], keras.losses.MeanAbsoluteError)


# Models and layers of the user's own.


class Two(keras.Model):
    def __init__(self, units, head=None, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.hidden = layers.Dense(units, "tanh")
        self.head = head or layers.Dense(2)

    def call(self, x):
        return self.head(self.hidden(x))


def test_a_model_written_as_a_class():
    model = Two(3, head=layers.Dense(1, name="end"))
    model.compile("sgd", "mse")
    model(X)
    with pytest.raises(TypeError, match=r"Could not locate class 'Two'.*custom_objects={'Two': Two}"):
        model_from_json(model.to_json())
    again = model_from_json(model.to_json(), {"Two": Two})
    assert again.built and again.compiled and again.head.name == "end"
    same(model, again, X)


def test_a_class_with_a_configuration_of_its_own():
    class Block(layers.Layer):
        def __init__(self, width, activation, **kwargs):
            super().__init__(**kwargs)
            self.dense, self.function = layers.Dense(width), activation

        def call(self, x):
            return self.dense(x)

        def get_config(self):
            return {**super().get_config(), "width": self.dense.units, "activation": "relu"}

    config = Block(3, lambda x: x, name="b").get_config()
    assert {k: v for k, v in config.items() if k != "dtype"} == {
        "name": "b",
        "trainable": True,
        "width": 3,
        "activation": "relu",
    }
    model = keras.Sequential([keras.Input((4,)), Block(3, None)])
    same(model, model_from_json(model.to_json(), {"Block": Block}), X)


def test_a_subclass_of_a_layer_of_dseq_adds_to_its_configuration():
    class Wide(layers.Dense):
        def __init__(self, units, times=2, **kwargs):
            super().__init__(units * times, **kwargs)
            self.times = times

        def get_config(self):
            config = super().get_config()
            return {**config, "units": config["units"] // self.times, "times": self.times}

    again = Wide.from_config(Wide(3, times=4, activation="relu", name="w").get_config())
    assert (again.units, again.times, again.name, again.activation.name) == (12, 4, "w", "relu")


def test_arguments_that_can_not_be_written_are_named():
    class Holds(layers.Layer):
        def __init__(self, function, **kwargs):
            super().__init__(**kwargs)
            self.function = function

    with pytest.raises(NotImplementedError, match=r"class Holds must implement `get_config\(\)`.*`function`.*A lambda"):
        Holds(lambda x: x).get_config()


def tripled(x):
    return 3 * x


def test_functions_in_layers_are_known_by_their_names():
    model = keras.Sequential([keras.Input((4,)), layers.Lambda(tripled), layers.Lambda(ops.tanh)])
    written = json.loads(model.to_json())["config"]["layers"][1]["config"]
    function = {"module": "builtins", "class_name": "function", "config": "tripled", "registered_name": "function"}
    assert written["function"] == function
    with pytest.raises(TypeError, match="Could not locate function 'tripled'"):
        model_from_json(model.to_json())
    again = model_from_json(model.to_json(), {"tripled": tripled})
    np.testing.assert_allclose(again.predict(X, verbose=0), np.tanh(3 * X), rtol=1e-5)
    with pytest.raises(NotImplementedError, match="must implement `get_config.*`function` can't be written.*lambda"):
        keras.Sequential([keras.Input((4,)), layers.Lambda(lambda x: x)]).to_json()


def test_operations_are_written_by_their_classes():
    x = keras.Input((4,), name="x")
    model = keras.Model(x, ops.concatenate([x[:, 1:3], 1 - x / 2], axis=-1))
    entries = {entry["name"]: entry for entry in json.loads(model.to_json())["config"]["layers"]}
    assert [(e["module"], e["class_name"], e["registered_name"]) for e in entries.values()][-1] == (
        "keras.src.ops.numpy",
        "Concatenate",
        "Concatenate",
    )
    assert entries["concatenate"]["config"] == {"name": "concatenate", "axis": -1}
    cut = {"class_name": "__slice__", "config": {"start": 1, "stop": 3, "step": None}}
    everything = {"class_name": "__slice__", "config": {"start": None, "stop": None, "step": None}}
    assert entries["get_item"]["inbound_nodes"] == [{"args": [tensor("x", 0, 0, 4), [everything, cut]], "kwargs": {}}]
    assert entries["subtract"]["inbound_nodes"][0]["args"][0] == 1
    again = model_from_json(model.to_json())
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    np.testing.assert_allclose(again.predict(X, verbose=0), np.concatenate([X[:, 1:3], 1 - X / 2], 1), rtol=1e-6)
    assert keras.models.clone_model(model).to_json() == model.to_json()


class Graph(keras.Model):
    """A class that makes its graph in its constructor."""

    def __init__(self, units=3, **kwargs):
        x = keras.Input((4,))
        super().__init__(x, layers.Dense(units)(x), **kwargs)
        self.units = units


def test_a_class_that_makes_its_graph_in_its_constructor():
    model = Graph(2)
    assert "layers" not in model.get_config() and model.get_config()["units"] == 2
    same(model, model_from_json(model.to_json(), {"Graph": Graph}), X)


# Other versions, and what is wrong.


def test_what_keras_2_wrote():
    """`Model.to_json` of TensorFlow 2.4, shortened."""
    layers_ = [
        {"class_name": "InputLayer", "name": "a", "inbound_nodes": [],
         "config": {"batch_input_shape": [None, 4], "dtype": "float32", "sparse": False, "ragged": False, "name": "a"}},
        {"class_name": "Dense", "name": "d", "inbound_nodes": [[["a", 0, 0, {}]]],
         "config": {"name": "d", "trainable": True, "dtype": "float32", "units": 4, "activation": "relu",
                    "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}}}},
        {"class_name": "Add", "name": "s", "inbound_nodes": [[["a", 0, 0, {}], ["d", 0, 0, {}]]],
         "config": {"name": "s", "trainable": True, "dtype": "float32"}},
    ]  # fmt: skip
    config = {"name": "m", "layers": layers_, "input_layers": [["a", 0, 0]], "output_layers": [["s", 0, 0]]}
    model = model_from_json(json.dumps({"class_name": "Functional", "config": config, "backend": "tensorflow"}))
    assert model.output_shape == (None, 4) and model.count_params() == 20
    assert model.get_layer("d").activation.name == "relu"


def test_the_shape_of_the_input_in_the_first_layer_as_keras_1_wrote_it():
    config = [{"class_name": "Dense", "config": {"name": "d", "units": 3, "batch_input_shape": [None, 4]}}]
    model = model_from_json(json.dumps({"class_name": "Sequential", "config": config}))
    assert model.built and model.input_shape == (None, 4)


def broken(change):
    def read():
        config = json.loads(nested().to_json())
        change(config["config"])
        model_from_json(json.dumps(config))

    return read


def point_to(config, *place):
    config["layers"][2]["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = list(place)


@pytest.mark.parametrize(
    "use, kind, message",
    [
        (lambda: model_from_json("{"), ValueError, "must be the text that `Model.to_json` gives"),
        (lambda: model_from_json('{"a": 1}'), ValueError, "must describe a model. Received: one of dict"),
        (broken(lambda c: point_to(c, "gone", 0, 0)), ValueError, "layer 'gone' is used and not described"),
        (broken(lambda c: point_to(c, "out", 0, 0)), ValueError, r"has loops.*\('cat', 0\)"),
        (broken(lambda c: point_to(c, "a", 0, 3)), ValueError, "output 3 of 'a' is used, and it gives 1"),
        (broken(lambda c: c.pop("output_layers")), (ValueError, TypeError), "output_layers|Functional"),
        (broken(lambda c: c["layers"].append(3)), ValueError, "must be a dict with class_name and config. Received: 3"),
        (broken(lambda c: c["layers"][5].update(class_name="Zeros", module="keras.initializers", config={})),
         ValueError, "is made of layers and operations. Received: 'out', which is of type Zeros"),
        (broken(lambda c: c.update(output_layers=["out", 7, 0])), ValueError, "`output_layers` refers to call 7"),
        (lambda: keras.Sequential.from_config({"name": "s"}), ValueError, "containing the 'name' and 'layers' keys"),
    ],
)  # fmt: skip
def test_broken_configurations(use, kind, message):
    with pytest.raises(kind, match=message):
        use()

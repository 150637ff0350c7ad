"""Objects as plain data and back, in the form that Keras 3.15.1 writes."""

import json

import numpy as np
import pytest

import dseq as keras
from dseq import initializers, layers
from dseq.program import registry
from dseq.saving import serialization
from dseq.saving.serialization import deserialize_keras_object, serialize_keras_object


@pytest.fixture(autouse=True)
def nothing_registered():
    before = dict(registry._custom), dict(registry._custom_names)
    keras.backend.clear_session(free_memory=False)
    yield
    for now, then in zip((registry._custom, registry._custom_names), before, strict=True):
        now.clear()
        now.update(then)


POLICY = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}
# Printed by Keras 3.15.1 for Dense(3, "relu", kernel_initializer="he_normal", name="d") but for what is None.
DENSE = {
    "module": "keras.layers",
    "class_name": "Dense",
    "config": {
        "name": "d",
        "trainable": True,
        "dtype": POLICY,
        "units": 3,
        "activation": "relu",
        "use_bias": True,
        "kernel_initializer": {
            "module": "keras.initializers",
            "class_name": "HeNormal",
            "config": {"seed": None, "input_axes": None, "output_axes": None},
            "registered_name": None,
        },
        "bias_initializer": {
            "module": "keras.initializers",
            "class_name": "Zeros",
            "config": {},
            "registered_name": None,
        },
    },
    "registered_name": None,
    "build_config": {"input_shape": [None, 4]},
}


def without_none(value):
    if isinstance(value, dict):
        return {
            k: without_none(v)
            for k, v in value.items()
            if v is not None or k in ("registered_name", "seed") or k.endswith("axes")
        }
    return [without_none(v) for v in value] if isinstance(value, list) else value


def through_json(value):
    return json.loads(json.dumps(serialize_keras_object(value)))


def test_a_layer_is_written_as_keras_writes_it():
    layer = layers.Dense(3, "relu", kernel_initializer="he_normal", name="d")
    assert "build_config" not in through_json(layer)
    layer.build((None, 4))
    assert without_none(through_json(layer)) == DENSE


def test_what_keras_wrote_is_read():
    """With keys that dseq's layers don't have, and shared types."""
    policy = {**POLICY, "shared_object_id": 140540053312848}
    extra = {"quantization_config": None, "lora_rank": None, "kernel_regularizer": None, "dtype": policy}
    layer = deserialize_keras_object({**DENSE, "config": {**DENSE["config"], **extra}})
    assert isinstance(layer, layers.Dense) and layer.built and layer.kernel.shape == (4, 3)
    assert layer.dtype == "float32" and isinstance(layer.kernel_initializer, initializers.HeNormal)


def test_what_keras_wrote_and_dseq_can_not_do_is_an_error():
    config = {**DENSE, "config": {**DENSE["config"], "lora_rank": 4}}
    with pytest.raises(ValueError, match="Unrecognized keyword arguments passed to Dense: {'lora_rank': 4}"):
        deserialize_keras_object(config)


@pytest.mark.parametrize(
    "module, name",
    [
        ("keras.src.optimizers.adam", "Adam"),
        ("keras.src.backend.torch.optimizers.torch_adam", "Adam"),
        ("keras.optimizers", "Adam"),
        ("dseq.optimizers.adam", "Adam"),
    ],
)
def test_modules_of_keras_own_classes(module, name):
    config = {"module": module, "class_name": name, "config": {"learning_rate": 0.25}, "registered_name": name}
    optimizer = deserialize_keras_object(config)
    assert type(optimizer) is keras.optimizers.Adam and float(optimizer.learning_rate.array) == 0.25


def test_modules_are_told_by_their_words():
    assert registry.module_for("keras.src.optimizers.schedules.learning_rate_schedule") == "keras.optimizers.schedules"
    assert registry.module_for("keras.src.engine.functional") == "keras.models"
    assert registry.module_for("tf_keras.src.layers.core.dense") == "keras.layers"
    assert registry.module_for("dseq.losses") == "keras.losses"
    assert registry.module_for("my_package.layers") is None


def test_plain_values():
    value = {"a": [1, 2.5, None, True, "text"], "b": {"c": (1, 2)}, "n": np.float32(0.5), "i": np.int64(3)}
    assert through_json(value) == {"a": [1, 2.5, None, True, "text"], "b": {"c": [1, 2]}, "n": 0.5, "i": 3}
    assert type(serialize_keras_object(np.float64(2))) is float
    assert serialize_keras_object(np.dtype("float32")) == "float32"
    assert deserialize_keras_object(through_json(value))["b"] == {"c": [1, 2]}


def test_values_that_json_has_not():
    array = np.arange(6, dtype="int32").reshape(2, 3)
    written = through_json(array)
    assert written == {"class_name": "__numpy__", "config": {"value": [[0, 1, 2], [3, 4, 5]], "dtype": "int32"}}
    back = deserialize_keras_object(written)
    assert back.dtype == np.int32 and (back == array).all()
    for value in (b"bytes", slice(1, None, 2), Ellipsis):
        assert deserialize_keras_object(through_json(value)) == value
    assert through_json(slice(1, None))["config"] == {"start": 1, "stop": None, "step": None}
    assert deserialize_keras_object({"class_name": "__tuple__", "items": [1, [2]]}) == (1, [2])
    tensor = deserialize_keras_object(through_json(keras.Input((3,), name="x")))
    assert tensor.shape == (None, 3) and tensor.dtype == "float32"
    assert through_json(keras.Input((3,), name="y"))["config"]["keras_history"] == ["y", 0, 0]


# Classes and functions of the user's own.


class Halves(initializers.Initializer):
    def __init__(self, value=0.5):
        self.value = value

    def __call__(self, shape, dtype=None):
        return np.full(shape, self.value, dtype)

    def get_config(self):
        return {"value": self.value}


def thirds(shape, dtype=None):
    return np.full(shape, 1 / 3, dtype)


def test_registered_classes():
    assert registry.get_registered_name(Halves) == "Halves"
    assert keras.saving.register_keras_serializable("pkg")(Halves) is Halves
    assert registry.get_registered_name(Halves) == "pkg>Halves"
    assert registry.get_registered_object("pkg>Halves") is Halves
    assert keras.utils.get_custom_objects()["pkg>Halves"] is Halves
    written = through_json(layers.Dense(2, kernel_initializer=Halves(0.25), name="d"))
    assert written["config"]["kernel_initializer"] == {
        "module": Halves.__module__,
        "class_name": "Halves",
        "config": {"value": 0.25},
        "registered_name": "pkg>Halves",
    }
    layer = deserialize_keras_object(written)
    assert isinstance(layer.kernel_initializer, Halves) and layer.kernel_initializer.value == 0.25


@pytest.mark.parametrize("how", ["argument", "scope", "global"])
def test_unregistered_classes_are_passed(how):
    written = through_json(layers.Dense(2, kernel_initializer=Halves(0.25)))
    with pytest.raises(ValueError, match="Could not interpret initializer identifier.*register_keras_serializable"):
        deserialize_keras_object(written)
    if how == "argument":
        layer = deserialize_keras_object(written, custom_objects={"Halves": Halves})
    elif how == "scope":
        with keras.utils.custom_object_scope({"Halves": Halves}):
            layer = deserialize_keras_object(written)
    else:
        keras.utils.get_custom_objects()["Halves"] = Halves
        layer = deserialize_keras_object(written)
    assert isinstance(layer.kernel_initializer, Halves)


def test_scopes_are_left():
    with serialization.CustomObjectScope({"A": Halves}), serialization.CustomObjectScope({"B": thirds}):
        assert registry.get_registered_object("A") is Halves and registry.get_registered_object("B") is thirds
    assert registry.get_registered_object("A") is None


def test_functions_are_known_by_name():
    written = through_json(layers.Dense(2, kernel_initializer=thirds))
    function = {"module": "builtins", "class_name": "function", "config": "thirds", "registered_name": "function"}
    assert written["config"]["kernel_initializer"] == function
    layer = deserialize_keras_object(written, {"thirds": thirds})
    assert layer.kernel_initializer is thirds
    serialization.register_keras_serializable("pkg", "third")(thirds)
    assert through_json(thirds)["config"] == "pkg>third"
    assert deserialize_keras_object(through_json(thirds)) is thirds
    assert deserialize_keras_object(through_json(keras.losses.mean_squared_error)) is keras.losses.mean_squared_error


def test_an_array_as_initializer_comes_back():
    values = np.array([1.0, 2.0])
    layer = deserialize_keras_object(through_json(layers.Dense(2, bias_initializer=values)))
    layer.build((None, 3))
    np.testing.assert_array_equal(layer.bias.numpy(), values)


def test_activations_keep_their_options():
    leaky = keras.activations.leaky_relu.with_parameters(negative_slope=0.3)
    written = through_json(layers.Dense(2, leaky))["config"]["activation"]
    assert written["class_name"] == "LeakyReLU" and written["config"]["negative_slope"] == 0.3
    for given in (leaky, keras.activations.gelu.with_parameters(approximate=True), keras.activations.tanh):
        again = deserialize_keras_object(through_json(layers.Dense(2, given))).activation
        assert (again.name, again.options) == (given.name, given.options)


def test_shared_layers_are_made_once():
    class Pair(layers.Layer):
        def __init__(self, first, second, **kwargs):
            super().__init__(**kwargs)
            self.first, self.second = first, second

    shared = layers.Dense(2)
    written = through_json({"pair": Pair(shared, shared), "alone": layers.Dense(3)})
    config = written["pair"]["config"]
    assert config["first"]["shared_object_id"] == config["second"]["shared_object_id"]
    assert "shared_object_id" not in written["pair"] and "shared_object_id" not in written["alone"]
    with keras.utils.custom_object_scope({"Pair": Pair}):
        pair = deserialize_keras_object(written)["pair"]
    assert pair.first is pair.second and isinstance(pair.first, layers.Dense)


def test_configurations_are_left_as_they_are():
    class Pops(layers.Layer):
        @classmethod
        def from_config(cls, config):
            config.pop("name")
            return super().from_config(config)

    written = through_json(Pops(name="p"))
    deserialize_keras_object(written, {"Pops": Pops})
    assert written["config"]["name"] == "p"


# What is refused.


def test_unknown_names():
    wanted = {"module": "mine.layers", "class_name": "Mine", "config": {}, "registered_name": "pkg>Mine"}
    with pytest.raises(TypeError, match=r"Could not locate class 'Mine' of 'mine.layers'.*custom_objects={'Mine': Min"):
        deserialize_keras_object(wanted)
    with pytest.raises(TypeError, match="Could not locate class 'Nothing'"):
        deserialize_keras_object({"module": "keras.layers", "class_name": "Nothing", "config": {}})
    with pytest.raises(TypeError, match="Could not locate function 'nothing'"):
        deserialize_keras_object({"module": "builtins", "class_name": "function", "config": "nothing"})


@pytest.mark.parametrize(
    "module, name", [("os", "system"), ("builtins", "eval"), ("subprocess", "Popen"), ("dseq.utils", "PyDataset")]
)
def test_nothing_is_imported_because_a_file_says_so(module, name):
    for kind, config in ((name, {}), ("function", name)):
        with pytest.raises(TypeError, match="Could not locate"):
            deserialize_keras_object({"module": module, "class_name": kind, "config": config})


@pytest.mark.parametrize("name", ["get", "deserialize", "serialize"])
def test_functions_that_read_configurations_are_not_found(name):
    with pytest.raises(TypeError, match="Could not locate"):
        deserialize_keras_object({"module": "keras.losses", "class_name": "function", "config": name})


@pytest.mark.parametrize("safe", [True, False])
def test_lambdas_are_never_run(safe):
    code = {"class_name": "__lambda__", "config": {"value": ["4wEAAAAAAAAA", None, None]}}
    match = "Requested the deserialization of a Python lambda" if safe else "not even with `safe_mode=False`"
    with pytest.raises(ValueError, match=match):
        deserialize_keras_object({"f": [code]}, safe_mode=safe)
    with pytest.raises(ValueError, match="A lambda can't be written"):
        serialize_keras_object({"f": lambda x: x})


def test_wrong_arguments_name_the_object():
    broken = {"module": "keras.layers", "class_name": "Dense", "config": {"name": "d"}, "registered_name": None}
    with pytest.raises(TypeError, match=r"Dense 'd' could not be made of its configuration.*units"):
        deserialize_keras_object(broken)
    with pytest.raises(TypeError, match="Expected 'config' to be a dict for 'Dense'"):
        deserialize_keras_object({**broken, "config": 3})
    with pytest.raises(TypeError, match="Could not parse config"):
        deserialize_keras_object({"a": object()})
    with pytest.raises(TypeError, match="must implement the `get_config"):
        serialize_keras_object(object())
    with pytest.raises(TypeError, match="A class can't be part"):
        serialize_keras_object(layers.Dense)
    with pytest.raises(ValueError, match="does not have a get_config"):
        serialization.register_keras_serializable()(object)
    with pytest.raises(ValueError, match="`custom_objects` must be a dict"):
        deserialize_keras_object({}, custom_objects=[Halves])

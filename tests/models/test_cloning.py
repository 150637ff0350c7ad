"""Copies of models: the same layers anew."""

import numpy as np
import pytest

import dseq as keras
from dseq import layers
from dseq.models import clone_model


@pytest.fixture(autouse=True)
def fresh_names():
    keras.backend.clear_session(free_memory=False)


X = np.sin(1 + np.arange(20)).reshape(5, 4).astype("float32")


def graph():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    shared = layers.Dense(3, "tanh", name="shared")
    base = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="inner")], name="base")
    y = layers.Concatenate(name="cat")([base(shared(a)), base(shared(b))])
    return keras.Model({"a": a, "b": b}, [y, shared.output], name="graph")


def stack():
    return keras.Sequential(
        [keras.Input((4,), name="x"), layers.Dense(3, "relu", name="d"), layers.Dense(2)], name="st"
    )


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("make, data", [(graph, {"a": X, "b": 2 * X}), (stack, X)])
def test_a_copy_computes_the_same_with_the_same_weights(make, data, recursive):
    model = make()
    copy = clone_model(model, recursive=recursive)
    assert copy.to_json() == model.to_json() and copy is not model
    assert not {id(w) for w in copy.weights} & {id(w) for w in model.weights}
    copy.set_weights(model.get_weights())
    for x, y in zip(copy.predict(data, verbose=0), model.predict(data, verbose=0), strict=True):
        np.testing.assert_array_equal(x, y)


def test_weights_are_drawn_anew():
    assert not np.array_equal(stack().get_weights()[0], clone_model(stack()).get_weights()[0])


def test_a_compiled_model_gives_a_compiled_copy():
    model = stack()
    model.compile("sgd", "mse", metrics=["mae"])
    copy = clone_model(model)
    assert copy.compiled and copy.optimizer is not model.optimizer and copy.loss == "mse"
    assert not clone_model(stack()).compiled


def test_frozen_models_stay_frozen():
    model = stack()
    model.trainable = False
    assert clone_model(model).trainable_weights == []


def test_clone_function():
    """Each layer that is no input, once."""
    seen = []

    def without_bias(layer):
        seen.append(layer.name)
        config = layer.get_config()
        if "use_bias" in config:
            config["use_bias"] = False
        return type(layer).from_config(config)

    assert clone_model(graph(), clone_function=without_bias).count_params() == 4 * 3 + (3 + 1) * 2
    assert seen == ["shared", "base", "cat"]
    seen.clear()
    assert clone_model(graph(), clone_function=without_bias, recursive=True).count_params() == 4 * 3 + 3 * 2
    assert seen == ["shared", "inner", "cat"]
    assert clone_model(stack(), clone_function=without_bias).count_params() == 4 * 3 + 3 * 2


def test_layers_may_be_shared_with_the_copy():
    model = graph()
    copy = clone_model(model, clone_function=lambda layer: layer)
    assert [id(w) for w in copy.weights] == [id(w) for w in model.weights]


def test_call_function():
    def doubled(layer, *args, **kwargs):
        result = layer(*args, **kwargs)
        return layers.Rescaling(2.0)(result) if isinstance(layer, layers.Concatenate) else result

    model = graph()
    copy = clone_model(model, clone_function=lambda layer: layer, call_function=doubled)
    data = {"a": X, "b": 2 * X}
    np.testing.assert_allclose(copy.predict(data, verbose=0)[0], 2 * model.predict(data, verbose=0)[0], rtol=1e-6)


def test_input_tensors():
    x = keras.Input((4,), name="fresh")
    assert clone_model(stack(), input_tensors=[x]).inputs[0].shape == (None, 4)
    chain = keras.Model(x, layers.Dense(2, name="d")(x))
    h = layers.Dense(4, name="before")(keras.Input((6,)))
    copy = clone_model(chain, input_tensors=h)
    assert copy.inputs[0] is h and copy.get_layer("d").units == 2
    a, b = keras.Input((4,)), keras.Input((4,))
    assert clone_model(graph(), input_tensors={"a": a, "b": b}).input == {"a": a, "b": b}


def test_a_tower():
    x = y = keras.Input((2,))
    for _ in range(1000):
        y = layers.Identity()(y)
    assert len(clone_model(keras.Model(x, y)).layers) == 1001


class Own(keras.Model):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense = layers.Dense(units)

    def call(self, x):
        return self.dense(x)


def test_models_written_as_classes():
    model = Own(3)
    model(X)
    copy = clone_model(model)
    assert type(copy) is Own and copy.built and copy.units == 3
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(copy(X), model(X))


@pytest.mark.parametrize(
    "use, message",
    [
        (lambda: clone_model(stack(), call_function=print), "not supported with Sequential models.*'st'"),
        (
            lambda: clone_model(Own(3), clone_function=print),
            "only supported for Sequential models or functional models",
        ),
        (lambda: clone_model(stack(), input_tensors=[1]), "must contain a single symbolic tensor"),
        (lambda: clone_model(graph(), input_tensors=[1]), "must be symbolic tensors"),
        (lambda: clone_model(graph(), input_tensors=keras.Input((4,))), "must have the same structure"),
        (
            lambda: clone_model(graph(), call_function=lambda layer, *a, **k: [layer(*a, **k)] * 2),
            "as many tensors as the layer, 1 of 'shared'. Received: 2",
        ),
    ],
)
def test_errors(use, message):
    with pytest.raises(ValueError, match=message):
        use()

"""Sequential: every tutorial case that needs only dense layers, and the errors."""

import warnings

import numpy as np
import pytest

import dseq as keras
from dseq import layers
from dseq.layers import Activation, Dense, Flatten
from dseq.models import Sequential


@pytest.fixture(autouse=True)
def fresh_names():
    keras.backend.clear_session(free_memory=False)


def legacy(make):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return make()


def text_of(model, **options):
    lines = []
    model.summary(print_fn=lambda text, **_: lines.append(text), **options)
    return "\n".join(lines)


def test_digits_network_by_add_and_by_list():
    model = Sequential()
    model.add(legacy(lambda: Flatten(input_shape=(28, 28))))
    model.add(Dense(128, "relu"))
    model.add(Dense(10, "softmax"))
    assert [layer.name for layer in model.layers] == ["flatten", "dense", "dense_1"]
    assert [layer.output.shape for layer in model.layers] == [(None, 784), (None, 128), (None, 10)]
    assert [layer.count_params() for layer in model.layers] == [0, 100480, 1290]
    assert model.count_params() == 101770
    assert (model.input_shape, model.output_shape) == ((None, 28, 28), (None, 10))
    listed = Sequential([legacy(lambda: Flatten(input_shape=(28, 28))), Dense(128, "relu"), Dense(10, "softmax")])
    assert [w.shape for w in listed.weights] == [w.shape for w in model.weights]
    text = text_of(model)
    for part in ('Model: "sequential"', "flatten (Flatten)", "(None, 784)", "100,480", "101,770", "397.54 KB"):
        assert part in text


def test_a_model_called_on_an_array_builds_and_equals_its_layers():
    one, two, three = Dense(2, "relu", name="layer1"), Dense(3, "relu", name="layer2"), Dense(4, name="layer3")
    model = Sequential([one, two, three])
    x = np.ones((3, 3))
    y = model(x)
    assert y.shape == (3, 4) and [layer.name for layer in model.layers] == ["layer1", "layer2", "layer3"]
    np.testing.assert_allclose(three(two(one(x))), y, rtol=1e-6)


def test_add_pop_and_names():
    model = Sequential(name="my_sequential")
    for units, name in ((2, "layer1"), (3, "layer2"), (4, "layer3")):
        model.add(Dense(units, name=name))
    top = model.layers[-1]
    assert model.pop() is top and len(model.layers) == 2
    model.build((None, 4))
    assert model.weights[0].path == "my_sequential/layer1/kernel"
    assert model.pop().name == "layer2" and model.output_shape == (None, 2)
    model.pop()
    with pytest.raises(IndexError, match="no layers to pop"):
        model.pop()


def test_weights_exist_once_the_shape_is_known():
    layer = Dense(3)
    assert layer.weights == []
    layer(np.ones((1, 4)))
    kernel, bias = layer.weights
    assert kernel.path == "dense/kernel" and kernel.shape == (4, 3) and not bias.numpy().any()
    assert repr(kernel).startswith("<Variable path=dense/kernel, shape=(4, 3), dtype=float32, value=")

    keras.backend.clear_session(free_memory=False)
    model = Sequential([Dense(2, "relu"), Dense(3, "relu"), Dense(4)])
    for use in (lambda: model.weights, model.get_weights, lambda: model.save_weights("x.weights.h5")):
        with pytest.raises(ValueError, match="not yet been (created|built)"):
            use()
    with pytest.raises(ValueError, match="isn't built"):
        model.count_params()
    assert "unbuilt" in text_of(model)
    model(np.ones((1, 4)))
    assert len(model.weights) == 6 and model.input_shape == (1, 4)
    assert [layer.output.shape for layer in model.layers] == [(1, 2), (1, 3), (1, 4)]
    assert "35" in text_of(model)
    assert model(np.ones((5, 4))).shape == (5, 4)


def test_an_input_builds_as_layers_are_added():
    model = Sequential()
    model.add(keras.Input(shape=(4,)))
    model.add(Dense(2, "relu"))
    assert model.built and model.count_params() == 10 and len(model.layers) == 1
    model.add(Dense(3))
    assert len(model.weights) == 4 and model.layers[0].output is model.layers[1].input
    assert isinstance(model.layers[0], Dense)


def test_input_as_an_integer_and_frozen_layers():
    model = Sequential([keras.Input(shape=(784)), Dense(32, "relu"), Dense(32, "relu"), Dense(32, "relu"), Dense(10)])
    assert model.count_params() == 27562
    for layer in model.layers[:-1]:
        layer.trainable = False
    assert len(model.trainable_weights) == 2 and len(model.non_trainable_weights) == 6
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = model.get_weights()
    x, y = np.random.default_rng(0).random((64, 784)), np.arange(64) % 10
    model.fit(x, y, epochs=1, verbose=0)
    after = model.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before[:6], after[:6], strict=True))
    assert not np.array_equal(before[6], after[6])


def test_older_spellings_of_the_input_shape():
    with pytest.warns(UserWarning, match="Do not pass an `input_shape`/`input_dim`"):
        layer = Dense(32, activation="relu", input_dim=100)
    model = Sequential([layer, Dense(10, "softmax")])
    assert model.count_params() == 3562
    model = Sequential()
    model.add(legacy(lambda: Dense(32, input_shape=(784,))))
    model.add(Activation("relu"))
    assert model.count_params() == 25120
    with pytest.raises(ValueError, match="Unrecognized keyword arguments passed to Dense: {'batch_input_shape'"):
        Dense(2, batch_input_shape=(None, 3))


@pytest.mark.parametrize(
    "sizes, features, count", [((128, 1), 784, 100609), ((16, 8, 1), 10, 321), ((32, 1), 100, 3265)]
)
def test_parameter_counts(sizes, features, count):
    stack = [legacy(lambda: Dense(sizes[0], input_shape=(features,), activation="relu"))]
    stack += [Dense(n, "relu") for n in sizes[1:-1]] + [Dense(sizes[-1], "sigmoid")]
    assert Sequential(stack).count_params() == count


def test_a_model_as_a_layer_shares_weights():
    base = Sequential([keras.Input((4,)), Dense(5, "tanh"), Dense(3)], name="base")
    model = Sequential([base, Dense(2)])
    assert model.built and model.count_params() == 25 + 18 + 8
    x = np.ones((2, 4))
    before = model(x)
    base.set_weights([w + 1 for w in base.get_weights()])
    assert not np.allclose(model(x), before)
    base.trainable = False
    assert len(model.trainable_weights) == 2 and len(model.weights) == 6
    outer = Sequential([keras.Input((4,)), model, Dense(1)])
    assert outer.count_params() == model.count_params() + 3


def test_get_layer():
    model = Sequential([keras.Input((4,)), Dense(5, name="a"), Dense(3, name="b")])
    assert model.get_layer("b") is model.get_layer(index=1)
    with pytest.raises(ValueError, match=r"No such layer: nope. Existing layers are: \['a', 'b'\]"):
        model.get_layer("nope")
    with pytest.raises(ValueError, match="only has 2 layers"):
        model.get_layer(index=7)


def test_set_weights_changes_all_or_nothing():
    model = Sequential([keras.Input((4,)), Dense(5), Dense(3)])
    kept = model.get_weights()
    with pytest.raises(ValueError, match=r"Received: 3 arrays"):
        model.set_weights(kept[:3])
    with pytest.raises(ValueError, match=r"has shape \(5, 3\). Received: an array of shape \(2, 2\)"):
        model.set_weights([kept[0] + 1, kept[1], np.ones((2, 2)), kept[3]])
    for a, b in zip(model.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "use, message",
    [
        (lambda: Sequential([3]), "Only layers can be added"),
        (lambda: Sequential([Dense(2, name="a"), Dense(3, name="a")]), "unique names"),
        (lambda: Sequential([keras.Input((3,)), keras.Input((3,))]), "already been configured"),
        (lambda: Sequential().build((None, 3)), "no layers"),
        (lambda: Dense(2, "nope"), "Could not interpret activation function identifier: nope"),
        (lambda: Dense(0), "positive integer. Received: units=0"),
        (lambda: Dense(2, name="a/b"), "cannot contain"),
        (lambda: keras.Input("abc"), "Cannot convert 'abc' to a shape"),
        (lambda: keras.Input((3, -1)), "Cannot convert"),
        (lambda: layers.Dropout(1.5), "`rate`"),
        (lambda: layers.Permute((1, 3)), "consecutive"),
        (lambda: Sequential([keras.Input((3,)), layers.Reshape((2, 2))]), "must keep the number of values"),
    ],
)
def test_errors_name_the_rule(use, message):
    with pytest.raises(ValueError, match=message):
        use()


def test_a_wrong_feature_count_names_the_layer():
    model = legacy(lambda: Sequential([Dense(32, "relu", input_dim=784), Dense(1, "sigmoid")]))
    model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"])
    rule = r'layer "dense" is incompatible.*axis -1 of input shape to have value 784, but received .* shape \(32, 100\)'
    with pytest.raises(ValueError, match=rule):
        model.fit(np.zeros((1000, 100)), np.zeros((1000, 1)), batch_size=32, verbose=0)
    with pytest.raises(ValueError, match="expected axis -1"):
        model.predict(np.zeros((8, 100)), verbose=0)


def test_config_round_trip():
    model = Sequential([keras.Input((4,)), Dense(5, "tanh"), layers.Dropout(0.2), Dense(3)], name="net")
    again = Sequential.from_config(model.get_config())
    assert again.name == "net" and [type(a) for a in again.layers] == [type(b) for b in model.layers]
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again(np.ones((2, 4))), model(np.ones((2, 4))))


def test_models_may_be_nested_deeply():
    """Each level is visited once: with two visits forty levels would take years."""
    model = Sequential([keras.Input((4,)), Dense(4)])
    for _ in range(40):
        model = Sequential([model, Dense(4)])
    assert model(np.ones((2, 4))).shape == (2, 4) and len(model.weights) == 82


def test_one_layer_may_stand_in_several_places():
    shared = Dense(4)
    model = Sequential([keras.Input((4,)), shared, layers.ReLU(), shared])
    assert len(model.layers) == 3 and len({id(w) for w in model.weights}) == 2
    x = np.ones((2, 4), "float32")
    np.testing.assert_allclose(model(x), shared(np.maximum(shared(x), 0)), rtol=1e-6)
    model.pop()
    np.testing.assert_allclose(model(x), np.maximum(shared(x), 0), rtol=1e-6)

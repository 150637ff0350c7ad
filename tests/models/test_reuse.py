"""Models that are copied, changed after they ran, put together wrongly, or used by several threads."""

import copy
import pickle
import threading

import numpy as np
import pytest

import dseq as keras
from dseq import layers
from dseq.layers import Dense
from dseq.models import Sequential

X = np.random.default_rng(0).standard_normal((24, 4)).astype("float32")
Y = X[:, :2] * 2


@pytest.fixture(autouse=True)
def fresh_names():
    keras.backend.clear_session(free_memory=False)


def trained(make=None):
    model = make() if make else Sequential([keras.Input((4,)), Dense(5, "tanh"), layers.Dropout(0.1), Dense(2)])
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    model.fit(X, Y, verbose=0)
    return model


def branched():
    x = keras.Input((4,))
    base = Sequential([keras.Input((4,)), Dense(4, "relu")])
    return keras.Model(x, Dense(2)(layers.Add()([base(x), x])))


@pytest.mark.parametrize("make", [None, branched], ids=["sequential", "functional"])
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["copy", "pickle"])
def test_a_copy_of_a_model_that_ran_lives_on_its_own(duplicate, make):
    model = trained(make)
    model(X)
    again, kept, y = duplicate(model), model.get_weights(), model.predict(X, verbose=0)
    np.testing.assert_array_equal(again.predict(X, verbose=0), y)
    np.testing.assert_array_equal(again(X), y)
    keras.utils.set_random_seed(1)
    again._seed = model._seed = None
    history = again.fit(X, Y, verbose=0, epochs=2).history
    again.set_weights([w + 1 for w in again.get_weights()])
    for a, b in zip(model.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(a, b)
    keras.utils.set_random_seed(1)
    assert model.fit(X, Y, verbose=0, epochs=2).history == history, "the optimizer's state is copied too"


def test_a_tower_is_copied():
    model = Sequential([keras.Input((4,)), *(Dense(4) for _ in range(300))])
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.weights[-2].numpy(), model.weights[-2].numpy())
        assert again.layers[-1].output is again.output


def test_building_by_hand_makes_the_weights_once():
    layer = Dense(3)
    layer.build((None, 4))
    kernel = layer.kernel
    layer.build((None, 4))
    assert layer.built and layer(X).shape == (24, 3)
    assert layer.kernel is kernel and len(layer.weights) == 2
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 4"):
        layer.build((None, 5))


def test_a_build_that_fails_leaves_no_weights():
    layer = Dense(3, bias_initializer=lambda shape, dtype: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        layer.build((None, 4))
    assert not layer.built and layer.weights == []


def test_a_layer_that_does_not_fit_is_not_added():
    model = Sequential([keras.Input((4,)), Dense(3)])
    y = model(X)
    with pytest.raises(ValueError, match="must keep the number of values"):
        model.add(layers.Reshape((2, 2)))
    assert len(model.layers) == 1
    np.testing.assert_array_equal(model.predict(X, verbose=0), y)
    model.add(Dense(2))
    assert model.output_shape == (None, 2)


def test_a_shape_that_does_not_fit_leaves_no_weights():
    first, inner = Dense(3), Sequential([Dense(4)])
    model = Sequential([layers.Flatten(), first, inner, layers.Reshape((2, 2)), layers.Permute((2, 1, 3))])
    with pytest.raises(ValueError):
        model.build((None, 4))
    assert not first.built and first.weights == [] and not inner.built and not first._inbound_nodes
    model.pop()
    model.build((None, 6))
    assert first.kernel.shape == (6, 3) and len(model.weights) == 4
    again = Dense(3)
    with pytest.raises(ValueError):
        Sequential([keras.Input((4,)), again, layers.Reshape((2, 2))])
    assert not again.built


def test_a_model_inside_that_grows_is_noticed():
    inner = Sequential([keras.Input((4,)), Dense(3)])
    outer = Sequential([keras.Input((4,)), inner])
    head = Sequential([keras.Input((4,)), inner, Dense(2)])
    version = outer.graph_version
    before = outer(X)
    np.testing.assert_array_equal(outer.predict(X, verbose=0), before)
    top = inner.layers[0]
    inner.add(Dense(3))
    assert outer.graph_version > version
    np.testing.assert_array_equal(outer(X), inner(X))
    np.testing.assert_array_equal(outer.predict(X, verbose=0), inner(X))
    assert not np.array_equal(outer(X), before)
    version = outer.graph_version
    inner.add(Dense(5))
    assert outer.graph_version > version
    with pytest.raises(ValueError, match="must keep the shape of its output"):
        outer.predict(X, verbose=0)
    with pytest.raises(ValueError, match="expected axis -1"):
        head.predict(X, verbose=0)
    inner.pop()
    inner.pop()
    assert inner.layers == [top]
    np.testing.assert_array_equal(outer(X), before)


def test_facts_do_not_depend_on_the_process():
    def make(rate=0.1, activation="relu", **options):
        leaky = keras.activations.leaky_relu.with_parameters(negative_slope=0.3)
        model = Sequential([keras.Input((4,)), Dense(5, activation), Sequential([Dense(2, leaky)])])
        model.add(layers.Dropout(rate))
        losses = [keras.losses.MeanSquaredError()]
        model.compile("adam", **({"loss": losses, "metrics": ["mae", keras.metrics.MeanSquaredError()]} | options))
        return model.facts()

    facts = make()
    assert make() == facts and " at 0x" not in str(facts)
    assert "negative_slope" in str(facts)
    seeded = [Sequential([Dense(2, kernel_initializer=keras.initializers.HeNormal(seed))]).facts() for seed in (1, 2)]
    assert seeded[0] == seeded[1], "rank 0's weights count"
    others = [make(rate=0.2), make(activation="tanh"), make(metrics=["mse"]), make(loss={"dense": "mse"})]
    others += [make(loss_weights=[0.5]), make(run_eagerly=True), make(loss=[lambda y, p: y])]
    assert all(other != facts for other in others)
    assert " at 0x" not in str(others)


def test_facts_know_how_layers_are_connected():
    def make(swap):
        a, b = keras.Input((2,)), keras.Input((2,))
        return keras.Model([a, b], layers.Subtract()([b, a] if swap else [a, b])).facts()

    assert make(False) == make(False) != make(True)


def test_threads_share_a_model():
    model = Sequential([Dense(8, "tanh"), Dense(2)])
    data = [np.full((n, 4), n, "float32") for n in range(1, 9)]
    found = {}

    def use(x):
        found[len(x)] = [model(x) for _ in range(20)]

    threads = [threading.Thread(target=use, args=(x,)) for x in data]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(model.weights) == 4
    for x in data:
        expected = model(x)
        for y in found[len(x)]:
            np.testing.assert_array_equal(y, expected)


class OwnStep(keras.Model):
    def train_step(self, data):
        return {}


class Chain(Sequential):
    pass


@pytest.mark.parametrize(
    "use, message",
    [
        (OwnStep, "`train_step` cannot be overridden: a step is compiled as a whole"),
        (lambda: two_inputs()([X, X[:1]]), r"\[24, 1\]"),
        (
            lambda: Sequential.from_config({"name": "a", "layers": [{"class_name": "add"}]}),
            r"must be a dict with class_name and config. Received: {'class_name': 'add'}",
        ),
    ],
)
def test_errors(use, message):
    with pytest.raises(ValueError, match=message):
        use()


def two_inputs():
    a, b = keras.Input((4,)), keras.Input((4,))
    return keras.Model([a, b], layers.Concatenate()([Dense(2)(a), Dense(2)(b)]))


def test_a_subclass_without_call_is_a_sequential():
    assert Chain([keras.Input((4,)), Dense(2)]).count_params() == 10


def test_the_type_of_an_input_is_kept():
    inner = Sequential([keras.Input((4,), dtype="int32"), Dense(2)])
    assert Sequential([inner, Dense(2)]).inputs[0].dtype == "int32"

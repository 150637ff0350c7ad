"""Loading into a model: what fits, what does not, and that nothing changes when something does not."""

import pickle

import numpy as np
import pytest

from dseq.saving.weights import assign, read, write
from tests.saving.standins import Adam, BatchNormalization, Conv2D, Dense, Dropout, Sequential, arrays, fill


def network(seed=0, classes=3, head="head", name="net", optimizer=True):
    layers = [
        Dense("first", (4, 5), (5,)),
        BatchNormalization("norm", (5,), (5,), (5,), (5,), frozen=2),
        Dropout("drop"),
        Dense(head, (5, classes), (classes,)),
    ]
    model = Sequential(layers, name)
    fill(model.variables, seed)
    if optimizer:
        model.optimizer = Adam(model.trainable_variables)
        fill(model.optimizer.variables, seed + 100)
    return model


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.weights.h5"


def test_round_trip_with_optimizer_state(path):
    saved, loaded = network(1), network(2)
    write(path, saved)
    assign(read(path), loaded)
    assert saved.optimizer.variables[0].array > 0
    for a, b in zip(arrays(saved), arrays(loaded), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_tree_travels_between_processes(path):
    saved, loaded = network(1), network(2)
    write(path, saved)
    assign(pickle.loads(pickle.dumps(read(path))), loaded)
    np.testing.assert_array_equal(arrays(saved)[0], arrays(loaded)[0])


def test_an_optimizer_that_is_not_built_is_built(path):
    saved, loaded = network(1), network(2, optimizer=False)
    loaded.optimizer = Adam()
    write(path, saved)
    assign(read(path), loaded)
    for a, b in zip(saved.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.array, b.array)


def test_optimizer_state_is_ignored_by_a_model_without_optimizer(path):
    saved, loaded = network(1), network(2, optimizer=False)
    write(path, saved)
    assign(read(path), loaded)
    np.testing.assert_array_equal(arrays(saved)[0], arrays(loaded)[0])


@pytest.mark.parametrize("saved_optimizer", [None, "other"])
def test_another_optimizer_warns_and_weights_load(path, saved_optimizer):
    saved, loaded = network(1, optimizer=False), network(2)
    if saved_optimizer:
        saved.optimizer = Adam([])
    before = [v.numpy() for v in loaded.optimizer.variables]
    write(path, saved)
    count = 2 if saved_optimizer else 0
    with pytest.warns(
        UserWarning, match=f"'adam', because it has 14 variables whereas the saved optimizer has {count}"
    ):
        assign(read(path), loaded)
    np.testing.assert_array_equal(saved.variables[0].array, loaded.variables[0].array)
    for a, b in zip(before, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, b.array)


def test_wider_types_are_cast(path):
    model = network(2)
    tree = {"file": "x", "groups": {}}
    for entry_path, shapes in {"layers/dense": [(4, 5), (5,)], "layers/dense_1": [(5, 3), (3,)]}.items():
        tree["groups"][entry_path] = {"name": None, "vars": {str(i): np.full(s, 0.1) for i, s in enumerate(shapes)}}
    tree["groups"]["layers/batch_normalization"] = {
        "name": None,
        "vars": {str(i): np.full(5, 0.5, "float16") for i in range(4)},
    }
    slots = {str(i): np.zeros(v.shape) for i, v in enumerate(model.optimizer.variables)}
    tree["groups"]["optimizer"] = {"name": "adam", "vars": {**slots, "0": np.array(7, "int64")}}
    assign(tree, model)
    assert model.variables[0].array.dtype == np.float32 and model.variables[0].array[0, 0] == np.float32(0.1)
    assert model.variables[2].array[0] == 0.5
    assert model.optimizer.variables[0].array == 7 and model.optimizer.variables[0].array.dtype == np.int32


def unchanged(model, tree, match, **kwargs):
    """Loading must raise and leave every value as it was."""
    before = arrays(model)
    with pytest.raises(ValueError, match=match) as caught:
        assign(tree, model, **kwargs)
    for a, b in zip(before, arrays(model), strict=True):
        np.testing.assert_array_equal(a, b)
    return str(caught.value)


def test_another_head(path):
    write(path, network(1, classes=7))
    message = unchanged(network(2, optimizer=False), read(path), "A total of 1 objects could not be loaded")
    assert "Layer 'head' (group /layers/dense_1): 'head/v0' has shape (5, 3) in the model, but (5, 7)" in message
    assert "keep the fresh weights of `head`, pass `skip_mismatch=True`" in message
    assert str(path) in message


def test_skip_mismatch_keeps_the_head(path):
    saved, model = network(1, classes=7, optimizer=False), network(2, optimizer=False)
    write(path, saved)
    head = model.layers[-1].variables[0].numpy()
    with pytest.warns(UserWarning, match="Layer 'head'.*shape .5, 3. in the model.*keeps its values") as caught:
        assign(read(path), model, skip_mismatch=True)
    assert len(caught) == 1
    np.testing.assert_array_equal(model.layers[-1].variables[0].array, head)
    np.testing.assert_array_equal(model.variables[0].array, saved.variables[0].array)
    np.testing.assert_array_equal(model.layers[1].variables[3].array, saved.layers[1].variables[3].array)


def test_warnings_may_go_elsewhere(path):
    write(path, network(1, classes=7, optimizer=False))
    told = []
    assign(read(path), network(2, optimizer=False), skip_mismatch=True, warn=told.append)
    assert len(told) == 1 and "head" in told[0]


def test_optimizer_slots_of_another_head(path):
    saved, model = network(1, classes=7), network(2)
    write(path, saved)
    message = unchanged(model, read(path), "A total of 2 objects")
    assert "Optimizer 'adam' (group /optimizer): 'adam/v0_momentum' has shape (5, 3)" in message
    told = []
    assign(read(path), model, skip_mismatch=True, warn=told.append)
    assert "Layer 'head'" in told[0] and "Optimizer 'adam'" in told[1] and len(told) == 2
    np.testing.assert_array_equal(model.variables[0].array, saved.variables[0].array)


def test_missing_layer(path):
    write(path, Sequential([Dense("first", (4, 5), (5,))], "net"))
    model = Sequential([Dense("first", (4, 5), (5,)), Dense("second", (5, 5), (5,))], "net")
    message = unchanged(model, read(path), "Layer 'second' .* expected 2 variables, but the file has no such group")
    assert "The file has weights of 1 layers, the model of 2." in message


def test_extra_and_missing_variables(path):
    write(path, Sequential([Dense("first", (4, 5), (5,))]))
    tree = read(path)
    model = Sequential([Dense("one", (4, 5))])
    unchanged(model, tree, "Layer 'one' .* expected 1 variables, but received 2 variables")
    model = Sequential([Dense("one", (4, 5), (5,), (5,))])
    unchanged(model, tree, "Layer 'one' .* expected 3 variables, but received 2 variables")
    tree["groups"]["layers/dense"]["vars"]["odd"] = tree["groups"]["layers/dense"]["vars"].pop("1")
    unchanged(Sequential([Dense("one", (4, 5), (5,))]), tree, "could not be loaded")


def test_layers_that_only_the_file_has_are_named(path):
    write(path, Sequential([Dense("first", (4, 5), (5,)), Dense("second", (5, 5), (5,))]))
    model = Sequential([Dense("first", (4, 5), (5,))])
    with pytest.warns(UserWarning, match="layers that model 'sequential' does not have: layers/dense_1"):
        assign(read(path), model)


def test_names_decide_when_the_order_does_not_fit(path):
    saved = Sequential([Dense("wide", (4, 9)), Conv2D("conv", (3, 3, 1, 2)), Dense("thin", (4, 1))])
    model = Sequential(
        [Dense("thin", (4, 1), seed=5), Dense("wide", (4, 9), seed=6), Conv2D("conv", (3, 3, 1, 2), seed=7)]
    )
    write(path, saved)
    assign(read(path), model)
    by_name = {layer.name: layer.variables[0].array for layer in saved.layers}
    for layer in model.layers:
        np.testing.assert_array_equal(layer.variables[0].array, by_name[layer.name])


def test_names_decide_and_the_optimizer_starts_anew(path):
    saved = Sequential([Dense("wide", (4, 9)), Dense("thin", (4, 1)), Dense("a", (3, 3)), Dense("b", (3, 3))])
    model = Sequential([Dense("thin", (4, 1)), Dense("wide", (4, 9)), Dense("b", (3, 3)), Dense("a", (3, 3))])
    for one in (saved, model):
        one.optimizer = Adam(one.trainable_variables)
    fill(saved.optimizer.variables, 5)
    write(path, saved)
    with pytest.warns(UserWarning, match="optimizer 'adam', because the layers of the file have another order"):
        assign(read(path), model)
    assert all((v.array == 0).all() for v in model.optimizer.variables[2:])


def test_names_decide_in_nested_models(path):
    def model(order, seed):
        inner = Sequential([Dense(name, (4, size), seed=seed + size) for name, size in order], "inner")
        return Sequential([inner, Dense("wide", (7, 2), seed=seed)], "outer")

    saved, loaded = model([("wide", 9), ("thin", 1)], 0), model([("thin", 1), ("wide", 9)], 50)
    write(path, saved)
    assign(read(path), loaded)
    np.testing.assert_array_equal(
        loaded.layers[0].layers[0].variables[0].array, saved.layers[0].layers[1].variables[0].array
    )
    np.testing.assert_array_equal(loaded.layers[1].variables[0].array, saved.layers[1].variables[0].array)


def test_order_decides_when_both_fit(path):
    saved = Sequential([Dense("b", (2, 2), seed=1), Dense("a", (2, 2), seed=2)])
    model = Sequential([Dense("a", (2, 2)), Dense("b", (2, 2))])
    write(path, saved)
    assign(read(path), model)
    np.testing.assert_array_equal(model.layers[0].variables[0].array, saved.layers[0].variables[0].array)


def test_freezing_does_not_change_the_order(path):
    saved, model = network(1, optimizer=False), network(2, optimizer=False)
    for variable in saved.layers[1].variables:
        variable.trainable = False
    write(path, saved)
    assign(read(path), model)
    for a, b in zip(arrays(saved), arrays(model), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_model_that_is_not_built(path):
    model = network(1)
    write(path, model)
    tree = read(path)
    model.built = False
    unchanged(model, tree, "loading weights into a model that has not yet been built")
    with pytest.raises(ValueError, match="saving a model that has not yet been built"):
        write(path, model)

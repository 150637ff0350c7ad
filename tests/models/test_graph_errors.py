"""What cannot be a graph: errors that name the layer, and leave everything as it was."""

import re

import numpy as np
import pytest

import dseq as keras
from dseq import layers
from dseq.layers import Dense

X = np.ones((4, 3), "float32")


@pytest.fixture(autouse=True)
def fresh_names():
    keras.backend.clear_session(free_memory=False)


def named(size, name=None):
    return keras.Input((size,), name=name)


def one(a=None):
    a = named(3, "a") if a is None else a
    return keras.Model(a, Dense(2, name="out")(a), name="one")


def two():
    a, b = named(3, "a"), named(3, "b")
    return keras.Model([a, b], layers.Add()([a, b]), name="two")


def unconnected(*given):
    a, b = named(3, "a"), named(3, "b")
    chosen = {"a": a, "b": b}
    return keras.Model([chosen[name] for name in given], Dense(2)(layers.Add()([a, b])))


def behind_the_middle():
    a = named(3, "a")
    h = Dense(4, name="mid")(a)
    return keras.Model(h, layers.Add()([h, Dense(4)(a)]))


def twice_the_same_name():
    a = named(3, "a")
    return keras.Model(a, Dense(2, name="x")(Dense(2, name="x")(a)))


def rebuilt_for_another_size():
    layer = Dense(2, name="d")
    layer(named(3))
    return layer(named(5))


CASES = {
    # Graphs that are none.
    "another graph's tensor": (lambda: unconnected("a"), r"also needs 'b', which is not among inputs=\['a'\]"),
    "no way around the middle": (behind_the_middle, "also needs 'a'"),
    "one name twice": (twice_the_same_name, "unique names.*'x' 2 times"),
    "no inputs": (lambda: keras.Model([], Dense(2)(named(3))), "`inputs` of a model must hold at least one tensor"),
    "no outputs": (lambda: keras.Model(named(3), []), "`outputs` of a model must hold at least one tensor"),
    "outputs are None": (lambda: keras.Model(named(3), None), "must be symbolic tensors.*NoneType"),
    "output is a layer": (lambda: keras.Model(named(3), Dense(2)), "Call the layer on a tensor first"),
    "input is an array": (lambda: keras.Model(X, Dense(2)(named(3))), "must be symbolic tensors.*ndarray"),
    # Merges.
    "sum of sizes": (lambda: layers.Add(name="s")([named(3), named(4)]), r"incompatible shapes.*\(3,\) and \(4,\)"),
    "concatenation": (
        lambda: layers.Concatenate(axis=1)([keras.Input((2, 3)), keras.Input((4, 4))]),
        r"(?i)matching shapes",
    ),
    "sum of one tensor": (lambda: layers.Add()(named(3)), "should be called on a list"),
    "difference of three": (lambda: layers.Subtract()([named(3)] * 3), "2 inputs"),
    "dot of sizes": (lambda: layers.Dot(axes=1)([named(3), named(4)]), "axis values 3 .* != 4"),
    # Calls of layers.
    "a string": (lambda: Dense(2, name="d")("hello"), "'d' takes arrays or symbolic tensors.*hello"),
    "None": (lambda: Dense(2, name="d")(None), "'d' takes arrays or symbolic tensors.*None"),
    "nothing": (lambda: Dense(2, name="d")(), "'d' takes arrays or symbolic tensors"),
    "two inputs in a list": (lambda: Dense(2, name="d")([named(3), named(3)]), r'"d" expects 1 input\(s\), .* 2 input'),
    "two inputs": (lambda: Dense(2, name="d")(named(3), named(3)), r'"d" expects 1 input\(s\), but it received 2'),
    "another size": (rebuilt_for_another_size, '"d".*axis -1 of input shape to have value 3.*5'),
    "an array without a batch": (lambda: Dense(2, name="d")(np.zeros(3)), '"d".*expected min_ndim=2, found ndim=1'),
    # Calls of models.
    "a model of another size": (lambda: one()(named(4)), r'"one".*expected shape=\(None, 3\), found shape=\(None, 4\)'),
    "a model of another rank": (lambda: one()(np.zeros((2, 5, 3))), r'"one".*expected shape=\(None, 3\), found'),
    "one input too many": (lambda: one()([named(3), named(3)]), r"'one' expects 1 input\(s\) \['a'\].*2"),
    "one input too few": (lambda: two()(named(3)), r"'two' expects 2 input\(s\) \['a', 'b'\]"),
    "a key too few": (lambda: two()({"a": X}), r'Missing data for input "b".*keys \[.a.\].*\[.a., .b.\]'),
    "a key too few in predict": (lambda: two().predict({"b": X}, verbose=0), 'Missing data for input "a"'),
    "an array too few": (lambda: two().predict([X], verbose=0), r"'two' expects 2 input\(s\)"),
    "an array too many": (lambda: two().predict([X] * 3, verbose=0), r"'two' expects 2 input\(s\)"),
    "a string for data": (lambda: one().predict("abc", verbose=0), "must be a NumPy array of numbers"),
    "samples that differ": (lambda: two()([X, X[:2]]), r"same number of samples.*\[4, 2\]"),
}


@pytest.mark.parametrize("case", CASES)
def test_an_error_says_what_is_wrong(case):
    use, message = CASES[case]
    with pytest.raises(ValueError, match=re.compile(message, re.DOTALL)):
        use()


@pytest.mark.parametrize("use", [bool, len, list, np.array, np.sin, lambda x: 1 if x > 0 else 2])
def test_a_symbolic_tensor_has_no_values(use):
    with pytest.raises(TypeError, match="symbolic tensor"):
        use(named(3))


def test_a_failed_model_leaves_its_layers_alone():
    a = named(3, "a")
    layer = Dense(2)
    y = layer(a)
    with pytest.raises(ValueError):
        keras.Model(named(3, "other"), y)
    model = keras.Model(a, y)
    np.testing.assert_array_equal(model(X), layer(X))


def test_a_graph_cannot_have_a_cycle():
    """A tensor comes from the call that made it, and no call takes a tensor that is not there yet.

    What comes nearest: a layer fed with its own output, and models that hold each other's layers; both end.
    """
    a = named(3)
    layer = Dense(3)
    h = layer(layer(a))
    model = keras.Model(a, h)
    again = keras.Model(a, layer(model(layer(a))))
    kernel = layer.get_weights()[0].astype("float64")
    np.testing.assert_allclose(again(X), X @ np.linalg.matrix_power(kernel, 4), rtol=1e-5, atol=1e-6)
    assert again.count_params() == 12
    for tensor in (*model.outputs, *again.outputs):
        seen = set()
        waiting = [tensor]
        while waiting:
            node = waiting.pop().node
            assert all(before.node.outputs and before.node is not node for before in node.inputs)
            if id(node) not in seen:
                seen.add(id(node))
                waiting += node.inputs


def test_a_sequential_that_holds_itself_is_refused():
    model = keras.Sequential([keras.Input((3,)), Dense(3)])
    around = keras.Sequential([keras.Input((3,)), model])
    for itself in (model, around):
        with pytest.raises(ValueError, match="cannot be a layer of itself"):
            model.add(itself)
    assert len(model.layers) == 1 and around(X).shape == (4, 3)


def test_a_model_inside_that_changes_its_shape():
    inner = keras.Sequential([keras.Input((3,)), Dense(3, name="kept")], name="inner")
    x = named(3)
    outer = keras.Model(x, Dense(2, name="head")(inner(x)))
    before = outer.predict(X, verbose=0)
    inner.add(Dense(3))
    assert not np.array_equal(outer.predict(X, verbose=0), before)
    inner.add(Dense(7))
    for use in (outer, lambda data: outer.predict(data, verbose=0)):
        with pytest.raises(ValueError, match="'inner' gives samples|head.*axis -1"):
            use(X)
    inner.pop()
    inner.pop()
    np.testing.assert_array_equal(outer.predict(X, verbose=0), before)


def test_get_layer_and_layers():
    model = one()
    with pytest.raises(ValueError, match=r"No such layer: nope. Existing layers are: \['a', 'out'\]"):
        model.get_layer("nope")
    with pytest.raises(ValueError, match="index 5"):
        model.get_layer(index=5)
    with pytest.raises(AttributeError, match="layers"):
        model.layers = []

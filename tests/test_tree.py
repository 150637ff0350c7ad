"""`dseq.tree`, and the small functions of `dseq.backend` and `dseq.utils` beside it."""

import numpy as np
import pytest

import dseq as keras

NESTED = {"b": [1, (2, 3)], "a": 4}


def test_leaves_go_in_the_order_of_sorted_keys():
    assert keras.tree.flatten(NESTED) == [4, 1, 2, 3]
    assert keras.tree.flatten_with_path(NESTED) == [(("a",), 4), (("b", 0), 1), (("b", 1, 0), 2), (("b", 1, 1), 3)]
    assert keras.tree.flatten(5) == [5]


def test_leaves_are_put_back():
    assert keras.tree.pack_sequence_as(NESTED, [0, 5, 6, 7]) == {"b": [5, (6, 7)], "a": 0}
    with pytest.raises(ValueError, match="one entry for each leaf"):
        keras.tree.pack_sequence_as(NESTED, [1, 2])


def test_map_structure():
    doubled = keras.tree.map_structure(lambda a, b: a + b, NESTED, NESTED)
    assert doubled == {"b": [2, (4, 6)], "a": 8}
    assert keras.tree.map_structure(str, [None, 1], none_is_leaf=False) == [None, "1"]
    with pytest.raises(ValueError, match="same structure"):
        keras.tree.map_structure(lambda a, b: a, [1], (1,))
    shapes = {"x": (None, 3), "y": [(2,), (4, 5)]}
    assert keras.tree.map_shape_structure(len, shapes) == {"x": 2, "y": [1, 2]}
    assert keras.tree.lists_to_tuples([1, {"a": [2]}]) == (1, {"a": (2,)})
    assert keras.tree.is_nested(()) and not keras.tree.is_nested("a")


def test_parts_of_a_batch():
    pack, unpack = keras.utils.pack_x_y_sample_weight, keras.utils.unpack_x_y_sample_weight
    assert pack(1) == 1
    assert pack([1, 2]) == ([1, 2],)
    assert pack(1, 2) == (1, 2)
    assert pack(1, None, 3) == (1, None, 3)
    assert unpack(pack(1)) == (1, None, None)
    assert unpack(pack(1, 2)) == (1, 2, None)
    assert unpack((1, 2, 3)) == (1, 2, 3)
    with pytest.raises(ValueError, match="expected to be in format"):
        unpack((1, 2, 3, 4))


def test_names_of_types():
    name = keras.backend.standardize_dtype
    assert [name(t) for t in (None, float, int, bool, "int32", np.float64)] == [
        "float32",
        "float32",
        "int64",
        "bool",
        "int32",
        "float64",
    ]
    assert keras.backend.is_float_dtype("float64") and not keras.backend.is_float_dtype("int8")
    assert keras.backend.is_int_dtype("uint8") and not keras.backend.is_int_dtype(float)
    with pytest.raises(ValueError, match="Invalid dtype"):
        name("number")


def test_symbolic_tensors_are_told_from_arrays():
    assert keras.utils.is_keras_tensor(keras.Input((2,)))
    assert not keras.backend.is_keras_tensor(np.ones(2))


def test_automatic_numbers():
    first = keras.backend.get_uid("some_prefix_9")
    assert keras.backend.get_uid("some_prefix_9") == first + 1


def test_base_classes_stand_at_the_top():
    for name, module in {
        "Initializer": "initializers",
        "Loss": "losses",
        "Metric": "metrics",
        "Optimizer": "optimizers",
        "Regularizer": "regularizers",
    }.items():
        assert getattr(keras, name) is getattr(getattr(keras, module), name)
    assert keras.version() == keras.__version__

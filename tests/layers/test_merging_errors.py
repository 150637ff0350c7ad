"""Merging layers: what they refuse."""

import numpy as np
import pytest

import dseq as keras
from dseq.layers.merging.add import Add
from dseq.layers.merging.concatenate import Concatenate
from dseq.layers.merging.dot import Dot
from dseq.layers.merging.maximum import Maximum
from dseq.layers.merging.subtract import Subtract


def symbols(*shapes):
    return [keras.Input(shape) for shape in shapes]


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: Add()(keras.Input((3,))),
            r"A merge layer should be called on a list of inputs. Received: input_shape=\(None, 3\) \(not a list",
        ),
        (lambda: Maximum()(np.ones((2, 3))), r"called on a list of inputs. Received: input_shape=\(2, 3\)"),
        (lambda: Add()([]), "at least 1 input"),
        (
            lambda: Add()(symbols((3,), (4,))),
            r"Inputs have incompatible shapes. Received shapes \(3,\) and \(4,\)",
        ),
        (lambda: Add()([np.ones((2, 3)), np.ones((1, 3))]), "Cannot merge tensors with different batch sizes"),
        (lambda: Subtract()(symbols((3,), (3,), (3,))), "A `Subtract` layer should be called on exactly 2 inputs"),
        (lambda: Subtract()(symbols((3,))), "A `Subtract` layer should be called on exactly 2 inputs"),
        (
            lambda: Concatenate()(symbols((3, 2), (4, 2))),
            "A `Concatenate` layer requires inputs with matching shapes except for the concatenation axis",
        ),
        (lambda: Concatenate()(symbols((3, 2), (2,))), "requires inputs with matching shapes except"),
        (lambda: Concatenate(1)(symbols((2,), (3, 2))), "requires inputs with matching shapes except"),
        (lambda: Concatenate()(keras.Input((3,))), "A `Concatenate` layer should be called on a list of at least 1"),
        (lambda: Concatenate(3)(symbols((3,), (3,))), "`axis` of Concatenate must be an axis"),
        (lambda: Concatenate(-2)(symbols((3,), (3,))), "`axis` of Concatenate must be an axis"),
        (lambda: Concatenate(0), "`axis` of Concatenate must be an integer and not 0"),
        (
            lambda: Dot(1)(symbols((3,), (4,))),
            r"Incompatible input shapes: axis values 3 \(at axis 1\) != 4 \(at axis 1\). Full input shapes",
        ),
        (lambda: Dot(1)(symbols((3,))), "A `Dot` layer should be called on a list of 2 inputs"),
        (lambda: Dot(1)(keras.Input((3,))), "A `Dot` layer should be called on a list of 2 inputs"),
        (lambda: Dot(0)(symbols((3,), (3,))), "Cannot perform batch_dot over axis 0"),
        (lambda: Dot((-2, 1))(symbols((3,), (3,))), "Cannot perform batch_dot over axis 0"),
        (lambda: Dot(3)(symbols((3,), (3,))), "`axes` of Dot must be axes of the inputs"),
        (lambda: Dot(1)(symbols((), (3,))), "rank < 2"),
        (lambda: Dot((1,)), r"it should contain two elements. Received: axes=\(1,\)"),
        (lambda: Dot((1, "a")), "list elements should be integers"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_axes_of_another_type():
    with pytest.raises(TypeError, match="it should be a list or an int. Received: axes=a"):
        Dot("a")


def test_a_layer_checks_every_call():
    layer = Add()
    layer([np.ones((2, 3)), np.ones((2, 3))])
    assert layer([np.ones((2, 4)), np.ones((2, 1))]).shape == (2, 4)
    with pytest.raises(ValueError, match="different batch sizes"):
        layer([np.ones((2, 3)), np.ones((1, 3))])
    with pytest.raises(ValueError, match="incompatible shapes"):
        layer([np.ones((2, 3)), np.ones((2, 4))])

"""Crossentropies of tensors, one value for each vector."""

from dseq.ops.activations import log_softmax, softplus
from dseq.ops.arithmetic import add, divide, multiply, subtract
from dseq.ops.casting import cast
from dseq.ops.composite import Composite
from dseq.ops.elementwise import log, negative
from dseq.ops.gathering import one_hot
from dseq.ops.reductions import sum
from dseq.ops.selection import clip
from dseq.ops.shaping import squeeze
from dseq.ops.types import float_type, type_of
from dseq.program.floatx import epsilon


def _floats(x):
    return cast(x, float_type(type_of(x)))


def _inside(x):
    """Probabilities away from 0 and 1, whose logarithms are infinite."""
    return clip(x, epsilon(), 1 - epsilon())


class BinaryCrossentropy(Composite):
    """The crossentropy of single probabilities."""

    module = "keras.src.ops.nn"
    function_name = "binary_crossentropy"
    defaults = {"from_logits": False}

    @staticmethod
    def expression(target, output, from_logits):
        target, output = _floats(target), _floats(output)
        if from_logits:
            return subtract(softplus(output), multiply(target, output))
        output = _inside(output)
        hit = multiply(target, log(output))
        return negative(add(hit, multiply(subtract(1.0, target), log(subtract(1.0, output)))))


def binary_crossentropy(target, output, from_logits=False):
    """The crossentropy of probabilities, element by element.

    Args:
        target: Tensor, variable or array of labels from 0 to 1.
        output: Probabilities, of the same shape.
        from_logits: Whether the output is what a sigmoid makes probabilities of.
    """
    return BinaryCrossentropy.apply(target, output, from_logits=from_logits)


def _logarithms(output, from_logits, axis):
    if from_logits:
        return log_softmax(output, axis=axis)
    return log(_inside(divide(output, sum(output, axis=axis, keepdims=True))))


class CategoricalCrossentropy(Composite):
    """The crossentropy of distributions."""

    module = "keras.src.ops.nn"
    function_name = "categorical_crossentropy"
    defaults = {"from_logits": False, "axis": -1}

    @staticmethod
    def expression(target, output, from_logits, axis):
        target, output = _floats(target), _floats(output)
        return negative(sum(multiply(target, _logarithms(output, from_logits, axis)), axis=axis))


def categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """The crossentropy of distributions.

    Args:
        target: Tensor, variable or array of distributions.
        output: Probabilities, of the same shape.
        from_logits: Whether the output is what a softmax makes probabilities of.
        axis: The axis of the classes.
    """
    return CategoricalCrossentropy.apply(target, output, from_logits=from_logits, axis=axis)


class SparseCategoricalCrossentropy(Composite):
    """The crossentropy of distributions and class numbers."""

    module = "keras.src.ops.nn"
    function_name = "sparse_categorical_crossentropy"
    defaults = {"from_logits": False, "axis": -1}

    @staticmethod
    def expression(target, output, from_logits, axis):
        output = _floats(output)
        if len(target.shape) == len(output.shape) and target.shape[-1] == 1:
            target = squeeze(target, axis=-1)
        hot = one_hot(target, output.shape[axis], axis=axis, dtype=output.dtype)
        return negative(sum(multiply(hot, _logarithms(output, from_logits, axis)), axis=axis))


def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """The crossentropy of distributions and class numbers.

    Args:
        target: Tensor or array of class numbers, without the axis of the classes or with one of size 1.
        output: Probabilities.
        from_logits: Whether the output is what a softmax makes probabilities of.
        axis: The axis of the classes.
    """
    return SparseCategoricalCrossentropy.apply(target, output, from_logits=from_logits, axis=axis)

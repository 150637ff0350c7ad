"""The largest of each vector, and whether labels are among them."""

import numpy as np

from dseq.ops.arithmetic import greater, less, logical_and
from dseq.ops.casting import cast
from dseq.ops.composite import Composite
from dseq.ops.elementwise import isfinite
from dseq.ops.function import Function, Spec
from dseq.ops.gathering import ordered, take_along_axis
from dseq.ops.reading import read
from dseq.ops.reductions import sum
from dseq.ops.shaping import expand_dims, squeeze
from dseq.ops.types import as_array


class _Largest(Function):
    """The places of the largest of each vector, in falling order."""

    defaults = {"k": None}

    @staticmethod
    def compute(x, k):
        return np.argsort(-as_array(x), axis=-1, kind="stable")[..., :k].astype(np.int32)

    def infer(self, x):
        if x.shape[-1] is not None and self.k > x.shape[-1]:
            raise self.error("`k` can't be larger than the last axis.", f"k={self.k} for shape {x.shape}")
        return Spec((*x.shape[:-1], self.k), "int32", x.shared)

    def write(self, plan, x):
        return ordered(plan, read(plan, x, x.per_row), self.k, True)


class TopK(Composite):
    """The largest of each vector and their places."""

    module = "keras.src.ops.math"
    function_name = "top_k"
    defaults = {"k": None, "sorted": True}

    @staticmethod
    def expression(x, k, sorted):
        places = _Largest.apply(x, k=k)
        return take_along_axis(x, places, axis=-1), places


def top_k(x, k, sorted=True):
    """The largest of each vector along the last axis.

    Args:
        x: Tensor, variable or array.
        k: How many.
        sorted: Accepted as in Keras: they always come in falling order.

    Returns:
        `(values, indices)`.
    """
    return tuple(TopK.apply(x, k=k, sorted=sorted))


class InTopK(Composite):
    """Whether labels are among the largest."""

    module = "keras.src.ops.math"
    function_name = "in_top_k"
    defaults = {"k": None}

    @staticmethod
    def expression(targets, predictions, k):
        own = take_along_axis(predictions, expand_dims(targets, -1), axis=-1)
        above = sum(cast(greater(predictions, own), "int32"), axis=-1)
        return logical_and(less(above, k), isfinite(squeeze(own, -1)))


def in_top_k(targets, predictions, k):
    """Whether each label's prediction is among the k largest; those as large as the k-th count.

    Args:
        targets: Tensor or array of class numbers `(batch,)`.
        predictions: Tensor or array `(batch, classes)`.
        k: How many.

    Returns:
        Bools `(batch,)`.
    """
    return InTopK.apply(targets, predictions, k=k)

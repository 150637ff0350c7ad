"""Arrays on their way into a step's input blocks."""

import math

import numpy as np

from dseq.kernels.base import JIT, argument_type
from dseq.kernels.reshape import gather_rows

GATHERED = ("float32", "float64", "uint8", "int32", "int64")


def as_arrays(data, what) -> list:
    """Data given as one array or a list of arrays, as a list of NumPy arrays.

    Raises:
        ValueError: If it is something else.
    """
    if data is None:
        return []
    parts = list(data) if isinstance(data, tuple | list) and any(hasattr(a, "shape") for a in data) else [data]
    arrays = [np.asarray(part) for part in parts]
    for array in arrays:
        if array.dtype.kind not in "fiub" or array.ndim == 0:
            raise ValueError(
                f"`{what}` must be a NumPy array of numbers with samples along its first axis, or a list of such. "
                f"Received: {type(data).__name__} of type {array.dtype}, shape {array.shape}"
            )
    return arrays


def samples(**arrays) -> int:
    """The number of samples, which all arrays must share.

    Args:
        **arrays: Lists of arrays by the name of the argument.

    Raises:
        ValueError: If the numbers differ, or there is no sample.
    """
    counts = {what: [len(a) for a in given] for what, given in arrays.items() if given}
    found = {n for numbers in counts.values() for n in numbers}
    if len(found) > 1:
        listed = ", ".join(f"'{what}' sizes: {', '.join(map(str, n))}" for what, n in counts.items())
        raise ValueError(
            f"Data cardinality is ambiguous. Make sure all arrays contain the same number of samples. {listed}"
        )
    if not found or found == {0}:
        raise ValueError(f"There must be at least one sample. Received: {counts}")
    return found.pop()


def split(arrays, lo, hi) -> list:
    """Rows lo..hi-1 of each array."""
    return [a[lo:hi] for a in arrays]


def class_weights(weights, targets) -> np.ndarray:
    """Sample weights from a dict of weights by class; classes that are not in it weigh 1.

    Args:
        weights: `{class: weight}`.
        targets: Integer labels `(n,)` or `(n, 1)`, or one-hot rows.
    """
    labels = np.asarray(targets)
    if labels.ndim > 1:
        labels = labels.argmax(-1) if labels.shape[-1] > 1 else labels[..., 0]
    labels = labels.astype(np.int64)
    result = np.ones(labels.shape)
    for label, weight in weights.items():
        result[labels == label] = weight
    return result


class Feed:
    """Moves chosen rows of arrays into the input blocks of a step.

    Args:
        arrays: `{input block: array}` or `{input block: (array, type)}`; samples along the first axis.
        blocks: Names of all input blocks, each of which must be fed.

    Attributes:
        kinds: The blocks and the types of their arrays: what decides which kernels move them.
    """

    def __init__(self, arrays, blocks):
        self._arrays = {}
        for label, array in arrays.items():
            array, dtype = array if isinstance(array, tuple) else (array, None)
            self._arrays[label] = _rows(np.asarray(array), dtype)
        if set(self._arrays) != set(blocks):
            raise ValueError(f"Every input block must be fed. Received: {sorted(self._arrays)} for {sorted(blocks)}")
        self.kinds = tuple((label, array.dtype.name) for label, array in self._arrays.items())

    def signatures(self, step) -> list:
        """The (kernel, argument types) that move the arrays into a step's blocks."""
        types = {block.label: block.dtype for block in step.plan.inputs}
        order = np.empty(0, np.int64)
        found = {}
        for label, array in self._arrays.items():
            arguments = np.empty((0, 0), types[label]), array, order
            found[gather_rows, tuple(map(argument_type, arguments))] = None
        return list(found)

    def fill(self, step, order, lo, hi) -> None:
        """Copies rows into the blocks of `step`, which is bound for hi - lo rows.

        Args:
            step: The step.
            order: Permutation of all samples as int64, or None for their own order.
            lo: First position in `order`.
            hi: Position behind the last.
        """
        for label, array in self._arrays.items():
            block = step.input(label)
            if order is None:
                block[...] = array[lo:hi].reshape(block.shape)
            elif JIT:
                gather_rows(block.reshape(hi - lo, array.shape[1]), array, order[lo:hi])
            else:
                block[...] = array[order[lo:hi]].reshape(block.shape)

    def label_range(self) -> str:
        """Smallest and largest of the integer labels, for messages."""
        labels = [a for label, a in self._arrays.items() if label.startswith("y_") and a.dtype == np.int32]
        return " and ".join(f"labels from {a.min()} to {a.max()}" for a in labels)

    def rows(self, label, order, lo, hi):
        """Rows of one array as `fill` would take them, or None if there is no such array."""
        array = self._arrays.get(label)
        if array is None:
            return None
        return array[lo:hi] if order is None else array[order[lo:hi]]


def conform(array, shape) -> np.ndarray:
    """The array with a last axis of one added or dropped, if that makes its rank the one of `shape`.

    Args:
        array: Data, samples first.
        shape: Full shape a model expects.
    """
    if array.ndim == len(shape) - 1 and shape[-1] == 1:
        return array[..., None]
    if array.ndim == len(shape) + 1 and array.shape[-1] == 1:
        return array[..., 0]
    return array


def _rows(array, dtype):
    """An array as contiguous rows of a type that the gather kernel reads."""
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if dtype is not None and np.dtype(dtype).kind == "i" and array.dtype.name != dtype:
        array = _whole_numbers(array, dtype)
    elif dtype is not None and array.dtype.name != dtype:
        array = array.astype(dtype)
    elif array.dtype.name not in GATHERED:
        array = array.astype(np.float32 if array.dtype.itemsize <= 2 else np.float64)
    rows = np.ascontiguousarray(array).reshape(len(array), math.prod(array.shape[1:]))
    return rows if rows.flags.writeable else _alias(rows)


def _whole_numbers(array, dtype):
    """Labels as integers; what is no whole number, or too large, is an error and not another label."""
    limits = np.iinfo(dtype)
    if array.size and array.dtype.kind != "b":
        low, high = array.min(), array.max()
        whole = array.dtype.kind in "iu" or bool((np.floor(array) == array).all())
        if not (whole and low >= limits.min and high <= limits.max):  # also if there is a NaN
            raise ValueError(f"Labels must be class numbers. Received: labels from {low} to {high} of {array.dtype}")
    return array.astype(dtype)


def _alias(array):
    """A read-only array seen as one that could be written: kernels are compiled for those, and only read it."""
    interface = dict(array.__array_interface__)
    interface["data"] = interface["data"][0], False
    return np.asarray(type("Alias", (), {"__array_interface__": interface, "base": array})())

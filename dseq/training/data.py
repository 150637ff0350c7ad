"""Arrays on their way into a step's input blocks."""

import math
import mmap

import numpy as np

from dseq.kernels.base import JIT, argument_type
from dseq.kernels.reshape import gather_rows

GATHERED = ("float32", "float64", "uint8", "int32", "int64")


def checked(arrays, what) -> list:
    """Data as a list of NumPy arrays of numbers.

    Args:
        arrays: List of arrays, or of what NumPy can make arrays of.
        what: Name of the argument, for messages.

    Raises:
        ValueError: If one is something else.
    """
    result = [np.asarray(array) for array in arrays]
    for given, array in zip(arrays, result, strict=True):
        if array.dtype.kind not in "fiub" or array.ndim == 0:
            raise ValueError(
                f"`{what}` must be a NumPy array of numbers with samples along its first axis, or a list or dict of "
                f"such. Received: {type(given).__name__} of type {array.dtype}, shape {array.shape}"
            )
    return result


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


class Feed:
    """Moves chosen rows of arrays into the input blocks of a step.

    Arrays in memory are brought into a type that the gather kernel reads, once. Memory maps stay where they are: if
    that takes a conversion, it is done for the rows of each batch.

    Args:
        arrays: `{input block: array}` or `{input block: (array, type)}`; samples along the first axis.
        blocks: Names of all input blocks, each of which must be fed.

    Attributes:
        kinds: The blocks and the types of their arrays: what decides which kernels move them.
    """

    def __init__(self, arrays, blocks):
        self._arrays, self._mapped = {}, {}
        for label, array in arrays.items():
            array, dtype = array if isinstance(array, tuple) else (array, None)
            array = np.asarray(array)
            if is_mapped(array) and not _can_gather(array, dtype):
                self._mapped[label] = array, dtype
            else:
                self._arrays[label] = _rows(array, dtype)
        fed = {*self._arrays, *self._mapped}
        if fed != set(blocks):
            raise ValueError(f"Every input block must be fed. Received: {sorted(fed)} for {sorted(blocks)}")
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
        chosen = None if order is None else order[lo:hi]
        for label, array in self._arrays.items():
            block = step.input(label)
            if order is None:
                block[...] = array[lo:hi].reshape(block.shape)
            elif JIT:
                gather_rows(block if block.ndim == 2 else block.reshape(hi - lo, array.shape[1]), array, chosen)
            else:
                block[...] = array[chosen].reshape(block.shape)
        for label in self._mapped:
            block = step.input(label)
            block[...] = self.rows(label, order, lo, hi).reshape(block.shape)

    def label_range(self) -> str:
        """Smallest and largest of the integer labels, for messages."""
        return label_range([extremes(array) for array in self.labels()])

    def labels(self) -> list:
        """The arrays of integer labels."""
        mapped = {label: array for label, (array, dtype) in self._mapped.items() if dtype == "int32"}
        arrays = {label: array for label, array in self._arrays.items() if array.dtype == np.int32}
        return [array for label, array in (arrays | mapped).items() if label.startswith("y_")]

    def rows(self, label, order, lo, hi):
        """Rows of one array as `fill` would take them, or None if there is no such array."""
        array, dtype = self._mapped.get(label) or (self._arrays.get(label), None)
        if array is None:
            return None
        part = array[lo:hi] if order is None else array[order[lo:hi]]
        return part if dtype is None else _converted(part, dtype)


def extremes(labels) -> tuple:
    """Smallest and largest label, `(inf, -inf)` if there is none."""
    return (labels.min().item(), labels.max().item()) if labels.size else (math.inf, -math.inf)


def label_range(found) -> str:
    """Pairs of smallest and largest label in words."""
    return " and ".join(f"labels from {low} to {high}" for low, high in found)


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


def is_mapped(array) -> bool:
    """Whether an array's memory is a file: what must not be copied as a whole."""
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return True
        array = array.base
    return isinstance(array, mmap.mmap)


def _can_gather(array, dtype):
    """Whether an array is as the gather kernel reads it, so that nothing has to be copied."""
    fits = array.dtype.name in GATHERED if dtype is None else array.dtype.name == dtype
    return fits and array.dtype.isnative and array.flags.c_contiguous


def _rows(array, dtype):
    """An array as contiguous rows of a type that the gather kernel reads."""
    array = _converted(array, dtype)
    if dtype is None and array.dtype.name not in GATHERED:
        array = array.astype(np.float32 if array.dtype.itemsize <= 2 else np.float64)
    rows = np.ascontiguousarray(array).reshape(len(array), math.prod(array.shape[1:]))
    return rows if rows.flags.writeable else _alias(rows)


def _converted(array, dtype):
    """An array in a type, and in this machine's order of bytes."""
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if dtype is None or array.dtype.name == dtype:
        return array
    return _whole_numbers(array, dtype) if np.dtype(dtype).kind == "i" else array.astype(dtype)


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

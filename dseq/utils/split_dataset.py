"""Data in two parts."""

import copy

import numpy as np

from dseq.data import HDF5
from dseq.program.structure import flatten, map_structure


def split_dataset(dataset, left_size=None, right_size=None, shuffle=False, seed=None, preferred_backend=None) -> tuple:
    """Splits data into a first and a last part, for instance to train on and to test with.

    Args:
        dataset: An array, a list, tuple or dict of arrays with equally many samples, or a `dseq.data.HDF5`.
        left_size: Samples of the first part, or a float: their share. What the other leaves if None.
        right_size: The same for the last part.
        shuffle: Whether samples are mixed before; not with a file.
        seed: Seed of the order. Under MPI all ranks must pass the same one.
        preferred_backend: Accepted as in Keras.

    Returns:
        Two parts of the same form. Samples stand in neither if the sizes do not add up to all.

    Raises:
        TypeError: If `dataset` is none of these, or a size is no number.
        ValueError: If sizes do not fit, or a part would be empty.

    Example:
        >>> train, test = split_dataset((np.arange(10), np.arange(10) ** 2), left_size=0.8)
        >>> test
        (array([8, 9]), array([64, 81]))
    """
    if isinstance(dataset, HDF5):
        if shuffle:
            raise ValueError("A file is split in its own order. Received: shuffle=True. `fit` mixes the samples.")
        left, right = _sizes(left_size, right_size, len(dataset))
        parts = copy.copy(dataset), copy.copy(dataset)
        for part in parts:
            part.close()
        parts[0].stop = dataset.start + left
        parts[1].start = dataset.stop - right
        return parts
    leaves = flatten(dataset)
    if not leaves or not all(hasattr(leaf, "__len__") and not isinstance(leaf, str) for leaf in leaves):
        raise TypeError(
            "The `dataset` argument must be an array, a list, tuple or dict of arrays, or a dseq.data.HDF5. "
            f"Received: dataset of type {type(dataset)}"
        )
    lengths = {len(leaf) for leaf in leaves}
    if len(lengths) > 1:
        raise ValueError(f"All arrays must have equally many samples. Received: {sorted(lengths)}")
    count = lengths.pop()
    left, right = _sizes(left_size, right_size, count)
    if not shuffle:
        bounds = slice(0, left), slice(count - right, count)
        return tuple(map_structure(lambda leaf, rows=rows: leaf[rows], dataset) for rows in bounds)
    order = np.random.Generator(np.random.PCG64(seed)).permutation(count)
    first, last = order[:left], order[count - right :]
    return tuple(map_structure(lambda leaf, rows=rows: np.asarray(leaf)[rows], dataset) for rows in (first, last))


def _sizes(left, right, total):
    """Both sizes as numbers of samples."""
    if left is None and right is None:
        raise ValueError("At least one of `left_size` or `right_size` must be specified. Received: neither")
    result = []
    for name, size in (("left_size", left), ("right_size", right)):
        if size is not None and (isinstance(size, bool) or not isinstance(size, int | float | np.integer)):
            raise TypeError(f"Invalid `{name}` Type. Expected: int or float or None, Received: {type(size)}")
        if size is not None and not 0 < size < (1 if isinstance(size, float) else total):
            raise ValueError(
                f"`{name}` should be either a positive integer smaller than {total}, or a float within the range "
                f"`[0, 1]`. Received: {name}={size}"
            )
        result.append(round(size * total) if isinstance(size, float) else size)
    left, right = result
    left, right = total - right if left is None else left, total - left if right is None else right
    if left + right > total:
        raise ValueError(
            f"The sum of `left_size` and `right_size` should be smaller than {total}. Received: {left} and {right}"
        )
    if not left or not right:
        raise ValueError(f"Neither part may be empty. Received: {left} and {right} of {total} samples")
    return int(left), int(right)

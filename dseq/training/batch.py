"""One batch as a generator or a data set gives it, in any form, as lists of arrays."""

import numpy as np

from dseq.program.structure import flatten, map_structure
from dseq.training.data import checked, samples
from dseq.training.weights import weights_for


def unpack(data, kind) -> tuple:
    """`(x, y, sample_weight)`, with None for what is missing.

    Args:
        data: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`, a tuple or a list.
        kind: What gave it, for messages.

    Raises:
        ValueError: If it is something else.
    """
    if not isinstance(data, tuple | list):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            f"Each batch of a {kind} must be a tuple: (inputs,), (inputs, targets) or (inputs, targets, "
            f"sample_weights). Received: {type(data).__name__} of length {len(data)}"
        )
    return (*data, None, None)[:3]


def as_numpy(data):
    """Tensors of other libraries, in lists, tuples and dicts, as NumPy arrays."""
    if data is None or isinstance(data, np.ndarray):
        return data
    if isinstance(data, dict):
        return {key: as_numpy(part) for key, part in data.items()}
    if isinstance(data, list | tuple) and any(map(_holds_arrays, data)):
        return tuple(as_numpy(part) for part in data)
    if hasattr(data, "__array__"):
        return np.asarray(data)
    return np.asarray(data.numpy()) if hasattr(data, "numpy") else np.asarray(data)


def _holds_arrays(part):
    if isinstance(part, list | tuple):
        return any(map(_holds_arrays, part))
    return isinstance(part, dict) or hasattr(part, "__array__") or hasattr(part, "numpy")


def rows_of(batch) -> int:
    """The number of samples in `(x, y, sample_weight)`.

    Raises:
        ValueError: If arrays differ in it, or there is none.
    """
    leaves = [[leaf for leaf in flatten(part) if leaf is not None] for part in batch]
    parts = dict(zip(("x", "y", "sample_weight"), leaves, strict=True))
    for name, leaves in parts.items():
        if any(not np.ndim(leaf) for leaf in leaves):
            raise ValueError(f"`{name}` must have samples along its first axis. Received: a number")
    return samples(**parts)


def part_of(batch, first, last) -> tuple:
    """Rows first..last-1 of `(x, y, sample_weight)`."""
    return map_structure(lambda leaf: None if leaf is None else leaf[first:last], batch)


def inputs_of(model, x) -> list:
    """A model's inputs in any form as a list of arrays."""
    return [] if x is None else checked(model.flatten_inputs(x), "x")


def targets_of(model, y) -> list:
    """A model's targets in any form as a list of arrays."""
    return checked(model.flatten_targets(y, "y"), "y")


def weights_of(model, weights) -> list:
    """Sample weights in any form as a list of arrays, with None for outputs without."""
    listed = model.flatten_targets(weights, "sample_weight")
    found = iter(checked([part for part in listed if part is not None], "sample_weight"))
    return [None if part is None else next(found) for part in listed]


def lists_of(model, batch, class_weight=None, labelled=True) -> tuple:
    """`(x, y, weights)` of a batch as lists of arrays; weights may be None.

    Args:
        model: The model.
        batch: `(x, y, sample_weight)`.
        class_weight: `{class: weight}` or None.
        labelled: Whether targets and weights are wanted at all.
    """
    x, y, weights = batch
    x = inputs_of(model, x)
    if not labelled:
        return x, [], None
    y, weights = targets_of(model, y), weights_of(model, weights)
    return x, y, weights_for(weights, class_weight, y)


class Form:
    """What all batches of a run share: shapes of samples, and whether they are weighted.

    Args:
        lists: `(x, y, weights)` of the first batch.
    """

    def __init__(self, lists):
        x, y, weights = lists
        self.x, self.y = [a[:0] for a in x], [a[:0] for a in y]
        self.weights = None if weights is None else [a[:0] for a in weights]
        self._shapes = self._shapes_of(x, y)

    @staticmethod
    def _shapes_of(x, y):
        return [a.shape[1:] for a in (*x, *y)]

    def conform(self, lists, index) -> tuple:
        """The batch, with weights of 1 if it has none and others have.

        Args:
            lists: `(x, y, weights)` of this batch.
            index: Its number, for messages.

        Raises:
            ValueError: If it differs from the first.
        """
        x, y, weights = lists
        if self._shapes_of(x, y) != self._shapes:
            raise ValueError(
                "The samples of all batches must have one shape; only their number may differ. Received: batch "
                f"{index} with samples of shapes {self._shapes_of(x, y)}, the first with {self._shapes}. "
                "Pad them to one length (`dseq.utils.pad_sequences`)."
            )
        if weights is None and self.weights is not None:
            weights = [np.ones((len(x[0]), *a.shape[1:])) for a in self.weights]
        elif weights is not None and self.weights is None:
            raise ValueError(f"All batches must have sample weights, or none. Received: batch {index} with them")
        return x, y, weights

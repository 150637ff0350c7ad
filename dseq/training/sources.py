"""Which source a user's data make."""

from dseq.data import HDF5, PyDataset
from dseq.training.arguments import positive
from dseq.training.arrays import Arrays
from dseq.training.batch import as_numpy, inputs_of, targets_of, weights_of
from dseq.training.batches import Batches
from dseq.training.blocks import Blocks
from dseq.training.stream import Stream


def source_of(model, x, y=None, sample_weight=None, batch_size=None, shuffle=False, class_weight=None, labelled=True):
    """The source of batches that `fit`, `evaluate` or `predict` was given.

    Args:
        model: The model.
        x: Arrays, a generator or iterator, a `PyDataset`, a `dseq.data.HDF5`, or a loader of another library.
        y: Targets, only with arrays.
        sample_weight: Sample weights, only with arrays.
        batch_size: Samples of a global batch, 32 if None; batches that come as such keep their length.
        shuffle: As in `fit`.
        class_weight: `{class: weight}` or None.
        labelled: Whether targets and weights are wanted.

    Raises:
        ValueError: If the data are none of these.
    """
    kind = _kind(x)
    if kind is None:
        x, y, sample_weight = as_numpy(x), as_numpy(y), as_numpy(sample_weight)
        arrays = inputs_of(model, x), targets_of(model, y), weights_of(model, sample_weight)
        return Arrays(model, *arrays, positive(batch_size, "batch_size", 32), shuffle, class_weight)
    for name, what, given in (("y", "targets", y), ("sample_weight", "sample weights", sample_weight)):
        if given is not None:
            raise ValueError(
                f"When providing `x` as a {kind}, `{name}` should not be passed. Instead, the {what} should be "
                f"included as part of the {kind}. Received: {name} of type {type(given).__name__}"
            )
    if kind == "HDF5":
        return Blocks(model, x, positive(batch_size, "batch_size", 32), shuffle, class_weight, labelled)
    if kind == "PyDataset":
        return Batches(model, x, bool(shuffle), class_weight, labelled)
    return Stream(model, x, class_weight, labelled)


def single_batch(source, method):
    """The source of all samples as one batch.

    Args:
        source: Of arrays.
        method: Name of the method, for the message.

    Raises:
        ValueError: If the source is of another kind.
    """
    if not isinstance(source, Arrays):
        raise ValueError(f"`{method}` takes arrays. Received: a {source.kind}. Use `fit`, `evaluate` or `predict`.")
    source.batch_size = None
    source.check()
    return source


def validation_of(model, data, batch_size):
    """The source of `validation_data`.

    Args:
        model: The model.
        data: `(x, y)` or `(x, y, sample_weight)` of arrays, or anything else that holds all.
        batch_size: Samples of a global batch of arrays.
    """
    if _kind(data) is not None:
        return source_of(model, data, batch_size=batch_size)
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        raise ValueError(
            "`validation_data` must be a tuple (x, y) or (x, y, sample_weight), a generator, a PyDataset or a "
            f"dseq.data.HDF5. Received: {type(data).__name__}"
            + (f" of length {len(data)}" if hasattr(data, "__len__") else "")
        )
    return source_of(model, *data, batch_size=batch_size)


def _kind(x):
    """What the data are, None for arrays."""
    if isinstance(x, HDF5):
        return "HDF5"
    if isinstance(x, PyDataset) or all(hasattr(x, a) for a in ("__getitem__", "num_batches", "on_epoch_end")):
        return "PyDataset"
    array = hasattr(x, "__array__") or hasattr(x, "numpy")
    if array or isinstance(x, dict | list | tuple | str | bytes) or not hasattr(x, "__iter__"):
        return None
    return "generator" if hasattr(x, "__next__") else "data set"

"""The arguments of `fit`, `evaluate` and `predict`: checked, completed, and compared over ranks."""

import zlib

import numpy as np

from dseq.callbacks import CallbackList, ProgbarLogger
from dseq.training.data import as_arrays, class_weights, split


def positive(value, name, default=None) -> int:
    """The value, if it is a positive integer; the default for None."""
    if value is None:
        return default
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
    return int(value)


def whole(value, name) -> int:
    """The value, if it is an integer of at least 0."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 0:
        raise ValueError(f"`{name}` must be an integer of at least 0. Received: {name}={value!r}")
    return int(value)


def as_validation(data) -> tuple:
    """`validation_data` as lists of arrays `(x, y, sample_weight)`."""
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        raise ValueError(
            "`validation_data` must be a tuple (x, y) or (x, y, sample_weight). "
            f"Received: {type(data).__name__}" + (f" of length {len(data)}" if hasattr(data, "__len__") else "")
        )
    x, y, weights = (*data, None)[:3]
    return (
        as_arrays(x, "x of validation_data"),
        as_arrays(y, "y of validation_data"),
        as_arrays(weights, "sample_weight of validation_data"),
    )


def callback_names(callbacks) -> str:
    """The classes of the callbacks, but the progress bar, which only rank 0 has.

    Hooks on some ranks only would break ranks apart.
    """
    listed = CallbackList(callbacks).callbacks
    return ", ".join(type(callback).__name__ for callback in listed if not isinstance(callback, ProgbarLogger))


def agree(world, section, model, x, y=(), weights=(), held_out=None, **more):
    """Raises the same error on every rank if the ranks' models, data or arguments differ.

    Args:
        world: The communicator.
        section: Name of the method.
        model: The model.
        x: List of input arrays.
        y: List of target arrays.
        weights: List of arrays of sample weights.
        held_out: Such lists for validation, or None.
        **more: Further arguments that must be equal.
    """
    if world.size == 1:
        return
    state = model.graph_version, id(model._compiled), tuple(map(id, model.trainable_variables))
    known = model._agreed == state and section != "fit"  # describing a model takes as long as a small step
    facts = [("model", "as before")] if known else model.facts()
    given = {"x": x, "y": y, "sample_weight": weights}
    given |= {f"validation {name}": part for name, part in zip(list(given), held_out or ([], [], []), strict=True)}
    for name, arrays in given.items():
        facts.append((name, f"{len(arrays)} arrays"))
        for i, array in enumerate(arrays):
            label = f"{name}[{i}]" if len(arrays) > 1 else name
            facts += [(f"{label}.shape", array.shape), (f"{label}.dtype", array.dtype)]
            facts.append((f"{label} (sampled)", _sample(array)))
    world.agree(section, [(label, str(value)) for label, value in [*facts, *more.items()]])
    model._agreed = state


def _sample(array, rows=64):
    """A fingerprint of rows spread over an array: ranks that loaded other data differ in it."""
    picked = array[:: max(1, len(array) // rows)][: rows + 1]
    return f"crc32 {zlib.crc32(np.ascontiguousarray(picked).view(np.uint8)):08x}" if picked.size else "empty"


def weights_for(weights, class_weight, y):
    """Sample weights for each output, or None."""
    if class_weight is not None:
        if weights:
            raise ValueError("You cannot `class_weight` and `sample_weight` at the same time.")
        if len(y) != 1:
            raise ValueError("`class_weight` is only supported for Models with a single output.")
        if not isinstance(class_weight, dict):
            raise ValueError(f"`class_weight` must be a dict of weights by class. Received: {class_weight!r}")
        return [class_weights(class_weight, y[0])]
    if not weights:
        return None
    if len(weights) not in (1, len(y)):
        raise ValueError(
            f"`sample_weight` must have one array, or one for each output. Received: {len(weights)} arrays"
        )
    return list(weights) * (len(y) if len(weights) == 1 else 1)


def hold_out(x, y, weights, share, count):
    """Splits the last `share` of the samples off for validation."""
    if not 0 < share < 1:
        raise ValueError(f"`validation_split` must be between 0 and 1. Received: validation_split={share}")
    at = int(np.floor(count * (1 - share)))
    if at == 0 or at == count:
        raise ValueError(
            f"Training data contains {count} samples, which is not sufficient to split it into a validation and "
            f"training set as specified by `validation_split={share}`. Either provide more data, or another value."
        )
    held_out = split(x, at, count), split(y, at, count), split(weights, at, count)
    return split(x, 0, at), split(y, 0, at), split(weights, 0, at), held_out, at


def is_due(epoch, frequency):
    """Whether to validate after this epoch: every so many, or those in a list that counts from 1."""
    if isinstance(frequency, int | np.integer):
        return (epoch + 1) % positive(frequency, "validation_freq") == 0
    return epoch + 1 in frequency

"""The arguments of `fit`, `evaluate` and `predict`: checked, completed, and compared over ranks."""

import zlib

import numpy as np

from dseq.training.data import class_weights, split


def positive(value, name):
    """The value, if it is a positive integer."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
    return int(value)


def agree(world, section, model, x, y=(), weights=(), **more):
    """Raises the same error on every rank if the ranks' models, data or arguments differ.

    Args:
        world: The communicator.
        section: Name of the method.
        model: The model.
        x: List of input arrays.
        y: List of target arrays.
        weights: List of arrays of sample weights.
        **more: Further arguments that must be equal.
    """
    if world.size == 1:
        return
    facts = model.facts()
    for name, arrays in (("x", x), ("y", y), ("sample_weight", weights)):
        for i, array in enumerate(arrays):
            label = f"{name}[{i}]" if len(arrays) > 1 else name
            facts += [
                (f"{label}.shape", array.shape),
                (f"{label}.dtype", array.dtype),
                (f"{label} (sampled)", _sample(array)),
            ]
    world.agree(section, [(label, str(value)) for label, value in [*facts, *more.items()]])


def _sample(array, rows=64):
    """A fingerprint of rows spread over an array: ranks that loaded other data differ in it."""
    picked = array[:: max(1, len(array) // rows)][: rows + 1]
    return f"crc32 {zlib.crc32(np.ascontiguousarray(picked).view(np.uint8)):08x}" if picked.size else "empty"


def weights_for(weights, class_weight, y, count):
    """Sample weights for each output, or None."""
    if class_weight is not None:
        if weights:
            raise ValueError("You cannot `class_weight` and `sample_weight` at the same time.")
        if len(y) != 1:
            raise ValueError("`class_weight` is only supported for Models with a single output.")
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
    held = [split(x, at, count), split(y, at, count)]
    if weights is not None:
        held.append(split(weights, at, count))
        weights = split(weights, 0, at)
    held_out = tuple(part[0] if len(part) == 1 else part for part in held)
    return split(x, 0, at), split(y, 0, at), weights, held_out, at


def is_due(epoch, frequency):
    """Whether to validate after this epoch: every so many, or those in a list that counts from 1."""
    return (epoch + 1) % frequency == 0 if isinstance(frequency, int) else epoch + 1 in frequency

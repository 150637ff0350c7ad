"""Sample weights: given, by class, for one output or several."""

import numbers

import numpy as np


def weights_for(weights, class_weight, y):
    """Sample weights for each output, or None.

    Args:
        weights: List of arrays of sample weights, empty or None for none; None in it stands for weights of 1.
        class_weight: `{class: weight}` or None.
        y: List of target arrays.

    Raises:
        ValueError: If they do not fit the targets, or both kinds are given.
    """
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
    weights = list(weights) * (len(y) if len(weights) == 1 else 1)
    return [np.ones(len(target)) if one is None else one for one, target in zip(weights, y, strict=True)]


def class_weights(weights, targets) -> np.ndarray:
    """Sample weights from a dict of weights by class. As in Keras, classes that are not in it weigh 1, and classes in
    it that do not occur in the data are no error.

    Args:
        weights: `{class: weight}`.
        targets: Class numbers `(n, ...)` or `(n, ..., 1)`, or one-hot rows.

    Raises:
        ValueError: If it is no such dict, or a label is NaN.
    """
    if not isinstance(weights, dict):
        raise ValueError(f"`class_weight` must be a dict of weights by class. Received: {weights!r}")
    for label, weight in weights.items():
        fine = isinstance(label, numbers.Real) and isinstance(weight, numbers.Real)
        if not fine or label != int(label) or not np.isfinite(weight):
            raise ValueError(
                f"`class_weight` must give a finite number for each class number. Received: {label!r}: {weight!r}"
            )
    labels = np.asarray(targets)
    if labels.ndim > 1:
        labels = labels.argmax(-1) if labels.shape[-1] > 1 else labels[..., 0]
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        raise ValueError("Labels must be class numbers to be weighted by `class_weight`. Received: labels with NaN")
    labels = np.round(labels).astype(np.int64)
    result = np.ones(labels.shape)
    for label, weight in weights.items():
        result[labels == int(label)] = weight
    return result

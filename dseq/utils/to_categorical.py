"""Class numbers as one-hot rows."""

import numpy as np


def to_categorical(x, num_classes=None) -> np.ndarray:
    """Turns class numbers into rows with a single 1, for `categorical_crossentropy`.

    Args:
        x: Integers in [0, num_classes), of any shape; a last axis of size 1 is dropped.
        num_classes: Length of the rows, `max(x) + 1` if None.

    Returns:
        Array of shape `(*x.shape, num_classes)`, float64 as Keras gives it.

    Raises:
        IndexError: If a number is not a class.

    Example:
        >>> to_categorical([0, 2], num_classes=3)
        array([[1., 0., 0.],
               [0., 0., 1.]])
    """
    x = np.asarray(x).astype("int64")
    shape = x.shape[:-1] if x.ndim > 1 and x.shape[-1] == 1 else x.shape
    x = x.reshape(-1)
    if num_classes is None:
        if x.size == 0:
            raise ValueError("`num_classes` must be given when `x` is empty.")
        num_classes = int(x.max()) + 1
    if x.size and not (x.min() >= 0 and x.max() < num_classes):
        wrong = x[(x < 0) | (x >= num_classes)][0]
        raise IndexError(f"Class numbers must lie in [0, {num_classes}). Received: {wrong}")
    categorical = np.zeros((x.size, num_classes))
    categorical[np.arange(x.size), x] = 1
    return categorical.reshape(*shape, num_classes)

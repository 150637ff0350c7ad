"""How labels, predictions and weights must look beside each other."""

import numpy as np


def same_shape(name, y_true_shape, y_pred_shape) -> tuple:
    """The predictions' shape for labels of the same shape, up to a last axis of one.

    Args:
        name: Whose labels these are, for the message.
        y_true_shape: Shape of one sample's labels.
        y_pred_shape: Shape of one sample's predictions.

    Raises:
        ValueError: If the shapes differ otherwise.
    """
    y_true_shape, y_pred_shape = tuple(y_true_shape), tuple(y_pred_shape)
    if y_pred_shape in (y_true_shape, (*y_true_shape, 1)) or y_true_shape == (*y_pred_shape, 1):
        return y_pred_shape
    raise ValueError(
        f"`y_true` and `y_pred` must have the same shape for {name}. Received: shapes of one sample "
        f"y_true.shape={y_true_shape}, y_pred.shape={y_pred_shape}."
    )


def one_hot(name, y_true_shape, y_pred_shape) -> tuple:
    """The shape of labels that are rows like the predictions'.

    Raises:
        ValueError: If the labels have another shape; a last axis of one would hold class numbers.
    """
    y_true_shape, y_pred_shape = tuple(y_true_shape), tuple(y_pred_shape)
    if y_true_shape == y_pred_shape:
        return y_pred_shape
    remedy = ""
    if y_true_shape in (y_pred_shape[:-1], (*y_pred_shape[:-1], 1)):
        remedy = f" For class numbers as labels use `sparse_{name}`, or make one-hot rows of them with "
        remedy += "`dseq.utils.to_categorical`."
    raise ValueError(
        f"`y_true` and `y_pred` must have the same shape for {name}. Received: shapes of one sample "
        f"y_true.shape={y_true_shape}, y_pred.shape={y_pred_shape}.{remedy}"
    )


def class_numbers(name, y_true_shape, y_pred_shape, place=None) -> tuple:
    """The shape of class numbers that belong to predictions: without the axis of their classes.

    Args:
        name: Whose labels these are, for the message.
        y_true_shape: Shape of one sample's labels.
        y_pred_shape: Shape of one sample's predictions.
        place: Place of the axis of classes in it, the last if None.

    Raises:
        ValueError: If the labels have another shape, up to an axis of one in the place of the classes, or the last.
    """
    y_true_shape, y_pred_shape = tuple(y_true_shape), tuple(y_pred_shape)
    place = len(y_pred_shape) - 1 if place is None else place
    lead = (*y_pred_shape[:place], *y_pred_shape[place + 1 :])
    if y_true_shape in (lead, (*lead, 1), (*y_pred_shape[:place], 1, *y_pred_shape[place + 1 :])):
        return lead
    remedy = ""
    if y_true_shape == y_pred_shape:
        remedy = f" For one-hot labels use `{name.replace('sparse_', '')}`, or give `y_true.argmax(-1)`."
    raise ValueError(
        f"`y_true` must hold one class number for each row of `y_pred` for {name}. Received: shapes of one sample "
        f"y_true.shape={y_true_shape}, y_pred.shape={y_pred_shape}.{remedy}"
    )


def broadcast_weight(weight, shape) -> np.ndarray:
    """Sample weights as an array with a weight for each value.

    Args:
        weight: A number, or an array of one weight for each sample or each value; a last axis of one may be missing
            or too many.
        shape: Shape of the values, samples first.

    Raises:
        ValueError: If it does not fit.
    """
    weight = np.asarray(weight, np.float64)
    given = weight.shape
    while weight.ndim > len(shape) and weight.shape[-1] == 1:
        weight = weight[..., 0]
    if 0 < weight.ndim < len(shape):
        weight = weight.reshape(*weight.shape, *[1] * (len(shape) - weight.ndim))
    try:
        return np.broadcast_to(weight, shape)
    except ValueError:
        raise ValueError(
            f"`sample_weight` must be a number, or have one weight for each sample or each value. Received: "
            f"sample_weight.shape={given} for values of shape {tuple(shape)}"
        ) from None


def mask_repeats(name, count, mask) -> int:
    """How many values each element of a mask stands for.

    Args:
        name: Whose values they are, for the message.
        count: Number of values of one sample.
        mask: Flat operand of the mask, or None.

    Raises:
        ValueError: If it is no whole number.
    """
    if mask is None:
        return 1
    if mask.size == 0 or count % mask.size:
        raise ValueError(
            f"The predictions of {name} have a mask with {mask.size} steps for each sample, which must be those of its "
            f"values. Received: {count} values for each sample. Give one for each step, or take the mask away before."
        )
    return count // mask.size


def is_binary(y_pred_shape) -> bool:
    """Whether predictions have a single column, so that `"accuracy"` and `"crossentropy"` mean the binary ones."""
    return len(y_pred_shape) == 0 or y_pred_shape[-1] == 1


def is_sparse(y_true_shape, y_pred_shape) -> bool:
    """Whether labels are class numbers, to `"accuracy"` and `"crossentropy"`."""
    fewer = len(y_true_shape) < len(y_pred_shape)
    return fewer or (y_true_shape[-1] == 1 and y_pred_shape[-1] > 1)

"""Losses of symbolic tensors: what a layer's `call` computes with a loss and gives to `add_loss`."""

import numpy as np

from dseq import ops
from dseq.kernels.cast import cast_forward
from dseq.program.operand import Operand, flat
from dseq.program.operation import Operation
from dseq.program.tensor import Tensor


class LossValues(Operation):
    """The values of a loss, one for each sample and each further axis of the predictions but that of the vectors.

    The gradient goes to the predictions; labels that need one are an error.

    Args:
        loss: The `Loss`.
        name: Name in a model.
    """

    takes_any_type = True

    def __init__(self, loss, name=None):
        super().__init__(name)
        self.loss = loss

    def dtype_of(self, tensors):
        return tensors[1].dtype

    def result(self, y_true, y_pred):
        shape = y_pred[0]
        return (shape[0], *self.loss.values_shape(shape[1:])), False, None

    def lower(self, plan, y_true, y_pred):
        loss, y_pred = self.loss, plan.floats(y_pred)
        if y_true.grad is not None:
            raise ValueError(
                f"The labels of loss {loss.name!r} depend on weights that are trained, and a loss has a gradient by "
                "its predictions only. Received: such labels in a layer's `call`. Use `dseq.ops.stop_gradient` on "
                "them, or write the loss with `dseq.ops`."
            )
        shape = loss.values_shape(y_pred.shape)
        labels, predictions = loss.arrange(plan, as_labels(plan, loss, y_true, y_pred), y_pred)
        values, saved = loss.lower_values(plan, labels, predictions)
        y = values.reshape(shape)
        if y_pred.grad is not None:
            y.grad = Operand(f"d {y.label}", shape, "activation_grads", plan.dtype, y.rows_per_sample)
            plan.blocks.append(y.grad)
            one = plan.constant(1.0, "float64")
            loss.lower_gradient(plan, labels, predictions, saved, flat(y.grad), one)
        return y


def as_labels(plan, reader, y_true, y_pred):
    """An operand as labels in the shape and type in which a loss or metric reads them.

    Args:
        plan: The plan.
        reader: The loss or metric.
        y_true: Operand of any type.
        y_pred: Operand of the predictions.
    """
    shape, dtype = reader.target(y_true.shape, y_pred.shape)
    if dtype is None:
        return plan.floats(y_true).reshape(shape)
    if dtype in ("given", y_true.dtype):
        return y_true.reshape(shape)
    labels = plan.value("labels", shape, np.dtype(dtype).name)
    plan.forward(cast_forward, flat(labels), flat(y_true))
    return labels


def values_of(loss, y_true, y_pred):
    """The values of a loss for symbolic tensors.

    Raises:
        ValueError: If labels or predictions are arrays.
    """
    if not (isinstance(y_true, Tensor) and isinstance(y_pred, Tensor)):
        raise ValueError(
            f"Loss {loss.name!r} takes symbolic tensors, or arrays. Received: {type(y_true).__name__} and "
            f"{type(y_pred).__name__}"
        )
    return LossValues(loss)(y_true, y_pred)


def reduced(loss, values, weight=None):
    """The values of a loss as its reduction makes one number of them, over the global batch.

    Args:
        loss: The `Loss`.
        values: Symbolic tensor.
        weight: Symbolic tensor or number, or None.
    """
    if loss.counted(np.zeros(1)) is not None:
        raise ValueError(
            f"Loss {loss.name!r} counts only some labels, which a layer's `call` cannot. Received: `ignore_class`. "
            "Give the loss to `compile`."
        )
    if weight is not None:
        if isinstance(weight, Tensor) and len(weight.shape) > len(values.shape):
            weight = ops.squeeze(weight, axis=-1)
        values = values * weight
    if loss.reduction in ("none", None):
        return values
    if loss.reduction == "sum":
        return ops.sum(values)
    if loss.reduction == "mean_with_sample_weight" and weight is not None:
        return ops.sum(values) / ops.sum(weight * ops.ones_like(values))
    return ops.mean(values)

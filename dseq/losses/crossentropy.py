"""Crossentropies between labels and predicted probabilities."""

import warnings

from dseq.kernels import crossentropy as kernels
from dseq.kernels.activation import sigmoid_forward
from dseq.kernels.loss import row_means, row_sums
from dseq.kernels.metric import leave_out
from dseq.kernels.softmax import softmax_forward
from dseq.losses.axes import sample_axis
from dseq.losses.loss import Loss, before_activation, new_terms, new_values
from dseq.losses.shapes import class_numbers, mask_repeats, one_hot
from dseq.program.floatx import epsilon
from dseq.program.operand import flat, matrix


class SparseCategoricalCrossentropy(Loss):
    """Crossentropy of class numbers: minus the logarithm of the probability of the right class.

    Args:
        from_logits: Whether predictions are logits, of which the loss makes probabilities by softmax.
        ignore_class: Label of values that don't count, e.g. 255 for void pixels, or None.
        reduction: What becomes of the values, see `Loss`.
        axis: Axis of the classes.
        name: Name of the loss.
        dtype: Float type for arrays.

    Example:
        >>> SparseCategoricalCrossentropy()([1, 2], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]])
        1.1769392...
    """

    def __init__(
        self,
        from_logits=False,
        ignore_class=None,
        reduction="sum_over_batch_size",
        axis=-1,
        name="sparse_categorical_crossentropy",
        dtype=None,
    ):
        super().__init__(name, reduction, dtype)
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self.axis = axis

    def target(self, y_true_shape, y_pred_shape):
        place = sample_axis(self.name, self.axis, y_pred_shape)
        return class_numbers("sparse_categorical_crossentropy", y_true_shape, y_pred_shape, place), "int32"

    def counted(self, y_true):
        return None if self.ignore_class is None else y_true != self.ignore_class

    def lower_weight(self, plan, y_true, weight):
        if self.ignore_class is None:
            return weight
        weights = plan.value(f"{self.name}_weights", (flat(y_true).rows_per_sample,), plan.dtype)
        plan.forward(leave_out, flat(weights), flat(y_true), weight, self.ignore_class)
        return flat(weights)

    def lower_values(self, plan, y_true, y_pred):
        classes, ignore = matrix(y_pred).shape[0], self.ignore_class
        fault = plan.fault(
            f"Labels of {self.name} must be class numbers in [0, {classes}), since predictions have {classes} classes"
            f"{'' if ignore is None else f', or ignore_class={ignore}'}. Received: "
        )
        labels, rows, values = flat(y_true), matrix(y_pred), new_values(plan, self, y_pred)
        mask = flat(y_pred.mask)
        repeats = mask_repeats(self.name, labels.size, mask)
        plan.forward(kernels.check_labels, fault, labels, classes, ignore, mask, repeats)
        if self.from_logits:
            p, largest, totals = _exponentials(plan, self, y_pred)
            args = values, p, labels, rows, largest, totals
            plan.forward(kernels.sparse_logits_forward, *args, ignore)
            return values, p
        totals = new_values(plan, self, y_pred)
        plan.forward(row_sums, totals, rows)
        plan.forward(kernels.sparse_forward, values, labels, rows, totals, plan.constant(epsilon()), ignore)
        return values, totals

    def lower_gradient(self, plan, y_true, y_pred, saved, weight, scale):
        labels, rows, ignore = flat(y_true), matrix(y_pred), self.ignore_class
        before, p = matrix(y_pred.grad), saved
        if not self.from_logits:
            before, p = before_activation(softmax_forward, y_pred), rows
        if before is not None:
            plan.backward(kernels.sparse_fused_backward, before, labels, p, weight, scale, ignore)
        else:
            args = matrix(y_pred.grad), labels, rows, saved, weight, scale
            plan.backward(kernels.sparse_backward, *args, plan.constant(epsilon()), ignore)

    def get_config(self):
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "ignore_class": self.ignore_class,
            "axis": self.axis,
        }


class Smoothed(Loss):
    """The base of crossentropies whose labels may be smoothed.

    Raises:
        ValueError: If `label_smoothing` is outside of [0, 1].
    """

    def __init__(self, from_logits, label_smoothing, reduction, axis, name, dtype):
        super().__init__(name, reduction, dtype)
        if not 0 <= label_smoothing <= 1:
            raise ValueError(
                f"`label_smoothing` of {name} must be in [0, 1]. Received: label_smoothing={label_smoothing}"
            )
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis

    def get_config(self):
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
            "axis": self.axis,
        }


class CategoricalCrossentropy(Smoothed):
    """Crossentropy of one-hot or soft labels: `-sum(y_true * log(y_pred))` of each row.

    Args:
        from_logits: Whether predictions are logits, of which the loss makes probabilities by softmax.
        label_smoothing: Float in [0, 1]: how far labels are moved towards 1 / number of classes.
        axis: Axis of the classes.
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        dtype: Float type for arrays.

    Example:
        >>> CategoricalCrossentropy()([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]])
        1.1769392...
    """

    def __init__(
        self,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction="sum_over_batch_size",
        name="categorical_crossentropy",
        dtype=None,
    ):
        super().__init__(from_logits, label_smoothing, reduction, axis, name, dtype)

    def target(self, y_true_shape, y_pred_shape):
        shape = one_hot("categorical_crossentropy", y_true_shape, y_pred_shape)
        if y_pred_shape[-1] == 1:
            warnings.warn(
                "`categorical_crossentropy` needs predictions of shape (batch_size, num_classes) with num_classes > 1, "
                f"and is 0 without. Received: y_pred.shape={(None, *y_pred_shape)}. Consider 'binary_crossentropy' if "
                "there are 2 classes.",
                SyntaxWarning,
                stacklevel=2,
            )
        return shape, None

    def lower_values(self, plan, y_true, y_pred):
        smoothing = plan.constant(self.label_smoothing)
        labels, rows, terms = matrix(y_true), matrix(y_pred), matrix(new_terms(plan, self, y_pred))
        values = new_values(plan, self, y_pred)
        if self.from_logits:
            p, largest, totals = _exponentials(plan, self, y_pred)
            args = terms, p, labels, rows, largest, totals
            plan.forward(kernels.categorical_logits_forward, *args, smoothing)
        else:
            totals = new_values(plan, self, y_pred)
            plan.forward(row_sums, totals, rows)
            args = terms, labels, rows, totals, plan.constant(epsilon())
            plan.forward(kernels.categorical_forward, *args, smoothing)
        plan.forward(row_sums, values, terms)
        return values, p if self.from_logits else totals

    def lower_gradient(self, plan, y_true, y_pred, saved, weight, scale):
        if y_pred.grad is None:
            return
        smoothing, labels, rows = plan.constant(self.label_smoothing), matrix(y_true), matrix(y_pred)
        before, p = matrix(y_pred.grad), saved
        if not self.from_logits:
            before, p = before_activation(softmax_forward, y_pred), rows
        if before is not None:
            sums = new_values(plan, self, y_pred)
            plan.forward(row_sums, sums, labels)
            plan.backward(kernels.categorical_fused_backward, before, labels, p, sums, weight, scale, smoothing)
        else:
            args = matrix(y_pred.grad), labels, rows, saved, weight, scale, plan.constant(epsilon())
            plan.backward(kernels.categorical_backward, *args, smoothing)


class BinaryCrossentropy(Smoothed):
    """Crossentropy of labels 0 and 1, or between: mean over the last axis, whose elements are questions of their own.

    Args:
        from_logits: Whether predictions are logits, of which the loss makes probabilities by sigmoid.
        label_smoothing: Float in [0, 1]: how far labels are moved towards 0.5.
        axis: Axis of the mean.
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        dtype: Float type for arrays.

    Example:
        >>> BinaryCrossentropy(from_logits=True)([0, 1, 0, 0], [-18.6, 0.51, 2.94, -12.8])
        0.8654...
    """

    def __init__(
        self,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction="sum_over_batch_size",
        name="binary_crossentropy",
        dtype=None,
    ):
        super().__init__(from_logits, label_smoothing, reduction, axis, name, dtype)

    def lower_values(self, plan, y_true, y_pred):
        smoothing, labels, elements = plan.constant(self.label_smoothing), flat(y_true), flat(y_pred)
        values, terms = new_values(plan, self, y_pred), new_terms(plan, self, y_pred)
        p = None
        if self.from_logits:
            p = new_terms(plan, self, y_pred)
            plan.forward(kernels.binary_logits_forward, flat(terms), flat(p), labels, elements, smoothing)
        else:
            args = flat(terms), labels, elements, plan.constant(epsilon())
            plan.forward(kernels.binary_forward, *args, smoothing)
        plan.forward(row_means, values, matrix(terms))
        return values, matrix(p)

    def lower_gradient(self, plan, y_true, y_pred, saved, weight, scale):
        smoothing, labels, rows = plan.constant(self.label_smoothing), matrix(y_true), matrix(y_pred)
        before, p = matrix(y_pred.grad), saved
        if not self.from_logits:
            before, p = before_activation(sigmoid_forward, y_pred), rows
        if before is not None:
            plan.backward(kernels.binary_fused_backward, before, labels, p, weight, scale, smoothing)
        else:
            args = matrix(y_pred.grad), labels, rows, weight, scale, plan.constant(epsilon())
            plan.backward(kernels.binary_backward, *args, smoothing)


def _exponentials(plan, loss, y_pred):
    """Writes the parts of a softmax of logits into a plan.

    Returns:
        Operands: the matrix of exponentials, and each row's largest logit and sum of exponentials.
    """
    rows, p = matrix(y_pred), matrix(new_terms(plan, loss, y_pred))
    largest, totals = new_values(plan, loss, y_pred), new_values(plan, loss, y_pred)
    plan.forward(kernels.row_largest, largest, rows)
    plan.forward(kernels.exponentials, p, rows, largest)
    plan.forward(row_sums, totals, p)
    return p, largest, totals

"""Crossentropies that weigh values by how hard they are, and one that forgives wrong labels."""

from dseq.kernels import focal as kernels
from dseq.kernels.activation import sigmoid_backward, sigmoid_forward
from dseq.kernels.crossentropy import check_labels
from dseq.kernels.loss import row_means, row_sums
from dseq.kernels.softmax import softmax_backward, softmax_forward
from dseq.losses.axes import gradient_of
from dseq.losses.crossentropy import Smoothed
from dseq.losses.loss import Loss, new_terms, new_values
from dseq.losses.shapes import class_numbers, mask_repeats, one_hot
from dseq.program.floatx import epsilon
from dseq.program.operand import flat, matrix


class BinaryFocalCrossentropy(Smoothed):
    """Binary crossentropy times `(1 - p) ** gamma`, with p the probability of the right answer.

    Args:
        apply_class_balancing: Whether labels 1 weigh `alpha` and labels 0 `1 - alpha`.
        alpha: That weight.
        gamma: How little easy values count; 0 makes it binary crossentropy.
        from_logits: Whether predictions are logits, of which the loss makes probabilities by sigmoid.
        label_smoothing: Float in [0, 1]: how far labels are moved towards 0.5.
        axis: Axis of the mean.
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        dtype: Float type for arrays.

    Example:
        >>> BinaryFocalCrossentropy()([[1, 0], [1, 0]], [[0.9, 0.8], [0.7, 0.2]])
        0.2680...
    """

    def __init__(
        self,
        apply_class_balancing=False,
        alpha=0.25,
        gamma=2.0,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction="sum_over_batch_size",
        name="binary_focal_crossentropy",
        dtype=None,
    ):
        super().__init__(from_logits, label_smoothing, reduction, axis, name, dtype)
        self.apply_class_balancing = apply_class_balancing
        self.alpha = alpha
        self.gamma = gamma

    def _constants(self, plan):
        alpha = plan.constant(self.alpha) if self.apply_class_balancing else None
        numbers = self.gamma, epsilon(), self.label_smoothing
        gamma, least, smoothing = map(plan.constant, numbers)
        return gamma, alpha, least, smoothing

    def lower_values(self, plan, y_true, y_pred):
        p = y_pred
        if self.from_logits:
            p = activated(plan, self, flat, sigmoid_forward, sigmoid_backward, y_pred)
        values, terms = new_values(plan, self, y_pred), new_terms(plan, self, y_pred)
        plan.forward(kernels.binary_focal_forward, flat(terms), flat(y_true), flat(p), *self._constants(plan))
        plan.forward(row_means, values, matrix(terms))
        return values, p

    def lower_gradient(self, plan, y_true, y_pred, saved, weight, scale):
        args = matrix(saved.grad), matrix(y_true), matrix(saved), weight, scale
        plan.backward(kernels.binary_focal_backward, *args, *self._constants(plan))

    def get_config(self):
        balance = {"apply_class_balancing": self.apply_class_balancing, "alpha": self.alpha, "gamma": self.gamma}
        return {**super().get_config(), **balance}


class CategoricalFocalCrossentropy(Smoothed):
    """Categorical crossentropy whose terms are multiplied by `alpha * (1 - p) ** gamma`.

    Args:
        alpha: Weight of all values.
        gamma: How little easy values count.
        from_logits: Whether predictions are logits, of which the loss makes probabilities by softmax.
        label_smoothing: Float in [0, 1]: how far labels are moved towards 1 / number of classes.
        axis: Axis of the classes.
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        dtype: Float type for arrays.

    Example:
        >>> CategoricalFocalCrossentropy()([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]])
        0.2331...
    """

    def __init__(
        self,
        alpha=0.25,
        gamma=2.0,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction="sum_over_batch_size",
        name="categorical_focal_crossentropy",
        dtype=None,
    ):
        super().__init__(from_logits, label_smoothing, reduction, axis, name, dtype)
        self.alpha = alpha
        self.gamma = gamma

    def target(self, y_true_shape, y_pred_shape):
        return one_hot("categorical_focal_crossentropy", y_true_shape, y_pred_shape), None

    def _constants(self, plan):
        return [plan.constant(value) for value in (self.gamma, self.alpha, epsilon(), self.label_smoothing)]

    def lower_values(self, plan, y_true, y_pred):
        p = y_pred
        if self.from_logits:
            p = activated(plan, self, matrix, softmax_forward, softmax_backward, y_pred)
        values, totals = new_values(plan, self, y_pred), new_values(plan, self, y_pred)
        terms = matrix(new_terms(plan, self, y_pred))
        plan.forward(row_sums, totals, matrix(p))
        args = terms, matrix(y_true), matrix(p), totals
        plan.forward(kernels.categorical_focal_forward, *args, *self._constants(plan))
        plan.forward(row_sums, values, terms)
        return values, (p, totals)

    def lower_gradient(self, plan, y_true, y_pred, saved, weight, scale):
        p, totals = saved
        slopes = matrix(new_terms(plan, self, y_pred))
        args = matrix(p.grad), slopes, matrix(y_true), matrix(p), totals, weight, scale
        plan.backward(kernels.categorical_focal_backward, *args, *self._constants(plan))

    def get_config(self):
        return {**super().get_config(), "alpha": self.alpha, "gamma": self.gamma}


class CategoricalGeneralizedCrossEntropy(Loss):
    """`(1 - p ** q) / q` with p the probability of the right class: between crossentropy and mean absolute error.

    Labels are class numbers, of which some may be wrong: the larger q, the less a wrong one pulls.

    Args:
        q: Float in (0, 1).
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        dtype: Float type for arrays.

    Raises:
        ValueError: If `q` is outside of (0, 1).
    """

    def __init__(
        self, q=0.5, reduction="sum_over_batch_size", name="categorical_generalized_cross_entropy", dtype=None
    ):
        if not 0 < q < 1:
            raise ValueError(f"`q` of {name} must be in the interval (0, 1). Received: q={q}")
        super().__init__(name, reduction, dtype)
        self.q = q

    def target(self, y_true_shape, y_pred_shape):
        return class_numbers(self.name, y_true_shape, y_pred_shape), "int32"

    def lower_values(self, plan, y_true, y_pred):
        check_classes(plan, self, y_true, y_pred)
        values = new_values(plan, self, y_pred)
        plan.forward(kernels.generalized_forward, values, flat(y_true), matrix(y_pred), plan.constant(self.q))
        return values, None

    def lower_gradient(self, plan, y_true, y_pred, saved, weight, scale):
        args = matrix(y_pred.grad), flat(y_true), matrix(y_pred), weight, scale, plan.constant(self.q)
        plan.backward(kernels.generalized_backward, *args)

    def get_config(self):
        return {**super().get_config(), "q": self.q}


def activated(plan, loss, view, forward, backward, x):
    """Writes an activation that belongs to a loss, and its gradient, into a plan.

    Args:
        plan: The plan.
        loss: The loss, for the name.
        view: `flat` or `matrix`: how the kernels see arrays.
        forward: Kernel of (y, x).
        backward: Kernel of (dx, dy, x, y).
        x: Operand.
    """
    y = plan.value(f"{loss.name}_probabilities", x.shape, plan.dtype)
    plan.forward(forward, view(y), view(x))
    if x.grad is not None:
        y.grad = gradient_of(plan, y)
        plan.backward(backward, view(x.grad), view(y.grad), view(x), view(y))
    return y


def check_classes(plan, loss, y_true, y_pred):
    """Writes into a plan that labels must be classes of the predictions; masked ones may be anything."""
    classes, labels, mask = matrix(y_pred).shape[0], flat(y_true), flat(y_pred.mask)
    fault = plan.fault(
        f"Labels of {loss.name} must be class numbers in [0, {classes}), since predictions have {classes} classes. "
        "Received: "
    )
    repeats = mask_repeats(loss.name, labels.size, mask)
    plan.forward(check_labels, fault, labels, classes, None, mask, repeats)

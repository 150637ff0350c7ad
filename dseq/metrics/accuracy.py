"""How often predictions agree with labels."""

from dseq.kernels import metric as kernels
from dseq.kernels.loss import row_means
from dseq.losses.loss import new_terms, new_values
from dseq.losses.shapes import class_numbers, one_hot, same_shape
from dseq.metrics.reduction import RowMean
from dseq.program.operand import flat, matrix


class _RowMatch(RowMean):
    _direction = "up"

    def _lower_rows(self, kernel, plan, y_true, y_pred, *args):
        values = new_values(plan, self, y_pred)
        plan.forward(kernel, values, y_true, matrix(y_pred), *args)
        return values, None

    def _lower_elements(self, kernel, plan, y_true, y_pred, *args):
        values, terms = new_values(plan, self, y_pred), new_terms(plan, self, y_pred)
        plan.forward(kernel, flat(terms), flat(y_true), flat(y_pred), *args)
        plan.forward(row_means, values, matrix(terms))
        return values, None


class Accuracy(_RowMatch):
    """How often predictions equal labels.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.

    Example:
        >>> Accuracy()([[1], [2], [3], [4]], [[0], [2], [3], [4]])
        0.75
    """

    def __init__(self, name="accuracy", dtype=None):
        super().__init__(name, dtype)

    def target(self, y_true_shape, y_pred_shape):
        return same_shape(self.name, y_true_shape, y_pred_shape), None

    def lower_values(self, plan, y_true, y_pred):
        return self._lower_elements(kernels.equal, plan, y_true, y_pred)


class BinaryAccuracy(_RowMatch):
    """How often predictions lie on the labels' side of a threshold. Labels are 0 and 1.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.
        threshold: Predictions above it count as 1, all others as 0; in (0, 1).

    Example:
        >>> BinaryAccuracy()([[1], [1], [0], [0]], [[0.98], [1], [0], [0.6]])
        0.75
    """

    def __init__(self, name="binary_accuracy", dtype=None, threshold=0.5):
        if threshold is not None and not 0 < threshold < 1:
            raise ValueError(
                f"Invalid value for argument `threshold`. Expected a value in interval (0, 1). Received: "
                f"threshold={threshold}"
            )
        super().__init__(name, dtype)
        self.threshold = threshold

    def target(self, y_true_shape, y_pred_shape):
        return same_shape(self.name, y_true_shape, y_pred_shape), None

    def lower_values(self, plan, y_true, y_pred):
        threshold = 0.5 if self.threshold is None else self.threshold
        return self._lower_elements(kernels.binary_match, plan, y_true, y_pred, plan.constant(threshold))

    def get_config(self):
        return {**super().get_config(), "threshold": self.threshold}


class CategoricalAccuracy(_RowMatch):
    """How often the largest prediction is the largest label, which is the class of one-hot labels.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.

    Example:
        >>> CategoricalAccuracy()([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
        0.5
    """

    def __init__(self, name="categorical_accuracy", dtype=None):
        super().__init__(name, dtype)

    def target(self, y_true_shape, y_pred_shape):
        return one_hot("categorical_accuracy", y_true_shape, y_pred_shape), None

    def lower_values(self, plan, y_true, y_pred):
        return self._lower_rows(kernels.categorical_match, plan, matrix(y_true), y_pred)


class SparseCategoricalAccuracy(_RowMatch):
    """How often the largest prediction is that of the label. Labels are class numbers.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.

    Example:
        >>> SparseCategoricalAccuracy()([[2], [1]], [[0.1, 0.6, 0.3], [0.05, 0.95, 0]])
        0.5
    """

    def __init__(self, name="sparse_categorical_accuracy", dtype=None):
        super().__init__(name, dtype)

    def target(self, y_true_shape, y_pred_shape):
        return class_numbers("sparse_categorical_accuracy", y_true_shape, y_pred_shape), "int32"

    def lower_values(self, plan, y_true, y_pred):
        return self._lower_rows(kernels.sparse_match, plan, flat(y_true), y_pred)


class TopKCategoricalAccuracy(_RowMatch):
    """How often the class of one-hot labels is among the `k` largest predictions.

    Args:
        k: How many predictions are looked at.
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    def __init__(self, k=5, name="top_k_categorical_accuracy", dtype=None):
        super().__init__(name, dtype)
        self.k = k

    def target(self, y_true_shape, y_pred_shape):
        return one_hot("top_k_categorical_accuracy", y_true_shape, y_pred_shape), None

    def lower_values(self, plan, y_true, y_pred):
        return self._lower_rows(kernels.categorical_top_match, plan, matrix(y_true), y_pred, self.k)

    def get_config(self):
        return {**super().get_config(), "k": self.k}


class SparseTopKCategoricalAccuracy(_RowMatch):
    """How often the label, a class number, is among the `k` largest predictions.

    Args:
        k: How many predictions are looked at.
        name: Name of the metric.
        dtype: Float type for arrays.
        from_sorted_ids: Whether predictions are class numbers, the best first, instead of scores.
    """

    def __init__(self, k=5, name="sparse_top_k_categorical_accuracy", dtype=None, from_sorted_ids=False):
        super().__init__(name, dtype)
        self.k = k
        self.from_sorted_ids = from_sorted_ids

    def target(self, y_true_shape, y_pred_shape):
        return class_numbers("sparse_top_k_categorical_accuracy", y_true_shape, y_pred_shape), "int32"

    def lower_values(self, plan, y_true, y_pred):
        kernel = kernels.sorted_match if self.from_sorted_ids else kernels.sparse_top_match
        return self._lower_rows(kernel, plan, flat(y_true), y_pred, self.k)

    def get_config(self):
        given = {"from_sorted_ids": True} if self.from_sorted_ids else {}
        return {**super().get_config(), "k": self.k, **given}

"""The best of one ratio where another one is at least a given value."""

from dseq.metrics.confusion import PARTS, Confusion, ratio


class _Operating(Confusion):
    _direction = "up"
    constraint = None  # name of the argument

    def __init__(self, value, num_thresholds, class_id, name, dtype):
        if value < 0 or value > 1:
            raise ValueError(
                f"Argument `{self.constraint}` must be in the range [0, 1]. Received: {self.constraint}={value}"
            )
        if num_thresholds <= 0:
            raise ValueError(
                f"Argument `num_thresholds` must be an integer > 0. Received: num_thresholds={num_thresholds}"
            )
        self.value = value
        self.num_thresholds = num_thresholds
        self.class_id = class_id
        inner = [k / (num_thresholds - 1) for k in range(1, num_thresholds - 1)]
        super().__init__(PARTS, [0.5] if num_thresholds == 1 else [0.0, *inner, 1.0], dtype, name)

    def _ratios(self):
        """`(the constrained ratio, the wanted one)` at each threshold."""
        raise NotImplementedError

    def result(self):
        constrained, wanted = self._ratios()
        return float(wanted[constrained >= self.value].max(initial=0.0))

    def _of(self, part, other):
        return ratio(self._part(part), self._part(part) + self._part(other))

    def get_config(self):
        given = {"num_thresholds": self.num_thresholds, self.constraint: self.value, "class_id": self.class_id}
        return {**super().get_config(), **given}


class SensitivityAtSpecificity(_Operating):
    """The best sensitivity (recall) where specificity is at least a value.

    Args:
        specificity: That value, in [0, 1].
        num_thresholds: Number of thresholds tried.
        class_id: The class whose column is looked at, all if None.
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    constraint = "specificity"

    def __init__(self, specificity, num_thresholds=200, class_id=None, name=None, dtype=None):
        self.specificity = specificity
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def _ratios(self):
        specificity = self._of("true_negatives", "false_positives")
        return specificity, self._of("true_positives", "false_negatives")


class SpecificityAtSensitivity(_Operating):
    """The best specificity where sensitivity (recall) is at least a value.

    Args:
        sensitivity: That value, in [0, 1].
        num_thresholds: Number of thresholds tried.
        class_id: The class whose column is looked at, all if None.
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    constraint = "sensitivity"

    def __init__(self, sensitivity, num_thresholds=200, class_id=None, name=None, dtype=None):
        self.sensitivity = sensitivity
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def _ratios(self):
        sensitivity = self._of("true_positives", "false_negatives")
        return sensitivity, self._of("true_negatives", "false_positives")


class PrecisionAtRecall(_Operating):
    """The best precision where recall is at least a value.

    Args:
        recall: That value, in [0, 1].
        num_thresholds: Number of thresholds tried.
        class_id: The class whose column is looked at, all if None.
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    constraint = "recall"

    def __init__(self, recall, num_thresholds=200, class_id=None, name=None, dtype=None):
        self.recall = recall
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def _ratios(self):
        return self._of("true_positives", "false_negatives"), self._of("true_positives", "false_positives")


class RecallAtPrecision(_Operating):
    """The best recall where precision is at least a value.

    Args:
        precision: That value, in [0, 1].
        num_thresholds: Number of thresholds tried.
        class_id: The class whose column is looked at, all if None.
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    constraint = "precision"

    def __init__(self, precision, num_thresholds=200, class_id=None, name=None, dtype=None):
        self.precision = precision
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def _ratios(self):
        return self._of("true_positives", "false_positives"), self._of("true_positives", "false_negatives")

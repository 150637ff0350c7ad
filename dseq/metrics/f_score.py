"""F scores: means of precision and recall."""

import numpy as np

from dseq.kernels.confusion import score_counts
from dseq.metrics.lowered import LoweredMetric, add, room, rows_of
from dseq.program.floatx import epsilon

AVERAGES = (None, "micro", "macro", "weighted")


class FBetaScore(LoweredMetric):
    """Weighted harmonic mean of precision and recall.

    Labels are one-hot or multi-hot rows, predictions scores of the same shape `(samples, classes)`.

    Args:
        average: None for a score for each class; `"micro"` for one of all decisions together; `"macro"` for the mean
            of the classes' scores, `"weighted"` for their mean weighted by how many labels there are.
        beta: Float: how much more recall counts than precision.
        threshold: Float in (0, 1] above which predictions are positive; None: the largest of each row is.
        name: Name of the metric.
        dtype: Float type for arrays.

    Raises:
        ValueError: If an argument is none of these.

    Example:
        >>> FBetaScore(beta=2.0, threshold=0.5)([[1, 1, 1], [1, 0, 0], [1, 1, 0]],
        ...     [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]])
        array([0.3846..., 0.9090..., 0.8333...])
    """

    _direction = "up"

    def __init__(self, average=None, beta=1.0, threshold=None, name="fbeta_score", dtype=None):
        super().__init__(dtype, name)
        if average not in AVERAGES:
            raise ValueError(
                f"Invalid `average` argument value. Expected one of: {AVERAGES}. Received: average={average}"
            )
        if not isinstance(beta, float):
            raise ValueError(
                f"Invalid `beta` argument value. It should be a Python float. Received: beta={beta} of type "
                f"'{type(beta)}'"
            )
        if beta <= 0.0:
            raise ValueError(f"Invalid `beta` argument value. It should be > 0. Received: beta={beta}")
        if threshold is not None and not isinstance(threshold, float):
            raise ValueError(
                f"Invalid `threshold` argument value. It should be a Python float. Received: threshold={threshold} of "
                f"type '{type(threshold)}'"
            )
        if threshold is not None and not 0.0 < threshold <= 1.0:
            raise ValueError(
                "Invalid `threshold` argument value. It should verify 0 < threshold <= 1. Received: "
                f"threshold={threshold}"
            )
        self.average = average
        self.beta = beta
        self.threshold = threshold

    def target(self, y_true_shape, y_pred_shape):
        if len(y_pred_shape) != 1 or len(y_true_shape) != 1:
            raise ValueError(
                f"{type(self).__name__} expects 2D inputs with shape (batch_size, output_dim). Received input shapes: "
                f"y_pred.shape={(None, *y_pred_shape)} and y_true.shape={(None, *y_true_shape)}."
            )
        if tuple(y_true_shape) != tuple(y_pred_shape):
            raise ValueError(
                f"`y_true` and `y_pred` must have the same shape for {self.name}. Received: y_true.shape="
                f"{(None, *y_true_shape)} and y_pred.shape={(None, *y_pred_shape)}. Make one-hot rows of class "
                "numbers with `dseq.utils.to_categorical`."
            )
        shape = () if self.average == "micro" else tuple(y_pred_shape)
        names = "true_positives", "false_positives", "false_negatives", "intermediate_weights"
        if self._layout != dict.fromkeys(names, shape):
            self._allocate(**dict.fromkeys(names, shape))
        return tuple(y_pred_shape), None

    def lower(self, plan, y_true, y_pred, weight, sums):
        counts = room(plan, self, "counts", (4, 1 if self.average == "micro" else y_pred.shape[0]))
        threshold = None if self.threshold is None else plan.constant(self.threshold)
        plan.forward(score_counts, counts, y_true, y_pred, rows_of(weight, 1), threshold)
        add(plan, sums, counts)

    def result(self):
        if not self.state.size:
            return 0.0
        right, wrong, missed, labels = map(self._part, self._layout)
        least, square = epsilon(), self.beta**2
        precision, recall = right / (right + wrong + least), right / (right + missed + least)
        score = precision * recall / (square * precision + recall + least) * (1 + square)
        if self.average == "weighted":
            score = (score * labels / (labels.sum() + least)).sum()
        elif self.average is not None:
            score = score.mean()
        return np.array(score) if np.ndim(score) else float(score)

    def get_config(self):
        return {**super().get_config(), "average": self.average, "beta": self.beta, "threshold": self.threshold}


class F1Score(FBetaScore):
    """Harmonic mean of precision and recall.

    Args:
        average: None, `"micro"`, `"macro"` or `"weighted"`, see `FBetaScore`.
        threshold: Float in (0, 1] above which predictions are positive; None: the largest of each row is.
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    def __init__(self, average=None, threshold=None, name="f1_score", dtype=None):
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self):
        config = super().get_config()
        del config["beta"]
        return config

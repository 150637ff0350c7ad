"""Correlations of the elements of each row, and how much of the labels' spread predictions explain."""

import warnings

import numpy as np

from dseq.kernels import correlation as kernels
from dseq.losses.axes import last, sample_axis, without
from dseq.losses.loss import new_values
from dseq.losses.shapes import same_shape
from dseq.metrics.lowered import LoweredMetric, room, rows_of
from dseq.metrics.reduction import RowMean
from dseq.program.floatx import epsilon
from dseq.program.operand import Operand, matrix


class _Correlation(RowMean):
    _direction = "up"

    def __init__(self, name, dtype, axis):
        super().__init__(name, dtype)
        self.axis = axis

    def target(self, y_true_shape, y_pred_shape):
        return same_shape(self.name, y_true_shape, y_pred_shape), None

    def values_shape(self, y_pred_shape):
        return without(y_pred_shape, sample_axis(self.name, self.axis, y_pred_shape))

    def arrange(self, plan, y_true, y_pred):
        axis = sample_axis(self.name, self.axis, y_pred.shape)
        return last(plan, y_true, [axis], f"{self.name}_labels"), last(plan, y_pred, [axis])

    def get_config(self):
        return {**super().get_config(), "axis": self.axis}


class PearsonCorrelation(_Correlation):
    """Mean of Pearson's coefficient of correlation between the labels and the predictions of each row.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.
        axis: Axis of the vectors, not that of samples.

    Example:
        >>> PearsonCorrelation()([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]])
        0.9966...
    """

    def __init__(self, name="pearson_correlation", dtype=None, axis=-1):
        super().__init__(name, dtype, axis)

    def lower_values(self, plan, y_true, y_pred):
        values = new_values(plan, self, y_pred)
        plan.forward(kernels.pearson, values, matrix(y_true), matrix(y_pred))
        return values, None


class ConcordanceCorrelation(_Correlation):
    """Mean of Lin's coefficient of concordance: correlation that also asks for the same mean and spread.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.
        axis: Axis of the vectors, not that of samples.

    Example:
        >>> ConcordanceCorrelation()([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]])
        0.9816...
    """

    def __init__(self, name="concordance_correlation", dtype=None, axis=-1):
        super().__init__(name, dtype, axis)

    def lower_values(self, plan, y_true, y_pred):
        values, least = new_values(plan, self, y_pred), plan.constant(epsilon())
        plan.forward(kernels.concordance, values, matrix(y_true), matrix(y_pred), least)
        return values, None


AGGREGATIONS = (None, "uniform_average", "variance_weighted_average")


class R2Score(LoweredMetric):
    """Coefficient of determination: the share of the labels' variance that predictions explain.

    Labels and predictions are `(samples, outputs)`. The spread of the labels is kept around their mean, so that labels
    far from 0 lose no digits.

    Args:
        class_aggregation: `"uniform_average"`, `"variance_weighted_average"`, or None for one score for each output.
        num_regressors: Number of independent regressors, for the adjusted score; 0 for the plain one.
        name: Name of the metric.
        dtype: Float type for arrays.

    Raises:
        ValueError: If an argument is none of these.

    Example:
        >>> R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])
        0.5714...
    """

    _direction = "up"
    exact = True

    def __init__(self, class_aggregation="uniform_average", num_regressors=0, name="r2_score", dtype=None):
        super().__init__(dtype, name)
        if class_aggregation not in AGGREGATIONS:
            raise ValueError(
                f"Invalid value for argument `class_aggregation`. Expected one of {AGGREGATIONS}. Received: "
                f"class_aggregation={class_aggregation}"
            )
        if num_regressors < 0:
            raise ValueError(
                f"Invalid value for argument `num_regressors`. Expected a value >= 0. Received: "
                f"num_regressors={num_regressors}"
            )
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors

    def target(self, y_true_shape, y_pred_shape):
        shape = same_shape(self.name, y_true_shape, y_pred_shape)
        if len(shape) != 1:
            raise ValueError(
                f"R2Score expects 2D inputs with shape (batch_size, output_dim). Received input shapes: "
                f"y_pred.shape={(None, *y_pred_shape)} and y_true.shape={(None, *y_true_shape)}."
            )
        columns = shape[0]
        if self.state.size != 5 * columns:
            self._allocate(
                num_samples=(columns,), count=(columns,), mean=(columns,), spread=(columns,), residual=(columns,)
            )
        return shape, None

    def lower(self, plan, y_true, y_pred, weight, sums):
        columns = y_pred.shape[0]
        fresh = room(plan, self, "moments", (4, columns))
        state = Operand(sums.label, (5, columns), sums.arena, sums.dtype, 1, sums.block)
        plan.forward(kernels.add_spread, state, fresh, y_true, y_pred, rows_of(weight, 1))

    def merge_state(self, states):
        """The spread around a common mean: that around each rank's, and that of their means."""
        merged = [np.zeros_like(part) for part in states[0]]
        seen, count, mean, spread, residual = merged
        for other_seen, other_count, other_mean, other_spread, other_residual in states:
            total = count + other_count
            share = np.divide(other_count, total, out=np.zeros_like(total), where=total != 0)
            away = other_mean - mean
            spread += other_spread + away**2 * count * share
            mean += away * share
            count += other_count
            seen += other_seen
            residual += other_residual
        for variable, value in zip(self.variables, merged, strict=True):
            variable.array[...] = value

    def result(self):
        if not self.state.size:
            return 0.0
        spread = self._part("spread")
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = 1 - self._part("residual") / spread
            scores = np.where(np.isinf(scores), 0.0, scores)
            if self.class_aggregation == "uniform_average":
                score = scores.mean()
            elif self.class_aggregation == "variance_weighted_average":
                score = (spread * scores).sum() / spread.sum()
            else:
                score = scores
        score = self._adjusted(score, self._part("num_samples")[0])
        return float(score) if np.ndim(score) == 0 else score

    def _adjusted(self, score, samples):
        regressors = self.num_regressors
        if regressors == 0:
            return score
        if regressors > samples - 1:
            warnings.warn(
                "More independent predictors than datapoints in adjusted R2 score. Falling back to standard R2 score.",
                stacklevel=3,
            )
            return score
        if regressors == samples - 1:
            warnings.warn("Division by zero in Adjusted R2 score. Falling back to standard R2 score.", stacklevel=3)
            return score
        return 1 - (1 - score) * (samples - 1) / (samples - regressors - 1)

    def get_config(self):
        return {
            **super().get_config(),
            "class_aggregation": self.class_aggregation,
            "num_regressors": self.num_regressors,
        }

"""Metrics whose sums are computed by kernels: the same calls for a model's step and for arrays."""

import numpy as np

from dseq.kernels.confusion import add_counts
from dseq.losses.evaluation import run
from dseq.losses.shapes import broadcast_weight
from dseq.metrics.metric import Metric
from dseq.program.operand import Operand, flat
from dseq.program.plan import Plan
from dseq.program.step import Step
from dseq.program.tensor import Tensor, operators


class LoweredMetric(Metric):
    """The base of metrics that implement `target`, `lower` and `result`."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds labels and predictions.

        Args:
            y_true: Labels.
            y_pred: Predictions, samples first.
            sample_weight: A number, one weight for each sample or row, or where the metric looks at elements one by one
                a weight for each of them.
        """
        if isinstance(y_pred, Tensor):  # in a layer's `call`
            operators["measure"](self, y_true, y_pred, sample_weight)
            return
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
        kind = self.dtype if np.dtype(self.dtype).kind == "f" else "float32"
        y_pred = y_pred.astype(kind)
        if y_pred.ndim == 1 and not self.takes_numbers:
            y_pred = y_pred[:, None]
        if y_true.ndim == 0 or y_pred.ndim == 0 or len(y_true) != len(y_pred):
            raise ValueError(
                f"`y_true` and `y_pred` of {self.name} must have the same number of samples. Received: shapes "
                f"{y_true.shape} and {y_pred.shape}"
            )
        rows, shape = len(y_pred), self.target(y_true.shape[1:], y_pred.shape[1:])
        arrays = {"y_true": y_true.reshape(rows, *shape[0]), "y_pred": y_pred}
        plan = Plan(dtype=kind)
        labels, predictions = plan.input("y_true", *shape), plan.input("y_pred", y_pred.shape[1:])
        weight = None
        if sample_weight is not None:
            arrays["weight"] = self._weights(np.asarray(sample_weight), y_pred).reshape(rows, -1)
            weight = flat(plan.input("weight", arrays["weight"].shape[1:]))
        sums = state_operand(self.name, self.state)
        self.lower(plan, labels, predictions, weight, sums)
        run(Step(plan, runner="calls"), **arrays)

    takes_numbers = False  # whether predictions may have no axis but that of samples

    def _weights(self, weight, y_pred):
        """Weights for each row, or for each element if they are given so."""
        rows = y_pred.shape[:-1] if y_pred.ndim > 1 else y_pred.shape
        elements = weight.ndim == y_pred.ndim and weight.shape[-1] > 1
        return broadcast_weight(weight, y_pred.shape if elements else rows)


def state_operand(name, array) -> Operand:
    """An array of sums that outlives steps, as an operand."""
    operand = Operand(f"{name} so far", array.shape, "slots", array.dtype.name)
    operand.array = array
    return operand


def room(plan, metric, what, shape):
    """A float64 block for what a metric counts in one step."""
    return plan.value(f"{metric.name}_{what}", shape, "float64", shared=True)


def rows_of(weight, count):
    """Flat weights as a matrix with a row for each of `count` rows a sample; None stays None."""
    if weight is None:
        return None
    return Operand(weight.label, (weight.size // count,), weight.arena, weight.dtype, count, weight.block)


def add(plan, sums, counts):
    """Writes into a plan that counts are added to sums of the same size."""
    plan.forward(add_counts, sums, flat(counts))

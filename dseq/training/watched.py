"""A metric in one plan: where its state is kept while the step runs, and how it becomes that of all ranks."""

import numpy as np

from dseq.metrics.lowered import state_operand
from dseq.metrics.metric import LARGEST_IN_TAIL
from dseq.metrics.reduction import MeanMetricWrapper


class Watched:
    """One metric of one output in one plan.

    Small sums travel in the tail of the gradients, and so are known on all ranks after every step. Large ones, those
    that need more digits, and metrics written in Python keep their state on each rank, until a result is wanted.

    Args:
        name: Its name in the logs.
        metric: The metric.
        is_weighted: Whether it takes sample weights into account.
    """

    def __init__(self, name, metric, is_weighted):
        self.name = name
        self.metric = metric
        self.is_weighted = is_weighted
        self.place = None
        self._own = []
        self._joined = False  # whether the metric shows the state of all ranks, and not this rank's

    @property
    def is_local(self) -> bool:
        """Whether each rank has a state of its own."""
        return self.place is None

    def lower(self, plan, y_true, y_pred, weight) -> None:
        """Writes the metric into a plan.

        Args:
            plan: The plan.
            y_true: Operand of labels as its `target` says.
            y_pred: Operand of predictions.
            weight: Flat operand of sample weights, or None.
        """
        metric = self.metric
        if metric.runs_on_host:
            written = plan.value(f"{self.name}_done", (1,), "float64", shared=True)
            shape = () if weight is None or weight.size == 1 else tuple(y_pred.shape[:-1])
            # As in Keras, means leave out what is masked; other metrics see all rows.
            mask = y_pred.mask if isinstance(metric, MeanMetricWrapper) else None
            extra = [x for x in (weight, mask) if x is not None]
            plan.host(_Update(self, shape, weight is not None, mask is not None), written, y_true, y_pred, *extra)
            return
        if metric.exact or metric.slots > LARGEST_IN_TAIL:
            self._own = [np.zeros(metric.slots)]
            sums = state_operand(self.name, self._own[0])
        else:
            sums = plan.sums(self.name, metric.slots)
            self.place = slice(sums.start, sums.start + metric.slots)
        metric.lower(plan, y_true, y_pred, weight, sums)

    def update(self, *arrays) -> None:
        """Adds this rank's rows to the state of a metric written in Python."""
        if self._joined:
            self._set(self._own)
            self._joined = False
        self.metric.update_state(*arrays)

    def reset(self) -> None:
        """Forgets all data."""
        self._joined = False
        if self.metric.runs_on_host:
            self.metric.reset_state()
        else:
            for array in self._own:
                array[...] = 0

    def state(self) -> list:
        """This rank's state, a list of arrays as `merge_state` takes it."""
        if not self.metric.runs_on_host:
            self.metric.state[:] = self._own[0]
        elif self._joined:
            return self._own
        return [np.array(variable.array) for variable in self.metric.variables]

    def restore(self, state) -> None:
        """Takes up a state, as `state` gave it, in place of the one there is."""
        self._set([np.asarray(part) for part in state])
        self._joined = False
        if not self.metric.runs_on_host:
            self._own[0][:] = self.metric.state

    def result(self, totals, states=None):
        """The metric's result.

        Args:
            totals: Sums of the tail over all steps and ranks.
            states: For a metric whose state is local, that of each rank; None where there is one rank.
        """
        if not self.is_local:
            self.metric.state[:] = totals[self.place]
        elif states is None:
            self._set(self.state())
        else:
            if self.metric.runs_on_host:
                self._own, self._joined = self.state(), True
            self.metric.merge_state(states)
        return self.metric.result()

    def _set(self, arrays):
        for variable, array in zip(self.metric.variables, arrays, strict=True):
            variable.array[...] = array


class _Update:
    """What the step calls to update a metric written in Python."""

    def __init__(self, watched, weight_shape, weighted, masked):
        self.watched = watched
        self.weight_shape = weight_shape
        self.weighted, self.masked = weighted, masked
        self.__name__ = f"update of {watched.metric.name}"

    def __call__(self, written, y_true, y_pred, *extra):
        if len(y_pred) == 0:
            return
        arrays = [y_true.copy(), y_pred.copy()]  # the metric may keep them, and the step writes over its own
        if self.weighted:
            arrays.append(extra[0].reshape(len(y_pred), *self.weight_shape).copy())
        if self.masked:
            mask = extra[-1] != 0
            weight = arrays.pop() if self.weighted else np.ones(len(y_pred))
            arrays.append(mask * weight.reshape(*weight.shape, *[1] * (mask.ndim - weight.ndim)))
        self.watched.update(*arrays)


def as_log(name, result) -> dict:
    """A metric's result as entries of the logs: a float, an array as it is, a dict with its own names."""
    if isinstance(result, dict):
        entries = {}
        for key, value in result.items():
            entries |= as_log(key, value)
        return entries
    value = np.asarray(result)
    return {name: float(value.item()) if value.size == 1 else value.copy()}

"""A metric in one plan: where its state is kept while the step runs, and how it becomes that of all ranks."""

import numpy as np

from dseq.metrics.lowered import state_operand
from dseq.metrics.metric import LARGEST_IN_TAIL
from dseq.metrics.reduction import MeanMetricWrapper
from dseq.program.operand import flat
from dseq.program.plan import CLOCK

SHARD = CLOCK.index("shard")


class Watched:
    """One metric of one output in one plan.

    Small sums travel in the tail of the gradients, and so are known on all ranks after every step. Large ones, those
    that need more digits, and metrics written in Python keep a state for each shard of the batch, until a result is
    wanted. A metric written in Python holds one of them itself, or what they give together.

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
        self._sums = None  # operand of the state of each shard, if kernels add to it
        self._states = [None]  # of a metric written in Python: that of each shard, None for nothing yet
        self._shown = 0  # whose state the metric holds; None for that of all
        self._first = 0

    @property
    def is_local(self) -> bool:
        """Whether each shard has a state of its own."""
        return self.place is None

    def hold(self, first, last) -> None:
        """Makes room for the states of the shards that this rank holds.

        Args:
            first: Number of the first.
            last: The number behind that of the last.
        """
        self._first, self._states = first, [None] * (last - first)
        if self._sums is not None:
            self._sums.copies = np.zeros((last - first, self.metric.slots))

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
            update = _Update(self, shape, weight is not None, mask is not None)
            plan.host(update, written, plan.clock, y_true, y_pred, *extra)
            return
        if metric.exact or metric.slots > LARGEST_IN_TAIL:
            sums = self._sums = state_operand(self.name, np.zeros(metric.slots))
            self.hold(0, 1)
        else:
            sums = plan.sums(self.name, metric.slots)
            self.place = slice(sums.start, sums.start + metric.slots)
        metric.lower(plan, y_true, y_pred, weight, sums)

    def update(self, shard, *arrays) -> None:
        """Adds a shard's rows to the state of a metric written in Python.

        Args:
            shard: Number of the shard.
            *arrays: What `update_state` takes.
        """
        self._show(shard - self._first)
        self.metric.update_state(*arrays)

    def reset(self) -> None:
        """Forgets all data."""
        if self.metric.runs_on_host:
            self.metric.reset_state()
            self._states, self._shown = [None] * len(self._states), 0
        elif self._sums is not None:
            self._sums.copies.fill(0)

    def states(self) -> list:
        """The state of each shard that this rank holds, each a list of arrays as `merge_state` takes it."""
        if not self.metric.runs_on_host:
            return [self._variables_of(row) for row in self._sums.copies]
        for shard, state in enumerate(self._states):
            if state is None and shard != self._shown:
                self._show(shard)
        self._keep()
        return list(self._states)

    def restore(self, states) -> None:
        """Takes up states, as `states` gave them, in place of those there are."""
        states = [[np.asarray(part) for part in state] for state in states]
        if self.metric.runs_on_host:
            self._states, self._shown = states, 0
            self._set(states[0])
        else:
            for row, state in zip(self._sums.copies, states, strict=True):
                self._set(state)
                row[...] = self.metric.state

    def result(self, totals, states=None):
        """The metric's result.

        Args:
            totals: Sums of the tail over all steps and ranks.
            states: For a metric whose state is local, that of each shard of all ranks; None where there is one shard.
        """
        if not self.is_local:
            self.metric.state[:] = totals[self.place]
        elif states is not None:
            if self.metric.runs_on_host:
                self._keep()
                self._shown = None
            self.metric.merge_state(states)
        elif self.metric.runs_on_host:
            self._show(0)
        else:
            self.metric.state[:] = self._sums.copies[0]
        return self.metric.result()

    def _show(self, shard):
        """Puts a shard's state into the metric."""
        if shard == self._shown:
            return
        self._keep()
        self._shown = shard
        if self._states[shard] is None:
            self.metric.reset_state()
        else:
            self._set(self._states[shard])

    def _keep(self):
        if self._shown is not None:
            self._states[self._shown] = self._variables_of()

    def _variables_of(self, row=None):
        """A copy of the metric's variables, for the sums of a shard if they are given."""
        if row is not None:
            self.metric.state[:] = row
        return [np.array(variable.array) for variable in self.metric.variables]

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

    def __call__(self, written, clock, y_true, y_pred, *extra):
        if len(y_pred) == 0:
            return
        arrays = [y_true.copy(), y_pred.copy()]  # the metric may keep them, and the step writes over its own
        if self.weighted:
            arrays.append(extra[0].reshape(len(y_pred), *self.weight_shape).copy())
        if self.masked:
            mask = extra[-1] != 0
            weight = arrays.pop() if self.weighted else np.ones(len(y_pred))
            arrays.append(mask * weight.reshape(*weight.shape, *[1] * (mask.ndim - weight.ndim)))
        self.watched.update(clock[SHARD], *arrays)


def as_log(name, result) -> dict:
    """A metric's result as entries of the logs: a float, an array as it is, a dict with its own names."""
    if isinstance(result, dict):
        entries = {}
        for key, value in result.items():
            entries |= as_log(key, value)
        return entries
    value = np.asarray(result)
    return {name: float(value.item()) if value.size == 1 else value.copy()}


def watch_inside(plan, metric, y_true, y_pred, weight) -> Watched:
    """A metric that a layer's `call` adds to, written into a plan.

    Args:
        plan: The plan.
        metric: The metric.
        y_true: Operand of the targets.
        y_pred: Operand of what is compared with them.
        weight: Operand of weights, or None.
    """
    from dseq.losses.symbolic import as_labels  # here: it loads `dseq.ops`

    watched = Watched(metric.name, metric, weight is not None)
    watched.lower(plan, as_labels(plan, metric, y_true, plan.floats(y_pred)), plan.floats(y_pred), flat(weight))
    return watched

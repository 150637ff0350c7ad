"""What `compile` was given: the optimizer, a loss for each output, metrics, and how they are written into a plan."""

import numpy as np

from dseq import losses, metrics, optimizers
from dseq.program.operand import flat


class Compiled:
    """The arguments of `compile`, resolved.

    Losses and metrics given by name take their form from the shapes of targets and outputs, so they are resolved
    when both are known.

    Args:
        optimizer: Name, configuration or `Optimizer`.
        loss: Name, function or `Loss`; a list or a dict by output name for several outputs; None for none.
        loss_weights: Number, list or dict of numbers.
        metrics: List of names or `Metric`s; a list of lists or a dict by output name for several outputs.
        weighted_metrics: The same, for metrics that take sample weights into account.
    """

    def __init__(self, optimizer, loss, loss_weights, metrics, weighted_metrics):
        self.optimizer = optimizers.get(optimizer)
        self.loss = loss
        self.loss_weights = loss_weights
        self.metrics = metrics
        self.weighted_metrics = weighted_metrics
        self.outputs = None
        self._resolved_for = None

    def resolve(self, names, targets, outputs) -> None:
        """Makes the objects for these outputs.

        Args:
            names: Names of the outputs.
            targets: Shape of one sample's target for each output.
            outputs: Shape of one sample of each output.
        """
        key = tuple(names), tuple(targets), tuple(outputs)
        if self._resolved_for == key:
            return
        wanted = _per_output(self.loss, names, "loss")
        weights = _per_output(self.loss_weights, names, "loss_weights")
        plain = _metrics_per_output(self.metrics, names, "metrics")
        weighted = _metrics_per_output(self.weighted_metrics, names, "weighted_metrics")
        several = len(names) > 1
        self.outputs, used = [], set()
        for k, name in enumerate(names):
            loss = losses.get(wanted[k], targets[k], outputs[k]) if wanted[k] is not None else None
            chosen = [(metrics.get(m, targets[k], outputs[k]), False) for m in plain[k]]
            chosen += [(metrics.get(m, targets[k], outputs[k]), True) for m in weighted[k]]
            named = []
            for metric, is_weighted in chosen:
                label = f"{name}_{metric.name}" if several else metric.name
                if label in used and is_weighted:
                    label = f"weighted_{label}"
                unique, count = label, 0
                while unique in used:
                    count += 1
                    unique = f"{label}_{count}"
                used.add(unique)
                named.append((unique, metric, is_weighted))
            self.outputs.append(Output(k, name, loss, 1.0 if weights[k] is None else float(weights[k]), named))
        for output, target, shape in zip(self.outputs, targets, outputs, strict=True):
            output.set_shapes(target, shape)
        self._resolved_for = key

    def lower(self, plan, operands, weighted) -> None:
        """Writes losses and metrics into a plan.

        Args:
            plan: The plan, whose forward pass is written.
            operands: The model's outputs.
            weighted: Whether sample weights come with the data.
        """
        for output, y_pred in zip(self.outputs, operands, strict=True):
            output.lower(plan, y_pred, weighted)

    def feeds(self, targets, weights) -> dict:
        """Label and weight arrays by the names of the plan's inputs.

        Args:
            targets: List of target arrays, one for each output.
            weights: List of arrays of sample weights, or None.
        """
        feeds = {}
        for output, y, w in zip(self.outputs, targets, weights or [None] * len(targets), strict=True):
            for label, shape, dtype in output.blocks.values():
                feeds[label] = np.asarray(y).reshape(len(y), *shape), dtype
            if w is not None:
                feeds[output.weight_label] = output.spread(w), None
        return feeds


class Output:
    """One output with its loss and metrics, and where their sums lie in the tail."""

    def __init__(self, index, name, loss, weight, metrics):
        self.index = index
        self.name = name
        self.loss = loss
        self.loss_weight = weight
        self.metrics = metrics
        self.weight_label = f"sample_weight_{index}"
        self.blocks = {}

    def set_shapes(self, target_shape, output_shape) -> None:
        """Which label blocks the loss and the metrics read: shape and type may differ between them."""
        self.values = self.loss.values_per_sample(output_shape) if self.loss else _lead(output_shape)
        self.blocks = {}
        for reader in [self.loss, *(metric for _, metric, _ in self.metrics)]:
            if reader is not None:
                shape, dtype = reader.target(target_shape, output_shape)
                count = len(self.blocks)
                label = f"y_{self.index}" if count == 0 else f"y_{self.index}_{count}"
                self.blocks.setdefault((tuple(shape), dtype), (label, shape, dtype))
        self._target_shape, self._output_shape = target_shape, output_shape
        self.loss_labels = None
        if self.loss is not None:
            shape, dtype = self.loss.target(target_shape, output_shape)
            self.loss_labels = self.blocks[tuple(shape), dtype][0]

    def lower(self, plan, y_pred, weighted):
        labels = {key: plan.input(label, shape, dtype) for key, (label, shape, dtype) in self.blocks.items()}
        weight = plan.input(self.weight_label, (self.values,)) if weighted else None

        def label(reader):
            shape, dtype = reader.target(self._target_shape, self._output_shape)
            return labels[tuple(shape), dtype]

        self.total = None
        if self.loss is not None:
            self.total = plan.sums(f"{self.name} loss")
            scale = plan.scale(f"scale_{self.index}")
            self.loss.lower(plan, label(self.loss), y_pred, flat(weight), self.total, scale)
        self.sums = {}
        for name, metric, is_weighted in self.metrics:
            self.sums[name] = plan.sums(name, metric.slots)
            metric.lower(plan, label(metric), y_pred, flat(weight) if is_weighted else None, self.sums[name])

    def bound(self):
        """What a session needs of this output as it was just written into a plan."""
        slot = self.total.start if self.total is not None else None
        sums = [
            (name, metric, (self.sums[name].start, self.sums[name].start + metric.slots))
            for name, metric, _ in self.metrics
        ]
        return Bound(self, slot, sums)

    def spread(self, weights):
        """Sample weights as one number for each loss value of a sample."""
        weights = np.asarray(weights, np.float64)
        if weights.size != len(weights) * self.values:
            weights = np.repeat(weights.reshape(len(weights), -1), self.values, axis=1)
        return weights.reshape(len(weights), self.values)


class Bound:
    """An output in one plan: its loss, and where its sums lie in the tail.

    Attributes:
        slot: Position of the loss in the tail, or None.
        metrics: List of `(name, metric, (start, stop))`.
    """

    def __init__(self, output, slot, metrics):
        self.name = output.name
        self.loss = output.loss
        self.loss_weight = output.loss_weight
        self.values = output.values
        self.scale = f"scale_{output.index}"
        self.weight_label = output.weight_label
        self.slot = slot
        self.metrics = metrics
        self._labels = output.loss_labels
        self._selective = output.loss is not None and output.loss.counted(np.zeros(1)) is not None

    def counts(self, feed, order, lo, hi):
        """What the loss divides by: the number of values it counts in a global batch, and the sum of their weights.

        The sum is None if there are no weights or the loss does not divide by it.
        """
        weighted = self.loss.reduction == "mean_with_sample_weight"
        if not (weighted or self._selective):
            return (hi - lo) * self.values, None
        weights = feed.rows(self.weight_label, order, lo, hi) if weighted else None
        if not self._selective:
            return (hi - lo) * self.values, None if weights is None else weights.sum()
        counted = self.loss.counted(feed.rows(self._labels, order, lo, hi))
        return counted.sum(), None if weights is None else (weights.reshape(counted.shape) * counted).sum()


def _lead(shape):
    return int(np.prod(shape[:-1]))


def _per_output(value, names, what):
    """An argument of `compile` as a list with an entry for each output."""
    if isinstance(value, dict):
        unknown, missing = set(value) - set(names), set(names) - set(value)
        if unknown or (missing and what == "loss"):
            raise ValueError(f"Expected keys {list(names)} in {what} dict. Received: {sorted(value)}")
        return [value.get(name) for name in names]
    if isinstance(value, list | tuple):
        if len(value) != len(names):
            raise ValueError(
                f"`{what}` must have one entry for each of the {len(names)} outputs {list(names)}. Received: {value}"
            )
        return list(value)
    if len(names) > 1 and value is not None:
        return [value] * len(names)
    return [value] * len(names)


def _metrics_per_output(value, names, what):
    if value is None:
        return [[] for _ in names]
    if isinstance(value, dict):
        unknown = set(value) - set(names)
        if unknown:
            raise ValueError(f"Expected keys among {list(names)} in {what} dict. Received: {sorted(value)}")
        value = [value.get(name) for name in names]
    elif not isinstance(value, list | tuple):
        raise ValueError(f"`{what}` must be a list or a dict. Received: {what}={value!r}")
    elif len(names) == 1:
        value = [value]
    elif len(value) != len(names):
        raise ValueError(f"`{what}` must have one entry for each of the outputs {list(names)}. Received: {value}")
    return [[] if v is None else list(v) if isinstance(v, list | tuple) else [v] for v in value]

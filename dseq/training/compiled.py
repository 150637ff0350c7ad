"""What `compile` was given: the optimizer, a loss for each output, metrics, and how they are written into a plan."""

import math

import numpy as np

from dseq import losses, metrics, optimizers
from dseq.losses.custom import as_lowered
from dseq.program.operand import flat
from dseq.program.structure import flatten
from dseq.training.watched import Watched


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
        self.outputs = []
        self._resolved = {}

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a loss nor a metric: outputs then need no targets."""
        return self.loss is None and not self.metrics and not self.weighted_metrics

    def resolve(self, names, targets, outputs, kinds=None) -> list:
        """The losses and metrics for these outputs, made once for the same shapes.

        Args:
            names: Names of the outputs.
            targets: Shape of one sample's target for each output.
            outputs: Shape of one sample of each output.
            kinds: Type of the user's targets for each output, which losses and metrics written in Python see; the
                model's float type if None.

        Returns:
            An `Output` for each; they are `self.outputs` from now on.

        Raises:
            ValueError: If something does not fit; nothing is changed then.
        """
        key = tuple(names), tuple(targets), tuple(outputs), tuple(kinds or [None] * len(names))
        if key not in self._resolved:
            self._resolved[key] = self._make(*key)
        self.outputs = self._resolved[key]
        return self.outputs

    def ordered(self, logs) -> dict:
        """Logs in the order in which `evaluate` returns them: the loss, those of the outputs, metrics whose names stand
        in the logs as they are in the order of `compile`, the rest by name."""
        names = [output.name for output in self.outputs if output.loss is not None]
        if isinstance(self.loss, dict) and set(names) <= set(self.loss):
            names = [name for name in self.loss if name in names]
        losses = [f"{name}_loss" for name in names]
        own = [metric.name for output in self.outputs for _, metric, _ in output.metrics]
        first = dict.fromkeys(["loss", *(name for name in [*losses, *own] if name in logs)])
        return {name: logs[name] for name in [*first, *sorted(set(logs) - set(first))]}

    def _make(self, names, targets, outputs, kinds):
        wanted = _per_output(self.loss, names, "loss")
        weights = _per_output(self.loss_weights, names, "loss_weights")
        plain = _metrics_per_output(self.metrics, names, "metrics")
        weighted = _metrics_per_output(self.weighted_metrics, names, "weighted_metrics")
        made, used = [], set()
        for k, name in enumerate(names):
            shapes = targets[k], outputs[k]
            if any(m is None for m in [*plain[k], *weighted[k]]):
                raise ValueError(f"Expected metric, received `None` for output {name!r}. Leave it out.")
            chosen = [(metrics.get(m, *shapes), False) for m in plain[k]]
            chosen += [(metrics.get(m, *shapes), True) for m in weighted[k]]
            prefix = f"{name}_" if len(names) > 1 else ""
            named = [(_unique(prefix, m.name, is_weighted, used), m, is_weighted) for m, is_weighted in chosen]
            weight = 1.0 if weights[k] is None else float(weights[k])
            loss = losses.get(wanted[k], *shapes)
            loss = None if loss is None else as_lowered(loss)
            made.append(Output(k, name, loss, weight, named, *shapes, kinds[k]))
        return made


def _unique(prefix, name, is_weighted, used):
    """A name for the logs that is not in use yet, as Keras makes it."""
    label = prefix + name
    if label in used and is_weighted:
        label = f"{prefix}weighted_{name}"
    unique, count = label, 0
    while unique in used:
        count += 1
        unique = f"{label}_{count}"
    used.add(unique)
    return unique


class Output:
    """One output of a model with its loss and metrics.

    Args:
        index: Which output it is.
        name: Its name.
        loss: A `Loss` or None.
        loss_weight: Its share of the total loss.
        metrics: List of `(name, metric, takes weights)`.
        target_shape: Shape of one sample's target as the user has it.
        output_shape: Shape of one sample of the output.
        kind: Type of the user's target; None for the model's float type.

    Attributes:
        values: How many loss values one sample gives.
        blocks: `{(shape, type): label}`: the losses and metrics may want the labels in several forms.
    """

    def __init__(self, index, name, loss, loss_weight, metrics, target_shape, output_shape, kind=None):
        self.index = index
        self.name = name
        self.loss = loss
        self.loss_weight = loss_weight
        self.metrics = metrics
        self.blocks, self._forms = {}, {}
        for reader in [loss, *(metric for _, metric, _ in metrics)]:
            if reader is not None:
                shape, dtype = reader.target(target_shape, output_shape)
                dtype = kind if dtype == "given" else dtype
                self._forms[id(reader)] = form = tuple(shape), dtype
                label = f"y_{index}_{len(self.blocks)}" if self.blocks else f"y_{index}"
                self.blocks.setdefault(form, label)
        self.values = loss.values_per_sample(output_shape) if loss else math.prod(output_shape[:-1])

    def label_of(self, reader) -> str:
        """The label block that a loss or metric reads."""
        return self.blocks[self._forms[id(reader)]]

    def lower(self, plan, y_pred, weighted) -> "Bound":
        """Writes the loss and the metrics into a plan.

        Args:
            plan: The plan, whose forward pass is written.
            y_pred: Operand of the output.
            weighted: Whether sample weights come with the data.

        Raises:
            ValueError: If the output belongs to no sample: then there is nothing for targets to be compared with.
        """
        if (self.loss is not None or self.metrics) and not y_pred.per_row:
            raise ValueError(
                f"Losses and metrics compare targets with outputs sample by sample. Received: output {self.name!r} of "
                f"shape {y_pred.shape} without a batch axis, a result over all samples. Give it to `add_loss` in the "
                "`call` of a layer, or to `compile` no loss for it."
            )
        labels = {label: plan.input(label, *form) for form, label in self.blocks.items()}
        bound = Bound(self)
        weight = plan.input(bound.weight_label, (self.values,)) if weighted else None
        if self.loss is not None:
            total = plan.sums(f"{self.name} loss")
            bound.slot = total.start
            scale = plan.scale(bound.scale)
            bound.normalised = self.loss.normalises(y_pred)
            self.loss.lower(plan, labels[self.label_of(self.loss)], y_pred, flat(weight), total, scale)
        for name, metric, is_weighted in self.metrics:
            watched = Watched(name, metric, is_weighted)
            watched.lower(plan, labels[self.label_of(metric)], y_pred, flat(weight) if is_weighted else None)
            bound.metrics.append(watched)
        return bound


class Bound:
    """An output in one plan: its loss, and where its sums lie in the tail.

    Attributes:
        slot: Position of the loss in the tail, or None.
        normalised: Whether the step itself makes up for values that do not count.
        metrics: List of `Watched`.
    """

    def __init__(self, output):
        self.output = output
        self.name = output.name
        self.loss = output.loss
        self.loss_weight = output.loss_weight
        self.scale = f"scale_{output.index}"
        self.weight_label = f"sample_weight_{output.index}"
        self.slot = None
        self.normalised = False
        self.metrics = []
        self._selective = self.loss is not None and self.loss.counted(np.zeros(1)) is not None

    @property
    def is_even(self) -> bool:
        """Whether the loss divides by nothing but the number of its values."""
        return self.normalised or not (self._selective or self.loss.reduction == "mean_with_sample_weight")

    def feeds(self, y, weights) -> dict:
        """Label and weight arrays by the names of the plan's inputs.

        Args:
            y: Targets, samples first.
            weights: Sample weights, or None.
        """
        feeds = {label: (y.reshape(len(y), *shape), dtype) for (shape, dtype), label in self.output.blocks.items()}
        if weights is not None:
            values = self.output.values
            weights = np.asarray(weights, np.float64)
            if math.prod(weights.shape[1:]) == 1:  # not by its size: a rank may have no rows
                weights = np.repeat(weights.reshape(len(weights), 1), values, axis=1)
            elif weights.size != len(weights) * values:
                raise ValueError(
                    f"`sample_weight` of output {self.name!r} must have one weight for each sample, or for each of the "
                    f"{values} values that its loss gives for a sample. Received: shape {weights.shape}"
                )
            feeds[self.weight_label] = weights.reshape(len(weights), values)
        return feeds

    def counts(self, feed, order, lo, hi):
        """What the loss divides by: the number of values it counts in a global batch, and the sum of their weights.

        The sum is None if there are no weights or the loss does not divide by it.
        """
        if self.is_even:
            return (hi - lo) * self.output.values, None
        weighted = self.loss.reduction == "mean_with_sample_weight"
        weights = feed.rows(self.weight_label, order, lo, hi) if weighted else None
        if not self._selective:
            return (hi - lo) * self.output.values, None if weights is None else weights.sum()
        counted = self.loss.counted(feed.rows(self.output.label_of(self.loss), order, lo, hi))
        return counted.sum(), None if weights is None else (weights.reshape(counted.shape) * counted).sum()


def _per_output(value, names, what):
    """An argument of `compile` as a list with an entry for each output."""
    if _is_nested(value):  # in the form of the outputs
        value = flatten(value)
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
    return [value] * len(names)


def _is_nested(value):
    """Whether a list or dict holds others that are no configurations of objects."""
    if not isinstance(value, dict | list | tuple):
        return False
    parts = list(value.values() if isinstance(value, dict) else value)
    nested = [part for part in parts if isinstance(part, dict | list | tuple)]
    return bool(nested) and not any("class_name" in part for part in [value, *nested] if isinstance(part, dict))


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

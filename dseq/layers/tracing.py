"""Layers written as `call`: the call is made once with symbolic tensors, and the graph it leaves is what runs."""

import inspect
import threading
from contextlib import contextmanager
from itertools import islice

from dseq.kernels.cast import cast_forward
from dseq.kernels.penalty import loss_sum, loss_sum_backward, shared_loss
from dseq.program.graph import Graph
from dseq.program.operand import flat
from dseq.program.structure import flatten, pack
from dseq.program.tensor import Tensor, operators, tracing


class _Stack(threading.local):
    traces = ()


_stack = _Stack()


def current():
    """The innermost `Trace` that is being written in this thread, or None."""
    return _stack.traces[-1] if _stack.traces else None


def _tracing(what):
    trace = current()
    if trace is None:
        raise ValueError(f"Symbolic tensors can be {what} only in the `call` of a layer or model.")
    return trace


operators["assign"] = lambda variable, value: _tracing("assigned to a variable").assign(variable, value)
operators["assigned"] = lambda variable: _tracing("assigned to a variable").assigned(variable)
operators["measure"] = lambda *given: _tracing("given to a metric").measure(*given)


class Trace:
    """One run of a layer's `call` on symbolic tensors.

    Args:
        layer: The layer.
        arguments: The `Arguments` of its call.
        shapes: Full shape, type and sharedness of each tensor among them.
        training: Whether it is to behave as in training.

    Attributes:
        structure: The form of what `call` returned; its leaves are numbers of outputs.
        losses: Symbolic tensors given to `add_loss`.
    """

    def __init__(self, layer, arguments, shapes, training):
        self._layer = layer
        self.losses, self.metrics, self.assignments = [], [], {}
        placeholders = [Tensor(shape, dtype, shared=shared) for shape, dtype, shared in shapes]
        args, kwargs = arguments.filled(placeholders)
        if takes(layer.call, "training") and kwargs.get("training") is None:
            kwargs["training"] = training
        with self._recording(), tracing():
            result = layer.call(*args, **kwargs)
            outputs = [_as_tensor(layer, self.assigned(leaf)) for leaf in flatten(result)]
            losses = [_as_tensor(layer, leaf) for leaf in self.losses]
        self.structure = pack(result, range(len(outputs)))
        self.outputs = outputs
        measured = [x for _, *tensors in self.metrics for x in tensors if x is not None]
        self._counts = len(outputs), len(losses), len(measured)
        self._graph = Graph(placeholders, [*outputs, *losses, *measured, *(v for _, v in self.assignments.values())])

    @contextmanager
    def _recording(self):
        before, _stack.traces = _stack.traces, (*_stack.traces, self)
        try:
            yield
        finally:
            _stack.traces = before

    def lower(self, plan, operands) -> list:
        """Writes the graph into a plan; returns the operands of the outputs."""
        results = iter(self._graph.lower(plan, operands))
        outputs, losses, measured = (list(islice(results, count)) for count in self._counts)
        for operand in losses:
            _lower_loss(plan, operand)
        measured = iter(measured)
        for metric, *tensors in self.metrics:
            plan.metrics.append((metric, *(None if x is None else next(measured) for x in tensors)))
        for variable, _ in self.assignments.values():
            plan.settle(cast_forward, flat(variable), flat(next(results)))
        return outputs

    def output_shapes(self, kinds) -> list:
        """Full shapes of the outputs; those of samples get the number of samples that all inputs have.

        Args:
            kinds: Full shape, type and sharedness of each input.
        """
        rows = {shape[0] for shape, _, shared in kinds if not shared}
        rows = rows.pop() if len(rows) == 1 else None
        return [t.shape if t.shared or t.shape[0] is not None else (rows, *t.shape[1:]) for t in self.outputs]

    # What `call` may do besides returning something.

    def measure(self, metric, y_true, y_pred, weight=None):
        """Adds to a metric in each step.

        Args:
            metric: The metric.
            y_true: Symbolic tensor of labels.
            y_pred: Symbolic tensor of predictions.
            weight: Symbolic tensor of sample weights, or None.
        """
        self.metrics.append((metric, y_true, y_pred, weight))

    def assign(self, variable, value):
        """Changes a weight after each step.

        Raises:
            ValueError: If the value belongs to samples, or its shape differs.
        """
        value = _as_tensor(self._layer, value)
        if not value.shared or tuple(value.shape) != variable.shape:
            raise ValueError(
                f"What is assigned to variable {variable.path!r} in `call` must have its shape {variable.shape} and no "
                f"batch axis; reduce over the batch first. Received: shape={value.shape}"
            )
        self.assignments[id(variable)] = variable, value

    def assigned(self, value):
        """The tensor that was assigned to a variable in this call; other values as they are."""
        return self.assignments.get(id(value), (None, value))[1]


def _as_tensor(layer, value):
    if isinstance(value, Tensor):
        return value
    from dseq import ops  # only here: `ops` is a wing of its own

    try:
        return ops.convert_to_tensor(value)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`call` of layer {layer.name!r} must return tensors. Received: {value!r} of type {type(value).__name__}"
        ) from error


def _lower_loss(plan, operand):
    """Adds a tensor given to `add_loss` to the loss of the model, all its elements summed."""
    total = plan.penalty(f"{operand.label} loss")
    if total is None:
        return
    x = flat(plan.floats(operand))
    if operand.per_row:  # each rank adds its samples
        plan.forward(loss_sum, total, x)
    else:  # the same on every rank: it counts once, but its gradient is wanted on each
        plan.forward(shared_loss, total, x, plan.clock)
    plan.backward(loss_sum_backward, flat(operand.grad))


def takes(function, argument) -> bool:
    """Whether a function has an argument of this name, or takes any."""
    parameters = inspect.signature(function).parameters
    return argument in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def build_arguments(layer, args, kwargs):
    """What a layer's `build` is given, as Keras does it.

    Args:
        layer: The layer.
        args: Positional arguments of its call, with full shapes in the places of tensors.
        kwargs: The same for arguments by name.

    Returns:
        `(args, kwargs)` for `build`: the shapes of the first argument of `call`; by the names `<argument>_shape` if
        `build` has several arguments.
    """
    bound = inspect.signature(layer.call).bind_partial(*args, **kwargs).arguments
    shapes = {}
    for name, value in bound.items():
        if any(isinstance(leaf, Shape) for leaf in flatten(value)):
            shapes[name] = pack(value, [tuple(leaf) if isinstance(leaf, Shape) else None for leaf in flatten(value)])
    parameters = inspect.signature(layer.build).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return list(shapes.values()), {}
    wanted = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
    if len(wanted) > 1:
        return [], {name: shapes.get(name.removesuffix("_shape")) for name in wanted}
    return list(shapes.values())[: len(wanted)], {}


class Shape:
    """A full shape that is one leaf of a structure, as a plain tuple is not."""

    def __init__(self, shape):
        self.shape = tuple(shape)

    def __iter__(self):
        return iter(self.shape)


class Native:
    """A layer's own kernels, as an overriding `call` reaches them by `super().call(x)`.

    Args:
        layer: The layer.
    """

    trainable = True

    def __init__(self, layer):
        self.layer = layer
        self.name = layer.name
        self._inbound_nodes = []

    @property
    def graph_version(self):
        return self.layer.graph_version

    def output_shapes(self, input_shapes, arguments=None) -> list:
        """Full shapes of all outputs."""
        return self.layer.native_shapes(input_shapes)

    def lower_into(self, plan, operands, arguments=None) -> list:
        """Writes the kernels into a plan."""
        return self.layer.lower_native(plan, operands)

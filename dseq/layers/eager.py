"""Layers called on arrays: the layer is written into a plan of its own, and that runs at once."""

import numpy as np

from dseq.program import seeds
from dseq.program.graph import Arguments
from dseq.program.plan import PER_ROW_SCALE, Plan
from dseq.program.recent import Recent
from dseq.program.step import Step
from dseq.program.structure import flatten, form, pack
from dseq.program.tensor import Tensor


class Eager:
    """What a layer needs to compute on arrays: one bound step for each kind of input.

    Args:
        layer: The layer.
    """

    def __init__(self, layer):
        self._layer = layer
        self._steps = Recent()

    def clear(self) -> None:
        """Forgets all steps, as after a change of the layers inside."""
        self._steps.clear()

    def __call__(self, args, kwargs):
        """Applies the layer.

        Args:
            args: Positional arguments, arrays among them.
            kwargs: Arguments by name.

        Returns:
            An array, or a structure of arrays.
        """
        layer = self._layer
        arguments = Arguments(map(_as_data, args), {k: _as_data(v) for k, v in kwargs.items()}, _is_data)
        arrays = [np.asarray(x) for x in arguments.data]
        for x in arrays:
            if x.ndim == 0:
                raise ValueError(f"Layer {layer.name!r} takes arrays with a batch axis. Received: a number, {x}")
        if not arrays:
            raise ValueError(f"Layer {layer.name!r} takes arrays or symbolic tensors. Received: {args}, {kwargs}")
        lengths = [len(x) for x in arrays]
        layer._build_for(arguments, [x.shape for x in arrays])
        if len(set(lengths)) > 1:
            raise ValueError(f"All inputs of {layer.name!r} must have the same number of samples. Received: {lengths}")
        training = bool(kwargs.get("training"))
        kinds = tuple((x.shape[1:], _kind(x, layer)) for x in arrays)
        key = layer.graph_state, training, kinds, form(arguments.form), arguments.constants
        made = self._steps.get_or_make(key, lambda: self._make(arguments, arrays, kinds, training))
        plan, step, outputs, structure = made
        step.bind(lengths[0])
        for i, x in enumerate(arrays):
            step.input(f"x{i}")[...] = x
        if PER_ROW_SCALE in plan.scales:
            step.set_scale(PER_ROW_SCALE, 1 / max(lengths[0], 1))
        if training or plan.streams:
            step.clock[0] = seeds.next_seed()  # every call draws anew
        step.compute()
        step.settle()
        for operand, message in plan.faults:
            if step.tail[operand.start] != 0:
                raise ValueError(message)
        layer._losses = [step.tail[o.start] / (lengths[0] if each else 1) for o, each in plan.penalties]
        return pack(structure, [step.array(outputs[i]).copy() for i in flatten(structure)])

    def _make(self, arguments, arrays, kinds, training):
        layer = self._layer
        tensors = [Tensor(x.shape, dtype) for x, (_, dtype) in zip(arrays, kinds, strict=True)]
        call = arguments.filled(tensors)
        layer.output_shapes([x.shape for x in arrays], call)  # each layer inside checks what it gets
        plan = Plan(training, layer.dtype)
        plan.augments = training or call[1].get("training") is None
        plan.regularized = False  # `losses` computes what depends on weights alone
        operands = [plan.input(f"x{i}", shape, dtype) for i, (shape, dtype) in enumerate(kinds)]
        outputs = layer.lower_into(plan, operands, call)
        structure = layer.output_structure(operands, call, training, len(outputs))
        return plan, Step(plan, keep=outputs), outputs, structure


def _as_data(value):
    """Nested lists of numbers become one array, as arrays given as such are."""
    if isinstance(value, list | tuple) and value and all(_is_number(leaf) for leaf in flatten(value)):
        return np.asarray(value)
    return value


def _is_number(value):
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _is_data(leaf):
    return isinstance(leaf, np.ndarray) or (hasattr(leaf, "__array__") and np.ndim(leaf) > 0)


def _kind(array, layer):
    """The type of an input block: integers stay what they are, floats become the layer's."""
    return layer.dtype if array.dtype.kind not in "iub" else array.dtype.name

"""How a layer is called: on symbolic tensors, which leaves a node in a graph, or on arrays, which computes."""

import inspect

import numpy as np

from dseq.layers.building import name_scope
from dseq.layers.tracing import Native, Shape, Trace, build_arguments
from dseq.layers.weights import WeightHolder
from dseq.program.graph import Arguments
from dseq.program.structure import flatten, form, pack
from dseq.program.tensor import Node, Tensor


class Calling(WeightHolder):
    """The part of a layer that is called."""

    def call(self, *inputs):
        """What the layer computes. Layers made of other layers override it; it is called with symbolic tensors.

        Args:
            *inputs: What the layer is called with; `training` too if `call` has an argument of that name.

        Returns:
            A tensor, or a structure of tensors.
        """
        arguments = Arguments(inputs, {})
        shapes = Native(self).output_shapes([t.shape for t in arguments.data])
        outputs = [Tensor(shape, self.dtype) for shape in shapes]
        Node(Native(self), arguments.data, outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    @property
    def _is_traced(self) -> bool:
        return type(self).call is not Calling.call

    def __call__(self, *args, training=None, mask=None, **kwargs):
        """Applies the layer.

        Args:
            *args: Symbolic tensors, then the result is symbolic; or arrays with the batch axis first, then the layer is
                built if need be and computes. They may stand in lists, tuples and dicts.
            training: Whether layers behave as in training; what the model around does if None, and False if there is
                none.
            mask: Must be None.
            **kwargs: Further arguments of `call`, tensors among them.

        Returns:
            A symbolic tensor, or a NumPy array; or a structure of them.
        """
        if mask is not None:
            raise ValueError(f"`mask` of {self.name!r} must be None. Received: mask={mask!r}")
        if training is not None:
            kwargs["training"] = training
        symbolic = Arguments(args, kwargs)
        if symbolic.data:
            return self._record(symbolic)
        with self._lock:
            return self._eager(args, kwargs)

    def _record(self, arguments):
        arrays = [x for x in arguments.leaves if isinstance(x, np.ndarray) and x.ndim]
        if arrays and not self._is_traced:
            raise ValueError(
                f"Layer {self.name!r} was called on symbolic tensors and arrays at once. Received: {arguments.leaves}"
            )
        tensors = arguments.data
        self._build_for(arguments, [t.shape for t in tensors])
        if self._is_traced:
            kinds = [(t.shape, t.dtype, t.shared) for t in tensors]
            trace = self._trace(arguments, kinds, bool(arguments.form[1].get("training")))
            shapes = trace.output_shapes(kinds)
            outputs = [Tensor(s, t.dtype, shared=t.shared) for s, t in zip(shapes, trace.outputs, strict=True)]
            structure = trace.structure
        else:
            shapes = self.output_shapes([t.shape for t in tensors])
            kinds = self.output_kinds(len(shapes))
            outputs = [Tensor(s, dtype, shared=shared) for s, (dtype, shared) in zip(shapes, kinds, strict=True)]
            structure = self.output_structure(count=len(outputs))
        Node(self, tensors, outputs, arguments.form, structure)
        return pack(structure, [outputs[i] for i in flatten(structure)])

    def _build_for(self, arguments, shapes):
        """Builds the layer for a call if it is not built; checks the shapes in any case.

        Args:
            arguments: The `Arguments` of the call.
            shapes: Full shape of each datum among them.
        """
        if len(shapes) > 1 and not self._is_traced:
            self._check_number(shapes)
        if not self.built:
            if self._is_traced:
                given = build_arguments(self, *arguments.filled(map(Shape, shapes)))
                with name_scope(self.name, self):
                    self.build(*given[0], **given[1])
            else:
                self.build(*shapes)
            self.built = True
        for index, shape in enumerate(shapes):
            self.check_input(shape, index)

    def _check_number(self, shapes):
        """Raises if a layer that owns kernels gets more inputs than it takes."""
        plan, *inputs = inspect.signature(self.lower).parameters.values()
        if len(shapes) > len(inputs) and not any(p.kind is p.VAR_POSITIONAL for p in inputs):
            raise ValueError(
                f'Layer "{self.name}" expects {len(inputs)} input(s), but it received {len(shapes)} input tensors. '
                f"Received: shapes {[tuple(shape) for shape in shapes]}"
            )

    def _trace(self, arguments, kinds, training):
        """The graph that `call` leaves for these arguments; made once.

        Args:
            arguments: The `Arguments` of the call.
            kinds: Full shape, type and sharedness of each datum among them.
            training: Whether it is to behave as in training.
        """
        # The number of samples is known when data come: what `call` sees of it is None, with every batch.
        kinds = tuple((s if shared else (None, *s[1:]), dtype, shared) for s, dtype, shared in kinds)
        key = form(arguments.form), arguments.constants, kinds, training
        known = self._traces.get((*key, self.graph_state))
        if known is not None:
            return known
        with name_scope(self.name, self):
            trace = Trace(self, arguments, kinds, training)
        # The state now: layers inside may have been built only by this call.
        return self._traces.get_or_make((*key, self.graph_state), lambda: trace)

    def _trace_for(self, operands, arguments, training):
        shapes = [x.shape if x.arena == "shared" else (None, *x.shape) for x in operands]
        kinds = [(s, x.dtype, x.arena == "shared") for s, x in zip(shapes, operands, strict=True)]
        return self._trace(arguments_of(arguments, shapes), kinds, training)

    def output_kinds(self, count) -> list:
        """Type and sharedness of each output of a layer that owns kernels."""
        return [(self.dtype, False)] * count

    def output_structure(self, operands=None, arguments=None, training=False, count=1):
        """The form in which outputs are returned, as a structure of their numbers.

        Args:
            operands: List of operands of the inputs.
            arguments: `(args, kwargs)` of the call.
            training: Whether it behaves as in training.
            count: The number of outputs.
        """
        if self._is_traced:
            return self._trace_for(operands, arguments, training).structure
        return 0 if count == 1 else list(range(count))

    # The graph around the layer.

    def _node(self, what):
        if not self._inbound_nodes:
            raise AttributeError(
                f"Layer {self.name!r} has no defined {what}: it was never called on a symbolic tensor."
            )
        return self._inbound_nodes[0]

    @property
    def input(self):
        """The symbolic tensor (or structure of them) of the layer's first call."""
        node = self._node("input")
        if node.arguments and len(node.arguments[0]) == 1 and len(node.arguments[1]) == 0:
            return node.arguments[0][0]
        return node.inputs[0] if len(node.inputs) == 1 else list(node.inputs)

    @property
    def output(self):
        """The symbolic tensor (or structure of them) its first call gave."""
        node = self._node("output")
        if node.structure is not None:
            return pack(node.structure, [node.outputs[i] for i in flatten(node.structure)])
        return node.outputs[0] if len(node.outputs) == 1 else list(node.outputs)


def arguments_of(arguments, shapes):
    """The `Arguments` of a call; of one without anything but its inputs if None."""
    if arguments is None:
        arguments = tuple(Tensor(shape) for shape in shapes), {}
    return Arguments(*arguments)

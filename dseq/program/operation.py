"""The base of operations: nodes of a graph that are no layers, as `a + b` and the functions of `dseq.ops`."""

from dseq.program.naming import auto_name, snake_case
from dseq.program.tensor import Node, Tensor


class Operation:
    """One call of a function on symbolic tensors; weights and constants it also needs are its own attributes.

    A subclass sets `variables` to the weights it reads, and implements `result` and `lower`.

    Args:
        name: Name, unique in a model; made from the class' name if None.
    """

    graph_version = 0
    trainable = True
    variables = ()

    def __init__(self, name=None):
        self.name = name or auto_name(snake_case(type(self).__name__))
        self._inbound_nodes = []

    def __call__(self, *tensors):
        """Records the call.

        Args:
            *tensors: The symbolic tensors it takes, in the order in which `result` and `lower` get them.

        Returns:
            The symbolic tensor it makes, or a list of them.
        """
        return self.record(tensors)

    def record(self, tensors, arguments=None):
        """Makes the node of a call.

        Args:
            tensors: The symbolic tensors it takes.
            arguments: `(args, kwargs)` of the call as the user wrote it, if there was more than those.

        Returns:
            The symbolic tensor it makes, or a list of them.
        """
        results = self.result(*((t.shape, t.shared) for t in tensors))
        many = isinstance(results, list)
        outputs = [
            Tensor(shape, dtype or self.dtype_of(tensors), shared=shared)
            for shape, shared, dtype in (results if many else [results])
        ]
        self._node = Node(self, tensors, outputs, arguments)
        return outputs if many else outputs[0]

    def dtype_of(self, tensors) -> str:
        """The type of the result where `result` leaves it open: that of the first input."""
        return tensors[0].dtype if tensors else self.variables[0].dtype

    def result(self, *inputs):
        """What comes out.

        Args:
            *inputs: `(shape, shared)` of each tensor; shapes are full, with the batch axis unless shared.

        Returns:
            `(shape, shared, type or None)`, or a list of such.
        """
        raise NotImplementedError

    def lower(self, plan, *inputs):
        """Appends the kernels to a plan.

        Args:
            plan: The `Plan`.
            *inputs: Operands, in the plan's float type unless `takes_any_type`.

        Returns:
            The operand of the result, or a list of them.
        """
        raise NotImplementedError

    # What a graph asks of its members, layers and operations alike.

    takes_any_type = False

    def output_shapes(self, input_shapes, arguments=None) -> list:
        """Full shapes of the results for full shapes of the inputs."""
        shared = [t.shared for t in self._node.inputs]
        results = self.result(*zip(input_shapes, shared, strict=True))
        return [shape for shape, _, _ in (results if isinstance(results, list) else [results])]

    def lower_into(self, plan, operands, arguments=None) -> list:
        """Writes the operation into a plan under its own name; returns the operands of its results."""
        if not self.takes_any_type:
            operands = [plan.floats(x) for x in operands]
        before = plan.enter(self.name, self.variables, operands)
        outputs = self.lower(plan, *operands)
        plan.leave(before)
        return outputs if isinstance(outputs, list) else [outputs]

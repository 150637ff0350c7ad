"""Symbolic tensors, the nodes that make them, and the order in which a graph runs."""

from dseq.program.naming import auto_name


class Tensor:
    """What calling a layer on a symbolic tensor returns: a shape, a type, and where it comes from.

    Args:
        shape: Full shape, the batch axis first; None for a size that data will give.
        dtype: Name of its type.
        name: A name for messages.

    Attributes:
        node: The `Node` that makes it.
        index: Its position among the node's outputs.
    """

    def __init__(self, shape, dtype="float32", name=None):
        self.shape = tuple(shape)
        self.dtype = dtype
        self.name = name or auto_name("keras_tensor")
        self.node = None
        self.index = 0

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self):
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    def __array__(self, *args, **kwargs):
        raise TypeError(
            f"A symbolic tensor has no values; make a model of it and call that on data. Received: {self!r}"
        )

    def __bool__(self):
        raise TypeError("A symbolic tensor has no truth value.")


class Node:
    """One call of a layer: the tensors it took and the tensors it made.

    Args:
        layer: The layer that was called.
        inputs: List of `Tensor`; empty for an input.
        outputs: List of `Tensor`, which are told where they come from.
    """

    def __init__(self, layer, inputs, outputs):
        self.layer = layer
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        for index, tensor in enumerate(outputs):
            tensor.node, tensor.index = self, index
        layer._inbound_nodes.append(self)

    @property
    def parents(self):
        return [tensor.node for tensor in self.inputs]


def sort_graph(inputs, outputs):
    """The nodes between inputs and outputs in running order, and their layers in Keras' order.

    Keras orders layers by decreasing depth, the longest way to an output; ties by a walk from the outputs that
    numbers a layer when it first meets it. Weights files depend on that order.

    Args:
        inputs: List of `Tensor` where the graph begins.
        outputs: List of `Tensor` where it ends.

    Returns:
        `(nodes, layers)`.

    Raises:
        ValueError: If an output needs a tensor that does not come from the inputs.
    """
    begin = {id(tensor) for tensor in inputs}
    begin_nodes = {id(tensor.node) for tensor in inputs}
    order, finished, first_met = [], set(), {}

    for output in outputs:
        stack = [(output.node, False)]
        while stack:  # an explicit stack: towers are deeper than Python's recursion limit
            node, done = stack.pop()
            if done:
                order.append(node)
                continue
            if id(node) in finished:
                continue
            finished.add(id(node))
            first_met.setdefault(id(node.layer), len(first_met))
            stack.append((node, True))
            if id(node) in begin_nodes and all(id(t) in begin for t in node.outputs):
                continue
            if not node.inputs:
                raise ValueError(
                    f"The output of a model must come from its inputs alone. Received: an output that also needs "
                    f"{node.layer.name!r}, which is not among inputs={[t.name for t in inputs]}."
                )
            stack += [(tensor.node, False) for tensor in reversed(node.inputs)]

    node_depth, layer_depth, layers = {}, {}, {}
    for node in reversed(order):
        depth = max(node_depth.get(id(node), 0), layer_depth.get(id(node.layer), 0))
        node_depth[id(node)] = layer_depth[id(node.layer)] = depth
        layers[id(node.layer)] = node.layer
        if id(node) not in begin_nodes:
            for parent in node.parents:
                node_depth[id(parent)] = max(depth + 1, node_depth.get(id(parent), 0))
    for tensor in inputs:
        layer = tensor.node.layer
        if id(layer) not in layers:
            layers[id(layer)], layer_depth[id(layer)], first_met[id(layer)] = layer, 0, -1
    ranked = sorted(layers.values(), key=lambda layer: (-layer_depth[id(layer)], first_met[id(layer)]))
    nodes = [node for node in order if id(node) not in begin_nodes]
    return nodes, ranked

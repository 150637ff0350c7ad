"""Graphs of layers and operations: their order, their shapes, and how they are written into a plan."""

from dseq.program.recent import constant_key
from dseq.program.structure import flatten, pack
from dseq.program.tensor import Tensor


class Graph:
    """What lies between symbolic inputs and outputs.

    Args:
        inputs: List of `Tensor` where it begins.
        outputs: List of `Tensor` where it ends.
        stand_in: As for `sort_graph`.

    Attributes:
        nodes: Calls in running order.
        members: Layers and operations in Keras' order.

    Raises:
        ValueError: If an output needs a tensor that does not come from the inputs.
    """

    def __init__(self, inputs, outputs, stand_in=None):
        self.inputs, self.outputs = list(inputs), list(outputs)
        self.nodes, self.members = sort_graph(self.inputs, self.outputs, stand_in)

    def output_shapes(self, input_shapes) -> list:
        """Full shapes of all outputs for full shapes of all inputs; each member checks what it gets."""
        known = {id(tensor): tuple(shape) for tensor, shape in zip(self.inputs, input_shapes, strict=True)}
        for node in self.nodes:
            shapes = node.layer.output_shapes([known[id(t)] for t in node.inputs], node.arguments)
            for tensor, shape in zip(node.outputs, shapes, strict=True):
                known.setdefault(id(tensor), shape)  # where the graph begins, what was given counts
        return [known[id(t)] for t in self.outputs]

    def lower(self, plan, operands) -> list:
        """Writes all calls into a plan.

        Args:
            plan: The `Plan`.
            operands: One for each input.

        Returns:
            One operand for each output.
        """
        known = {id(tensor): operand for tensor, operand in zip(self.inputs, operands, strict=True)}
        for node in self.nodes:
            taken = [known[id(t)] for t in node.inputs]
            made = node.layer.lower_into(plan, taken, node.arguments)
            _check_unchanged(node, taken, made)
            for tensor, operand in zip(node.outputs, made, strict=True):
                known.setdefault(id(tensor), operand)
        return [known[id(t)] for t in self.outputs]


def _check_unchanged(node, inputs, outputs):
    """Raises if a layer gives other shapes than when the graph was made, as a model inside does that was changed."""
    if any(_sample(t) != x.shape for x, t in zip(inputs, node.inputs, strict=True)):
        return  # other shapes came in, so others may come out
    before, now = [_sample(t) for t in node.outputs], [y.shape for y in outputs]
    fits = len(before) == len(now) and all(
        len(a) == len(b) and all(m in (None, n) for m, n in zip(a, b, strict=True))
        for a, b in zip(before, now, strict=True)
    )
    if not fits:
        raise ValueError(
            f"A model inside another must keep the shape of its output. Received: {node.layer.name!r} gives samples of "
            f"shape {now} and gave {before} when the model around it was made. Make that model again."
        )


def _sample(tensor):
    """The shape a tensor's operand has."""
    return tensor.shape if tensor.shared else tensor.shape[1:]


class Arguments:
    """What a layer is called with: data, symbolic or not, anywhere in structures of other values.

    Args:
        args: Positional arguments.
        kwargs: Arguments by name.
        is_data: Function that tells data from constants.

    Attributes:
        data: List of the data.
    """

    def __init__(self, args, kwargs, is_data=lambda leaf: isinstance(leaf, Tensor)):
        self.form = tuple(args), dict(kwargs)
        self.leaves = flatten(self.form)
        self.places = [i for i, leaf in enumerate(self.leaves) if is_data(leaf)]
        self.data = [self.leaves[i] for i in self.places]

    @property
    def constants(self) -> tuple:
        """Keys of all leaves that are no data."""
        places = set(self.places)
        return tuple(constant_key(leaf) for i, leaf in enumerate(self.leaves) if i not in places)

    def filled(self, data):
        """`(args, kwargs)` with other data in the places of these."""
        leaves = list(self.leaves)
        for place, item in zip(self.places, data, strict=True):
            leaves[place] = item
        return pack(self.form, leaves)


class _Start:
    """Where a graph begins: data come in as one tensor."""

    def __init__(self, layer):
        self.layer = layer
        self.inputs = []


def sort_graph(inputs, outputs, stand_in=None):
    """The nodes between inputs and outputs in running order, and their layers in Keras' order.

    Keras orders layers by decreasing depth, the longest way to an output; ties by a walk from the outputs that
    numbers a layer when it first meets it. Weights files depend on that order.

    Args:
        inputs: List of `Tensor` where the graph begins.
        outputs: List of `Tensor` where it ends.
        stand_in: Function that gives the input layer for an input that some other layer made.

    Returns:
        `(nodes, layers)`.

    Raises:
        ValueError: If an output needs a tensor that does not come from the inputs.
    """
    starts = {id(tensor): _Start(_input_layer(tensor, stand_in)) for tensor in inputs}
    order, finished, first_met = [], set(), {}

    def source(tensor):
        node = starts.get(id(tensor), tensor.node)
        if node is None:
            raise ValueError(
                f"A layer's `call` must compute from its own arguments. Received: {tensor!r}, which belongs to another "
                "call."
            )
        return node

    for output in outputs:
        stack = [(source(output), False)]
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
            if isinstance(node, _Start):
                continue
            if node.is_input:
                raise ValueError(
                    f"The output of a model must come from its inputs alone. Received: an output that also needs "
                    f"{node.layer.name!r}, which is not among inputs={[t.name for t in inputs]}."
                )
            stack += [(source(tensor), False) for tensor in reversed(node.inputs)]

    node_depth, layer_depth, layers = {}, {}, {}
    for node in reversed(order):
        depth = max(node_depth.get(id(node), 0), layer_depth.get(id(node.layer), 0))
        node_depth[id(node)] = layer_depth[id(node.layer)] = depth
        layers[id(node.layer)] = node.layer
        for parent in map(source, node.inputs):
            node_depth[id(parent)] = max(depth + 1, node_depth.get(id(parent), 0))
    for start in starts.values():
        if id(start.layer) not in layers:
            layers[id(start.layer)], layer_depth[id(start.layer)], first_met[id(start.layer)] = start.layer, 0, -1
    layers.pop(id(None), None)  # a trace begins with no layer
    ranked = sorted(layers.values(), key=lambda layer: (-layer_depth[id(layer)], first_met[id(layer)]))
    return [node for node in order if not isinstance(node, _Start)], ranked


def _input_layer(tensor, stand_in):
    if tensor.node is not None and tensor.node.is_input:
        return tensor.node.layer
    return stand_in(tensor) if stand_in else None

"""Symbolic tensors and the nodes that make them.

`dseq.program.graph` has the order in which a graph runs.
"""

import threading
from contextlib import contextmanager

from dseq.program.naming import auto_name


class Operators(dict):
    """Functions by operator ("add", "getitem"), put here by `dseq.ops`: floors below do not know those above.

    Attributes:
        load: Function that imports those who put them here, when the first is asked for; None once it was called.
    """

    load = None

    def __missing__(self, name):
        if self.load is None:
            raise TypeError(f"Symbolic tensors have no operator {name!r}.")
        load, self.load = self.load, None
        load()
        return self[name]


operators = Operators()


class _Tracing(threading.local):
    depth = 0


_tracing = _Tracing()


def is_tracing() -> bool:
    """Whether a layer's `call` is being written down in this thread: operations on weights are symbolic then."""
    return _tracing.depth > 0


@contextmanager
def tracing():
    """Inside, operations on weights give symbolic tensors, not numbers."""
    _tracing.depth += 1
    try:
        yield
    finally:
        _tracing.depth -= 1


@contextmanager
def lasting():
    """Inside, graphs are made that last, as outside of any `call`: a model that builds itself when first called."""
    before, _tracing.depth = _tracing.depth, 0
    try:
        yield
    finally:
        _tracing.depth = before


class Tensor:
    """What calling a layer on a symbolic tensor returns: a shape, a type, and where it comes from.

    Args:
        shape: Full shape, the batch axis first; None for a size that data will give.
        dtype: Name of its type.
        name: A name for messages.
        shared: True for a value that belongs to no sample, as a sum over the batch or a function of weights: its shape
            then has no batch axis.

    Attributes:
        node: The `Node` that makes it.
        index: Its position among the node's outputs.
    """

    def __init__(self, shape, dtype="float32", name=None, shared=False):
        self.shape = tuple(shape)
        self.dtype = dtype
        self.name = name or auto_name("keras_tensor")
        self.shared = shared
        self.node = None
        self.index = 0

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self):
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    def __array__(self, *args, **kwargs):
        raise TypeError(
            "A symbolic tensor has no values, so NumPy can't work with it. Use the functions of `dseq.ops`; or make a "
            f"model of it and call that on data. Received: {self!r}"
        )

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        # Here end operators with an array on the left; any other function is one called by name.
        if method == "__call__" and ufunc.__name__ in UFUNCS and not kwargs:
            return operators[UFUNCS[ufunc.__name__]](*inputs)
        raise _no_numpy(ufunc, self)

    def __array_function__(self, function, types, args, kwargs):
        raise _no_numpy(function, self)

    def __bool__(self):
        raise TypeError(
            "A symbolic tensor has no truth value: Python's `if`, `and` and `while` cannot depend on data. "
            f"Use `dseq.ops.where`. Received: {self!r}"
        )

    def __len__(self):
        raise TypeError(f"The length of a symbolic tensor is known when data come. Received: {self!r}")

    def __iter__(self):
        raise TypeError(f"Iterating over a symbolic tensor is not possible. Use `dseq.ops.unstack`. Received: {self!r}")


UFUNCS = {
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "truediv",
    "floor_divide": "floordiv",
    "remainder": "mod",
    "power": "pow",
    "matmul": "matmul",
    "bitwise_and": "and",
    "bitwise_or": "or",
    "bitwise_xor": "xor",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
    "not_equal": "ne",
}


def _no_numpy(function, tensor):
    name = function.__name__
    return TypeError(
        f"`np.{name}` works on values, which a symbolic tensor does not have. Use `dseq.ops.{name}` or others of "
        f"`dseq.ops`. Received: {tensor!r}"
    )


def operator_method(name, reflected=False):
    """A method that leaves an operator to the function of that name in `operators`."""

    def operate(self, *others):
        function = operators[name]
        return function(*others, self) if reflected else function(self, *others)

    return operate


BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor")
for _name in BINARY:
    setattr(Tensor, f"__{_name}__", operator_method(_name))
    setattr(Tensor, f"__r{_name}__", operator_method(_name, reflected=True))
for _name in ("neg", "abs", "invert", "getitem", "lt", "le", "gt", "ge", "ne"):
    setattr(Tensor, f"__{_name}__", operator_method(_name))


class Node:
    """One call of a layer or operation: the tensors it took and the tensors it made.

    Args:
        layer: What was called.
        inputs: List of `Tensor`; empty for an input.
        outputs: List of `Tensor`, which are told where they come from.
        arguments: `(args, kwargs)` of the call with the tensors in them, if there was more than those.
        structure: The form in which the outputs were returned: leaves are numbers of `outputs`.
    """

    def __init__(self, layer, inputs, outputs, arguments=None, structure=None):
        self.layer = layer
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.arguments = arguments
        self.structure = structure
        for index, tensor in enumerate(outputs):
            tensor.node, tensor.index = self, index
        if not is_tracing():  # calls inside a layer's `call` are that layer's own business
            layer._inbound_nodes.append(self)

    @property
    def is_input(self) -> bool:
        """Whether data enter the graph here."""
        return getattr(self.layer, "is_input", False)

    @property
    def parents(self):
        return [tensor.node for tensor in self.inputs]

"""The base of all operations of `dseq.ops`: told by their arguments whether to compute or to become part of a graph."""

from typing import NamedTuple

import numpy as np

from dseq.ops.types import exactly, type_of
from dseq.program.operation import Operation
from dseq.program.structure import map_structure
from dseq.program.tensor import Tensor, is_tracing
from dseq.program.variable import Variable

# Operations by the name of their class, which files know them by.
OPERATIONS = {}


class Spec(NamedTuple):
    """What is known of a value before it is computed.

    Attributes:
        shape: Its full shape: with the batch axis, unless it is shared.
        dtype: The name of its type, `"int"` or `"float"` for numbers of Python's.
        shared: Whether it belongs to no sample.
        value: The value itself, if it is a constant.
    """

    shape: tuple
    dtype: str
    shared: bool = True
    value: object = None

    @property
    def ndim(self):
        return len(self.shape)


class Literal:
    """A constant on its way into a plan: its type follows from what it meets.

    Args:
        value: An array or number.
    """

    arena, per_row, grad, mask = "constants", False, None, None

    def __init__(self, value):
        self.given = value
        self.value = exactly(value)
        self.dtype = type_of(value)
        self.shape = self.value.shape

    def reshape(self, shape) -> "Literal":
        """The same with another shape."""
        view = Literal(self.value.reshape(shape))
        view.dtype = self.dtype
        return view


def spec_of(x) -> Spec:
    """What is known of an operand, a variable, a constant or a symbolic tensor."""
    if isinstance(x, Tensor):
        return Spec(x.shape, x.dtype, x.shared)
    if isinstance(x, Literal):
        return Spec(x.shape, x.dtype, True, x.value)
    return Spec((None, *x.shape), x.dtype, False) if x.per_row else Spec(tuple(x.shape), x.dtype)


def is_symbolic(values) -> bool:
    """Whether a call with these arguments must become part of a graph."""
    if any(isinstance(x, Tensor) for x in values):
        return True
    return is_tracing() and any(isinstance(x, Variable) for x in values)


class Function(Operation):
    """One function of `dseq.ops`.

    A subclass implements `compute` on arrays, `infer` on what is known of the data, and `write` on operands of a plan.

    Args:
        name: Name in a model.
        **options: What else the function is given, data apart; attributes of these names hold it.

    Attributes:
        module: Where Keras has the class of this name: files name it.
        defaults: Options and the values they have unless given.
    """

    takes_any_type = True
    module = "keras.src.ops.numpy"
    defaults = {}

    def __init_subclass__(cls, base=False, **kwargs):
        super().__init_subclass__(**kwargs)
        if not base and not cls.__name__.startswith("_"):
            OPERATIONS[cls.__name__] = cls

    def __init__(self, name=None, **options):
        super().__init__(name)
        unknown = set(options) - set(self.defaults)
        if unknown:
            raise TypeError(f"{type(self).__name__} has no options {sorted(unknown)}; it has {list(self.defaults)}.")
        self.options = {**self.defaults, **options}
        vars(self).update(self.options)

    @classmethod
    def apply(cls, *args, **options):
        """Computes, or makes a node, whichever the arguments ask for.

        Args:
            *args: Data, and what else Keras has among a call's arguments.
            **options: What Keras has among the constructor's.
        """
        if is_symbolic(cls.data(args)):
            return cls(**options)(*args)
        args = map_structure(lambda x: x.array if isinstance(x, Variable) else x, list(args))
        with np.errstate(all="ignore"):
            return cls.compute(*args, **{**cls.defaults, **options})

    @staticmethod
    def data(args) -> list:
        """Those of a call's arguments that are data: tensors, variables, arrays, numbers and lists of numbers."""
        return list(args)

    def __call__(self, *args, **kwargs):
        """Makes a node of a call with symbolic tensors.

        Returns:
            The symbolic tensor, or a list of them.
        """
        self.sources, tensors = [], []
        for item in self.data(args):
            if isinstance(item, Tensor):
                self.sources.append(len(tensors))
                tensors.append(item)
            else:
                self.sources.append(item if isinstance(item, Variable) else Literal(item))
        self.input_types = [t.dtype for t in tensors]
        self.variables = [source for source in self.sources if isinstance(source, Variable)]
        return self.record(tensors, (args, kwargs))

    def result(self, *inputs):
        known = [Spec(tuple(s), d, shared) for (s, shared), d in zip(inputs, self.input_types, strict=True)]
        specs = [known[s] if isinstance(s, int) else spec_of(s) for s in self.sources]
        made = self.infer(*specs)
        many = isinstance(made, list)
        results = [(tuple(m.shape), m.shared, m.dtype) for m in (made if many else [made])]
        return results if many else results[0]

    def lower(self, plan, *inputs):
        # A weight's gradient block belongs to it while its reader is lowered, to a view of it for longer.
        views = [s.reshape(s.shape) if isinstance(s, Variable) else s for s in self.sources]
        return self.write(plan, *[inputs[v] if isinstance(v, int) else v for v in views])

    def error(self, rule, received, remedy="", kind=ValueError):
        """An exception that names the operation."""
        text = f"`dseq.ops.{self.label()}`: {rule} Received: {received}."
        return kind(f"{text} {remedy}".strip())

    @classmethod
    def label(cls) -> str:
        """What users call the function."""
        return getattr(cls, "function_name", cls.__name__.lower())

    # What each function says of itself.

    @staticmethod
    def compute(*args, **options):
        """The function of arrays and numbers."""
        raise NotImplementedError

    def infer(self, *specs):
        """What comes out: a `Spec`, or a list of them.

        Args:
            *specs: One for each piece of data.
        """
        raise NotImplementedError

    def write(self, plan, *operands):
        """Appends the kernels to a plan.

        Args:
            plan: The `Plan`.
            *operands: One for each piece of data: an `Operand`, a `Variable` or a `Literal`.

        Returns:
            The operand of the result, or a list of them.
        """
        raise NotImplementedError

    def get_config(self) -> dict:
        """The options as Keras writes them, from which `from_config` makes an equal operation."""
        return {"name": self.name, **self.options}

    @classmethod
    def from_config(cls, config):
        """An operation with these options; call it with the data."""
        return cls(**config)

"""Functions of two arguments, element by element, that broadcast: arithmetic, comparisons, logic."""

import numpy as np

from dseq.kernels import binary, elementwise
from dseq.ops.broadcasting import broadcast_specs, paired, sample_shape
from dseq.ops.elementwise import unary
from dseq.ops.function import Function, Literal, Spec
from dseq.ops.reading import as_type, read, untouched, value
from dseq.ops.types import exactly, float_type, is_float, result_type, type_of
from dseq.program.operand import flat


class _Binary(Function):
    """A function of two arguments, element by element.

    Attributes:
        numpy: The function of arrays.
        kernels: `(forward, first, second)`, the latter None where no gradient flows.
        whole: The forward kernel for integers; the same if None.
        gives: `"common"` for the type in which both meet, `"float"` for a float type, `"bool"`.
        takes: The type both are brought to, if it is not that in which they meet.
    """

    numpy = None
    kernels = None, None, None
    whole = None
    gives = "common"
    takes = None

    @classmethod
    def meeting(cls, a, b):
        """The type in which to compute, for those of the arguments."""
        if cls.takes:
            return cls.takes
        return float_type(a, b) if cls.gives == "float" else result_type(a, b)

    @classmethod
    def compute(cls, x1, x2):
        dtype = cls.meeting(type_of(x1), type_of(x2))
        return cls.numpy(exactly(x1).astype(dtype), exactly(x2).astype(dtype))

    def infer(self, a, b):
        shape, shared = broadcast_specs(self, a, b)
        return Spec(shape, "bool" if self.gives == "bool" else self.meeting(a.dtype, b.dtype), shared)

    def write(self, plan, a, b):
        dtype = self.meeting(a.dtype, b.dtype)
        a, b = as_type(plan, a, dtype), as_type(plan, b, dtype)
        forward, first, second = self.kernels
        if self.whole is not None and not is_float(dtype):
            forward = self.whole
        return pair(plan, self, (forward, first, second), a, b, "bool" if self.gives == "bool" else dtype)


def pair(plan, operation, kernels, a, b, dtype):
    """Writes a function of two operands of one type into a plan.

    Args:
        plan: The plan.
        operation: The `Function`, for messages.
        kernels: `(forward, first, second)` as in `dseq.kernels.binary`.
        a: The first operand.
        b: The second.
        dtype: Type of the result.

    Returns:
        The operand of the result.
    """
    forward, first, second = kernels
    shape, per_row = sample_shape((a, b), operation)
    a, b = read(plan, a, per_row), read(plan, b, per_row)
    a, b, length, left, right = paired(plan, shape, per_row, a, b)
    if first is not None:
        y = value(plan, "y", shape, dtype, not per_row)
    else:
        y = untouched(plan, "y", shape, not per_row, plan.dtype if is_float(dtype) else dtype)
    plan.forward(forward, flat(y), flat(a), flat(b), length, *left, *right)
    if y.grad is not None:
        plan.backward(first, flat(a.grad), flat(y.grad), flat(a), flat(b), length, *left, *right)
        plan.backward(second, flat(b.grad), flat(y.grad), flat(b), flat(a), length, *right, *left)
    return y


def _make(name, class_name, numpy, kernels, text, bases=(_Binary,), **members):
    """A function of `dseq.ops` and, behind it, the class of its operation."""
    members |= {"__doc__": text, "numpy": staticmethod(numpy), "kernels": kernels, "function_name": name}
    if "whole" in members:
        members["whole"] = staticmethod(members["whole"])  # a plain function where nothing is compiled
    operation = type(class_name, bases, members)

    def function(x1, x2):
        return operation.apply(x1, x2)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"{text}\n\n    Args:\n        x1: Tensor, variable, array or number.\n"
        "        x2: The same; shapes broadcast.\n    "
    )
    function.operation = operation
    return function


class _Powers(_Binary):
    """A power; frequent constant exponents have kernels of their own."""

    known = {
        2.0: (elementwise.square_forward, elementwise.square_backward),
        3.0: (elementwise.cube_forward, elementwise.cube_backward),
        0.5: (elementwise.sqrt_forward, elementwise.sqrt_backward),
        -0.5: (elementwise.rsqrt_forward, elementwise.rsqrt_backward),
        -1.0: (elementwise.reciprocal_forward, elementwise.reciprocal_backward),
    }

    def write(self, plan, a, b):
        constant = isinstance(b, Literal) and b.value.size == 1 and len(b.shape) <= len(a.shape)
        dtype = self.meeting(a.dtype, b.dtype)
        if constant and is_float(dtype) and not isinstance(a, Literal):
            exponent = float(b.value.ravel()[0])
            if exponent == 1.0:
                return as_type(plan, a, dtype)
            if exponent in self.known:
                return unary(plan, *self.known[exponent], as_type(plan, a, dtype))
        return super().write(plan, a, b)


_b = binary
_both = (_b.pass_either, _b.pass_either)
_none = (None, None)
add = _make("add", "Add", np.add, (_b.add_forward, *_both), "x1 + x2")
subtract = _make(
    "subtract", "Subtract", np.subtract, (_b.subtract_forward, _b.pass_either, _b.negate_second), "x1 - x2"
)
multiply = _make(
    "multiply", "Multiply", np.multiply, (_b.multiply_forward, _b.multiply_either, _b.multiply_either), "x1 * x2"
)
_divided = (_b.divide_forward, _b.divide_first, _b.divide_second)
divide = _make("divide", "Divide", np.divide, _divided, "x1 / x2; integers give floats.", gives="float")
true_divide = _make("true_divide", "TrueDivide", np.divide, _divided, "x1 / x2; integers give floats.", gives="float")
floor_divide = _make(
    "floor_divide",
    "FloorDivide",
    np.floor_divide,
    (_b.floor_divide_forward, *_none),
    "The whole number below x1 / x2; no gradient.",
    whole=_b.whole_floor_divide_forward,
)
mod = _make(
    "mod",
    "Mod",
    np.mod,
    (_b.mod_forward, _b.pass_either, _b.mod_second),
    "The rest of x1 / x2, of the sign of x2.",
    whole=_b.whole_mod_forward,
)
power = _make(
    "power",
    "Power",
    np.power,
    (_b.power_forward, _b.power_first, _b.power_second),
    "x1 to the power of x2.",
    (_Powers,),
)
maximum = _make(
    "maximum",
    "Maximum",
    np.maximum,
    (_b.maximum_forward, _b.maximum_either, _b.maximum_either),
    "The larger of x1 and x2; where they are equal each has half of the gradient.",
)
minimum = _make(
    "minimum",
    "Minimum",
    np.minimum,
    (_b.minimum_forward, _b.minimum_either, _b.minimum_either),
    "The smaller of x1 and x2; where they are equal each has half of the gradient.",
)
arctan2 = _make(
    "arctan2",
    "Arctan2",
    np.arctan2,
    (_b.arctan2_forward, _b.arctan2_first, _b.arctan2_second),
    "The angle of the point (x2, x1).",
    gives="float",
)
equal = _make("equal", "Equal", np.equal, (_b.equal_forward, *_none), "Where x1 == x2.", gives="bool")
not_equal = _make(
    "not_equal", "NotEqual", np.not_equal, (_b.not_equal_forward, *_none), "Where x1 != x2.", gives="bool"
)
greater = _make("greater", "Greater", np.greater, (_b.greater_forward, *_none), "Where x1 > x2.", gives="bool")
greater_equal = _make(
    "greater_equal",
    "GreaterEqual",
    np.greater_equal,
    (_b.greater_equal_forward, *_none),
    "Where x1 >= x2.",
    gives="bool",
)


class _Mirrored(_Binary):
    """A comparison that is another one with its arguments exchanged."""

    def write(self, plan, a, b):
        return super().write(plan, b, a)


less = _make("less", "Less", np.less, (_b.greater_forward, *_none), "Where x1 < x2.", (_Mirrored,), gives="bool")
less_equal = _make(
    "less_equal",
    "LessEqual",
    np.less_equal,
    (_b.greater_equal_forward, *_none),
    "Where x1 <= x2.",
    (_Mirrored,),
    gives="bool",
)
_logic = {"gives": "bool", "takes": "bool"}
logical_and = _make(
    "logical_and", "LogicalAnd", np.logical_and, (_b.logical_and_forward, *_none), "Where both are true.", **_logic
)
logical_or = _make(
    "logical_or", "LogicalOr", np.logical_or, (_b.logical_or_forward, *_none), "Where one is true.", **_logic
)
logical_xor = _make(
    "logical_xor", "LogicalXor", np.logical_xor, (_b.logical_xor_forward, *_none), "Where one alone is true.", **_logic
)

"""Functions of one argument, element by element."""

import numpy as np

from dseq.kernels import activation, elementwise, rounding, trigonometry
from dseq.ops.function import Function, Spec
from dseq.ops.reading import as_type, read, untouched, value
from dseq.ops.types import as_array, float_type, result_type, type_of
from dseq.program.operand import flat


class _Elementwise(Function):
    """A function of one argument, element by element.

    Attributes:
        numpy: The function of arrays.
        kernels: `(forward, backward)`; the second is None where no gradient flows.
        gives: `"float"` if integers become floats, `"same"` if they stay, `"bool"`.
        keeps_integers: Whether integers come out as they are.
    """

    numpy = None
    kernels = None, None
    gives = "float"
    keeps_integers = False

    @classmethod
    def compute(cls, x):
        x = as_array(x)
        if cls.gives == "float":
            x = x.astype(float_type(type_of(x)))
        return cls.numpy(x)

    def infer(self, x):
        if self.gives == "bool":
            return x._replace(dtype="bool", value=None)
        rule = float_type if self.gives == "float" else result_type
        return Spec(x.shape, rule(x.dtype), x.shared)

    def write(self, plan, x):
        whole = np.dtype(x.dtype).kind != "f"
        if whole and self.keeps_integers:
            return x
        forward, backward = self.kernels
        if whole and self.gives != "same" and forward is not rounding.falsehood_forward:
            x = as_type(plan, x, float_type(x.dtype))
        return unary(plan, forward, backward, x, "bool" if self.gives == "bool" else None)


def unary(plan, forward, backward, x, dtype=None):
    """Writes a function of one operand into a plan.

    Args:
        plan: The plan.
        forward: Kernel `(y, x)`.
        backward: Kernel `(dx, dy, x, y)`, or None.
        x: The operand.
        dtype: Type of the result, that of x if None.

    Returns:
        The operand of the result.
    """
    x = read(plan, x, x.per_row)
    if backward is None:
        y = untouched(plan, "y", x.shape, not x.per_row, dtype or x.dtype)
    else:
        y = value(plan, "y", x.shape, dtype or x.dtype, not x.per_row)
    plan.forward(forward, flat(y), flat(x))
    if backward is not None and y.grad is not None:
        plan.backward(backward, flat(x.grad), flat(y.grad), flat(x), flat(y))
    return y


def _make(name, class_name, numpy, kernels, text, gives="float", keeps_integers=False, module=Function.module):
    """A function of `dseq.ops` and, behind it, the class of its operation."""
    members = {
        "__doc__": text,
        "numpy": staticmethod(numpy),
        "kernels": kernels,
        "gives": gives,
        "keeps_integers": keeps_integers,
        "module": module,
        "function_name": name,
    }
    operation = type(class_name, (_Elementwise,), members)

    def function(x):
        return operation.apply(x)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{text}\n\n    Args:\n        x: Tensor, variable, array or number.\n    "
    function.operation = operation
    return function


def _erf(x):
    y = np.empty_like(np.ravel(x))
    elementwise.erf_forward(y, np.ascontiguousarray(x).ravel())
    return y.reshape(x.shape)


_e, _t, _r = elementwise, trigonometry, rounding
negative = _make("negative", "Negative", np.negative, (_e.negative_forward, _e.negative_backward), "-x", "same")
absolute = _make("absolute", "Absolute", np.abs, (_e.absolute_forward, _e.absolute_backward), "The size of x.", "same")
abs = absolute
square = _make("square", "Square", np.square, (_e.square_forward, _e.square_backward), "x * x", "same")
sqrt = _make("sqrt", "Sqrt", np.sqrt, (_e.sqrt_forward, _e.sqrt_backward), "The square root.")
rsqrt = _make(
    "rsqrt",
    "Rsqrt",
    lambda x: 1 / np.sqrt(x),
    (_e.rsqrt_forward, _e.rsqrt_backward),
    "1 / sqrt(x)",
    module="keras.src.ops.math",
)
reciprocal = _make("reciprocal", "Reciprocal", np.reciprocal, (_e.reciprocal_forward, _e.reciprocal_backward), "1 / x")
exp = _make(
    "exp", "Exp", np.exp, (activation.exponential_forward, activation.exponential_backward), "e to the power of x."
)
expm1 = _make("expm1", "Expm1", np.expm1, (_e.expm1_forward, _e.expm1_backward), "exp(x) - 1, exact for small x.")
log = _make("log", "Log", np.log, (_e.log_forward, _e.log_backward), "The natural logarithm.")
log1p = _make("log1p", "Log1p", np.log1p, (_e.log1p_forward, _e.log1p_backward), "log(1 + x), exact for small x.")
log2 = _make("log2", "Log2", np.log2, (_e.log2_forward, _e.log2_backward), "The logarithm to the base 2.")
log10 = _make("log10", "Log10", np.log10, (_e.log10_forward, _e.log10_backward), "The logarithm to the base 10.")
sin = _make("sin", "Sin", np.sin, (_t.sin_forward, _t.sin_backward), "The sine.")
cos = _make("cos", "Cos", np.cos, (_t.cos_forward, _t.cos_backward), "The cosine.")
tan = _make("tan", "Tan", np.tan, (_t.tan_forward, _t.tan_backward), "The tangent.")
sinh = _make("sinh", "Sinh", np.sinh, (_t.sinh_forward, _t.sinh_backward), "The hyperbolic sine.")
cosh = _make("cosh", "Cosh", np.cosh, (_t.cosh_forward, _t.cosh_backward), "The hyperbolic cosine.")
arctan = _make("arctan", "Arctan", np.arctan, (_t.arctan_forward, _t.arctan_backward), "The inverse tangent.")
arcsin = _make("arcsin", "Arcsin", np.arcsin, (_t.arcsin_forward, _t.arcsin_backward), "The inverse sine.")
arccos = _make("arccos", "Arccos", np.arccos, (_t.arccos_forward, _t.arccos_backward), "The inverse cosine.")
erf = _make("erf", "Erf", _erf, (_e.erf_forward, _e.erf_backward), "The error function.", module="keras.src.ops.math")
sign = _make("sign", "Sign", np.sign, (_r.sign_forward, None), "-1, 0 or 1; no gradient.", "same")
floor = _make("floor", "Floor", np.floor, (_r.floor_forward, None), "The whole number below; no gradient.")
ceil = _make("ceil", "Ceil", np.ceil, (_r.ceil_forward, None), "The whole number above; no gradient.")
trunc = _make("trunc", "Trunc", np.trunc, (_r.trunc_forward, None), "x without what is behind the point.", "same", True)
isnan = _make("isnan", "Isnan", np.isnan, (_r.isnan_forward, None), "Where x is NaN.", "bool")
isinf = _make("isinf", "Isinf", np.isinf, (_r.isinf_forward, None), "Where x is infinite.", "bool")
isfinite = _make(
    "isfinite", "Isfinite", np.isfinite, (_r.isfinite_forward, None), "Where x is a finite number.", "bool"
)
logical_not = _make(
    "logical_not", "LogicalNot", np.logical_not, (_r.falsehood_forward, None), "Where x is 0 or False.", "bool"
)

"""Python's operators on symbolic tensors and, where a `call` is traced, on weights."""

from dseq.ops import arithmetic, elementwise, indexing, products
from dseq.program.tensor import operators

operators.update(
    {
        "add": arithmetic.add,
        "sub": arithmetic.subtract,
        "mul": arithmetic.multiply,
        "truediv": arithmetic.true_divide,
        "floordiv": arithmetic.floor_divide,
        "mod": arithmetic.mod,
        "pow": arithmetic.power,
        "matmul": products.matmul,
        "and": arithmetic.logical_and,
        "or": arithmetic.logical_or,
        "xor": arithmetic.logical_xor,
        "neg": elementwise.negative,
        "abs": elementwise.absolute,
        "invert": elementwise.logical_not,
        "getitem": indexing.get_item,
        "lt": arithmetic.less,
        "le": arithmetic.less_equal,
        "gt": arithmetic.greater,
        "ge": arithmetic.greater_equal,
        "ne": arithmetic.not_equal,
    }
)

"""Tables of calls: what a row holds, how long it may be, and what a kernel that is called needs besides itself."""

import numpy as np
import pytest
from numba import types
from numba.core.errors import TypingError

from dseq.kernels import dense, gemm, table
from dseq.kernels.base import JIT, address, argument_type, kernel
from dseq.kernels.link import _slots, callees
from dseq.program.plan import Plan
from dseq.program.step import Step

pytestmark = pytest.mark.skipif(not JIT, reason="nothing is compiled with NUMBA_DISABLE_JIT=1")

MATRIX = {name: types.Array(getattr(types, name), 2, "C") for name in ("float32", "float64", "int32", "uint8")}


@kernel
def nineteen(y, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r):  # noqa: E741
    # y (n,), the others (n,)
    y[0] = a[0] + r[0]


def test_the_words_of_arguments():
    x = np.zeros((2, 3), "f4")
    assert table.words(x) == [0, 0, 6, 4, x.ctypes.data, 2, 3, 12, 4]
    assert table.words(None) == [0] and table.words(7) == [7]
    assert table.row("name", 5, [1, 2]) == [5, 2, 1, 2]


def test_a_call_of_too_many_words_is_refused():
    plan = Plan()
    x, y = plan.input("x", ()), plan.value("y", ())
    plan.forward(nineteen, y, *[x] * 18)
    with pytest.raises(ValueError, match="128 machine words.*Received: 133 words for kernel nineteen"):
        Step(plan).bind(4)
    assert len(table.row("name", 1, [0] * table.MOST_WORDS)) == table.MOST_WORDS + 2


@pytest.mark.parametrize("element", ["float32", "float64"])
def test_linked_kernels_are_among_those_needed(element):
    x = np.empty((0, 0), element)
    signature = tuple(argument_type(a) for a in (x, x, x, None, 0))
    ((found, words),) = callees(dense.dense_forward, signature)
    assert found is gemm.contract and words[0] == types.CPointer(getattr(types, element))
    assert callees(dense.dense_backward_bias, (argument_type(x[0:0].reshape(-1)), argument_type(x))) == []

    plan = Plan(dtype=element)
    a, b = plan.input("a", (3,)), plan.constant(np.ones((3, 2)))
    plan.forward(dense.dense_forward, plan.value("y", (2,)), a, b, None, 0)
    step = Step(plan)
    assert (gemm.contract, words) in step.signatures()
    step.prepare()
    assert step.missing() == 0 and words in gemm.contract.overloads


def test_symbols_of_linked_kernels_name_their_module():
    symbols = [slot.symbol for slots in _slots.values() for slot in slots.values()]
    assert "dseq.kernels.gemm.contract.float32" in symbols and len(set(symbols)) == len(symbols)


@pytest.mark.parametrize("product", [gemm.matmul, gemm.add_matmul_tn, gemm.add_matmul_nt, gemm.matmul_tn])
@pytest.mark.parametrize("place", [1, 2])
@pytest.mark.parametrize("other", ["float64", "int32", "uint8"])
def test_matrices_of_two_types_are_refused(product, place, other):
    signature = [MATRIX["float32"]] * 3
    signature[place] = MATRIX[other]
    with pytest.raises(TypingError, match="must have one type"):
        address(product, tuple(signature))


def test_a_bias_of_another_type_is_refused():
    bias = types.Array(types.float64, 1, "C")
    with pytest.raises(TypingError, match="must have one type"):
        address(gemm.matmul_bias, (*[MATRIX["float32"]] * 3, bias, types.int64))

"""Numbers below the normal range: zero while a step runs, untouched before and after."""

import numpy as np
import pytest

from dseq.kernels.base import JIT
from dseq.kernels.denormal import flush, restore
from dseq.kernels.rescale import rescale_forward
from dseq.program.operand import flat
from dseq.program.plan import Plan
from dseq.program.step import Step

pytestmark = pytest.mark.skipif(not JIT, reason="plain Python keeps denormal numbers")


@pytest.mark.parametrize("runner", ["table", "calls"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_flushes_and_numpy_does_not(runner, dtype):
    tiny = np.finfo(dtype).tiny
    plan = Plan(dtype=dtype)
    x = plan.input("x", (3,))
    y = plan.value("y", (3,))
    plan.forward(rescale_forward, flat(y), flat(x), plan.constant(0.25), plan.constant(0.0))
    step = Step(plan, runner=runner)
    step.bind(2)
    step.input("x")[...] = [[tiny, 1, 8 * tiny], [-tiny, tiny / 4, 4 * tiny]]
    step.compute()
    np.testing.assert_array_equal(step.array(y), np.array([[0, 0.25, 2 * tiny], [0, 0, tiny]], dtype))
    assert np.dtype(dtype).type(tiny) * np.dtype(dtype).type(0.25) > 0


def test_settings_are_restored():
    before = flush()
    restore(before)
    again = flush()
    restore(again)
    assert before == again

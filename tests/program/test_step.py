"""Plans and steps: three runners with the same bits, any number of rows, gradients that nobody needs left out."""

import numpy as np
import pytest

from dseq.kernels.rescale import rescale_backward, rescale_forward
from dseq.program.memory import Parameters, aligned, offsets
from dseq.program.operand import flat, matrix
from dseq.program.plan import Plan
from dseq.program.step import Step
from dseq.program.variable import Variable

RUNNERS = ("table", "calls", "python")


def scaled(plan, x, factor):
    y = plan.value("y", x.shape)
    plan.forward(rescale_forward, flat(y), flat(x), plan.constant(factor), plan.constant(1.0))
    plan.backward(rescale_backward, flat(x.grad), flat(y.grad), plan.constant(factor))
    return y


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_are_an_argument(runner, dtype):
    plan = Plan(dtype=dtype)
    x = plan.input("x", (3, 5))
    y = scaled(plan, scaled(plan, x, 2.0), 3.0)
    step = Step(plan, runner=runner)
    for rows in (4, 1, 0, 33, 7):
        step.bind(rows)
        values = np.random.default_rng(rows).standard_normal((rows, 3, 5)).astype(dtype)
        step.input("x")[...] = values
        step.compute()
        np.testing.assert_allclose(step.array(y), (values * 2 + 1) * 3 + 1, rtol=1e-6)
        assert step.array(y).ctypes.data % 64 == 0


def test_a_gradient_nobody_needs_is_not_computed():
    weight = Variable(np.ones(3), name="w")
    for trainable in (True, False):
        plan = Plan(training=True, trainable=[weight] if trainable else [])
        x = plan.input("x", (3,))
        before = plan.enter("layer", [weight], [x])
        y = scaled(plan, x, 2.0)
        plan.leave(before)
        assert (y.grad is not None) == trainable
        assert plan.backward_calls == []  # nobody writes into y.grad, and x has no gradient


def test_a_plan_can_be_read():
    plan = Plan()
    x = plan.input("x", (3,))
    scaled(plan, x, 2.0)
    text = str(plan)
    assert "rescale_forward" in text and "y[n*3]" in text and "x[n*3]" in text
    assert plan.digest() == plan.digest() != Plan().digest()


def test_views_of_an_operand():
    plan = Plan()
    x = plan.input("x", (4, 6))
    assert (flat(x).shape, flat(x).rows_per_sample) == ((), 24)
    assert (matrix(x).shape, matrix(x).rows_per_sample) == ((6,), 4)
    assert x.reshape((24,)).block is x
    assert flat(None) is None and matrix(None) is None


def test_blocks_are_aligned_and_apart():
    starts, total = offsets([(3, 5), (7,), (1,)], "float32")
    assert starts == [0, 16, 32] and total == 48
    starts, total = offsets([(3,), (9,)], "float64")
    assert starts == [0, 8] and total == 24
    assert aligned(100).ctypes.data % 64 == 0


def test_adoption_moves_values_and_keeps_them():
    a, b = Variable(np.arange(3.0), name="a"), Variable(np.ones((2, 2)), name="b", trainable=False)
    first = Parameters([a], [b], tail=2, dtype="float32")
    assert a.array.base is not None and np.array_equal(a.numpy(), [0, 1, 2])
    second = Parameters([a], [], tail=0, dtype="float32")
    a.assign([7, 8, 9])
    assert a.owner is second
    first.adopt()
    assert a.owner is first and np.array_equal(a.numpy(), [7, 8, 9])
    assert np.shares_memory(a.array, first.params) and not np.shares_memory(a.array, second.params)
    assert first.tail.size == 2 and first.trainable_size == 16

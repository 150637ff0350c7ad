"""Plans and steps: three runners with the same bits, any number of rows, gradients that nobody needs left out."""

import numpy as np
import pytest

from dseq.kernels import denormal
from dseq.kernels.base import JIT
from dseq.kernels.dense import dense_backward_input, dense_forward, dense_write_input
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


def test_listings_tell_contents_and_types():
    def plan_of(constant, dtype=None):
        plan = Plan()
        x, y = plan.input("x", (3,), dtype), plan.value("y", (3,))
        plan.forward(rescale_forward, flat(y), flat(x), plan.constant(constant), plan.constant(1.0))
        return plan

    values = ([1.0, 2.0], [1.0, 3.0], 0.1, 0.1 + 1e-7)
    plans = [plan_of(v) for v in values] + [plan_of(0.1, "int32")]
    assert len({plan.digest() for plan in plans}) == len({plan.lines()[0] for plan in plans}) == 5
    assert plans[2].lines() == plan_of(0.1).lines() and "x[n*3]" in plans[2].lines()[0]
    assert "x[n*3 int32]" in plans[4].lines()[0] and plans[4].lines()[0] in str(plans[4])


def test_listings_are_the_same_in_every_process():
    # Names and contents, no addresses and no values of weights.
    lines = []
    for value in (1.0, 2.0):
        weight = Variable(np.full(3, value), name="w")
        plan = Plan(training=True, trainable=[weight])
        before = plan.enter("layer", [weight], [])
        y = plan.value("y", (3,))
        plan.forward(rescale_forward, flat(y), weight, plan.constant(2.0), plan.constant(1.0))
        plan.backward(rescale_backward, weight.grad, flat(y.grad), plan.constant(2.0))
        plan.give(y.grad)
        plan.leave(before)
        lines.append(plan.lines())
    assert lines[0] == lines[1] and "d w[3]" in lines[0][1]


def test_a_weight_keeps_no_block_of_a_plan():
    weight = Variable(np.ones(3), name="w")
    first, second = (Plan(training=True, trainable=[weight]) for _ in range(2))
    outer = first.enter("outer", [], [])
    inner = first.enter("inner", [weight], [])
    block = weight.grad
    assert block is first.gradients[id(weight)]
    before = second.enter("layer", [weight], [])  # as a layer that runs another while it is lowered
    assert weight.grad is second.gradients[id(weight)] is not block
    second.leave(before)
    first.leave(inner)
    inner = first.enter("inner_again", [weight], [])
    assert weight.grad is block
    first.leave(inner)
    first.leave(outer)
    assert weight.grad is None
    Plan().enter("inference", [weight], [])
    assert weight.grad is None


def test_a_weight_of_another_float_type_is_refused():
    plan = Plan(dtype="float32")
    plan.use(Variable(np.zeros(2), "int64", name="count"))
    with pytest.raises(ValueError, match="one float type, float32 here. Received: weight w of float64"):
        plan.use(Variable(np.zeros(2), "float64", name="w"))


@pytest.mark.parametrize("runner", RUNNERS)
def test_inputs_become_floats_once(runner):
    plan = Plan(dtype="float32")
    x = plan.input("x", (2, 3), "uint8")
    y = plan.floats(x)
    again = plan.floats(x.reshape((6,)))
    assert again.block is y.block and again.shape == (6,) and len(plan.forward_calls) == 1
    assert plan.floats(y) is y and (y.dtype, x.dtype) == ("float32", "uint8")
    step = Step(plan, runner=runner)
    step.bind(5)
    step.input("x")[...] = np.arange(30).reshape(5, 2, 3) * 8
    step.compute()
    np.testing.assert_array_equal(step.array(again), np.arange(30).reshape(5, 6) * 8)


@pytest.mark.parametrize("runner", RUNNERS)
def test_only_gradients_that_are_added_to_are_zeroed(runner):
    weight = Variable(np.ones((2, 2)), "float64", name="w")
    plan = Plan(training=True, dtype="float64", trainable=[weight])
    x = plan.input("x", (2,))
    before = plan.enter("layer", [weight], [x])
    a, b, c = (plan.value(name, (2,)) for name in "abc")
    for y in (a, b, c):
        plan.forward(dense_forward, y, x, weight, None, 0)
    plan.backward(dense_backward_input, a.grad, b.grad, weight, first=dense_write_input)
    plan.backward(rescale_backward, flat(b.grad), flat(c.grad), plan.constant(2.0))
    plan.give(c.grad)
    plan.leave(before)
    assert plan.overwritten == {id(a.grad)}
    step = Step(plan, Parameters([weight], [], 0, "float64"), runner)
    step.bind(3)
    step._grads.view("float64")[...] = 7
    step.compute()
    assert (step.array(a.grad) == 0).all() and (step.array(b.grad) == 0).all() and (step.array(c.grad) == 0).all()
    step.array(c.grad)[...] = 1
    step.backward()
    assert (step.array(b.grad) == 2).all() and (step.array(a.grad) == 4).all()
    assert sum(part.size for part in step._added) == 2 * a.size * 8 * 16


@pytest.mark.skipif(not JIT, reason="plain Python keeps denormal numbers")
def test_an_interrupt_leaves_no_settings_behind(monkeypatch):
    plan = Plan()
    scaled(plan, plan.input("x", (3,)), 2.0)
    step = Step(plan, runner="calls")
    step.bind(2)
    before = denormal.current()

    def interrupted():
        denormal.flush()
        raise KeyboardInterrupt

    monkeypatch.setattr("dseq.program.step.flush", interrupted)
    with pytest.raises(KeyboardInterrupt):
        step.compute()
    now = denormal.current()
    denormal.restore(before)
    assert now == before


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
    assert first.tails.shape == (1, 2) and first.trainable_size == 16

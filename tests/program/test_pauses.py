"""Calls at which the compiled step pauses, blocks that belong to no sample, and blocks that lend their memory."""

import numpy as np
import pytest

from dseq.kernels.cast import cast_forward
from dseq.kernels.rectifier import relu_forward
from dseq.program.memory import pack
from dseq.program.operand import flat
from dseq.program.plan import Plan
from dseq.program.step import RUNNERS, Step


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_step_pauses_for_python_and_for_a_sum_over_ranks(runner):
    plan = Plan(dtype="float64")
    x, y, z = plan.input("x", (3,)), plan.value("y", (3,)), plan.value("z", (3,))
    total = plan.value("total", (3,), shared=True)
    seen = []

    def column_sums(total, y):
        seen.append(y.shape)
        total[...] = y.sum(axis=0)

    def divide(z, y, total):
        z[...] = y / total

    plan.forward(relu_forward, flat(y), flat(x))
    plan.host(column_sums, total, y)
    plan.exchange(total)
    plan.host(divide, z, y, total)
    step = Step(plan, runner=runner)
    step.exchange = lambda arrays: np.multiply(arrays[0], 2, out=arrays[0])  # as if another rank had the same rows
    for rows in (4, 1, 20):
        step.bind(rows)
        values = np.random.default_rng(rows).normal(size=(rows, 3))
        step.input("x")[...] = values
        step.compute()
        expected = np.maximum(values, 0) / np.maximum(2 * np.maximum(values, 0).sum(axis=0), 1e-300)
        np.testing.assert_allclose(step.array(z)[:, expected[0] > 0], expected[:, expected[0] > 0])
    assert seen == [(4, 3), (1, 3), (20, 3)]


def test_an_exchange_is_nothing_on_one_rank():
    plan = Plan(dtype="float64")
    x = plan.input("x", (2,))
    total = plan.value("total", (2,), shared=True)
    plan.host(lambda total, x: np.copyto(total, x.sum(axis=0)), total, x)
    plan.exchange(total)
    step = Step(plan)
    step.bind(3)
    step.input("x")[...] = 1
    step.compute()
    np.testing.assert_array_equal(step.array(total), 3)
    assert "exchange" in str(plan)


@pytest.mark.parametrize("seed", range(5))
def test_blocks_alive_at_the_same_time_never_overlap(seed):
    rng = np.random.default_rng(seed)
    lives = []
    for _ in range(60):
        first = int(rng.integers(0, 50))
        lives.append((int(rng.integers(1, 40)) * 4, first, first + int(rng.integers(0, 8))))
    starts, total = pack(lives)
    for i, (size, first, last) in enumerate(lives):
        assert starts[i] + size <= total
        for j in range(i):
            alive = first <= lives[j][2] and lives[j][1] <= last
            apart = starts[i] >= starts[j] + lives[j][0] or starts[j] >= starts[i] + size
            assert apart or not alive
    most = max(sum(s for s, a, b in lives if a <= t <= b) for t in range(60))
    assert most <= total < 2 * most


def test_a_deep_chain_needs_the_memory_of_two_blocks():
    plan = Plan()
    x = plan.input("x", (64,))
    for i in range(30):
        y = plan.value(f"y{i}", (64,))
        plan.forward(relu_forward, flat(y), flat(x))
        x = y
    frugal, plain = Step(plan, keep=[y]), Step(plan)
    assert frugal._row_bytes["activations"] == 2 * 64 * 4
    assert plain._row_bytes["activations"] == 31 * 64 * 4
    for step in (frugal, plain):
        step.bind(5)
        step.input("x")[...] = np.arange(320).reshape(5, 64) - 100
        step.compute()
    np.testing.assert_array_equal(frugal.array(y), plain.array(y))


def test_what_is_kept_stays():
    plan = Plan()
    x = plan.input("x", (8,))
    first = plan.value("first", (8,))
    plan.forward(cast_forward, flat(first), flat(x))
    y = first
    for i in range(4):
        z = plan.value(f"z{i}", (8,))
        plan.forward(relu_forward, flat(z), flat(y))
        y = z
    step = Step(plan, keep=[first, y])
    step.bind(3)
    step.input("x")[...] = -1
    step.compute()
    np.testing.assert_array_equal(step.array(first), -1)
    np.testing.assert_array_equal(step.array(y), 0)

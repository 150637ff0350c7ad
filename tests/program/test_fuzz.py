"""Random graphs: gradients against differences, and one result whichever way the program is run."""

import numpy as np
import pytest

import dseq
from dseq.program.plan import Plan
from dseq.program.step import Step
from tests.program.random_graphs import ROWS, random_model

SEEDS = range(14)
IN_PYTHON = (0, 2, 4, 7)  # the seeds that also run as plain Python, which is slow


@pytest.fixture(autouse=True)
def float64():
    before = dseq.config.floatx()
    dseq.config.set_floatx("float64")
    yield
    dseq.config.set_floatx(before)


@pytest.mark.parametrize("seed", SEEDS)
def test_gradients_and_runners(seed):
    model, losses, x, y, weights, calls = random_model(seed)
    rng, start = np.random.default_rng(seed), model.get_weights()
    trained = {id(v) for v in model.trainable_variables}

    def step(values, rate, **how):
        """The loss, and the weights after a step of gradient descent; draws are those of the first step."""
        model.set_weights(values)
        model._seed = 7
        model.compile(dseq.optimizers.SGD(rate), losses, **how)
        loss = model.train_on_batch(x, y, weights, return_dict=True)["loss"]
        return loss, model.get_weights()

    loss, after = step(start, 1.0)
    ways = [{"jit_compile": False}, {"run_eagerly": True}]
    for how in ways if seed in IN_PYTHON else ways[:1]:
        other, weights_after = step(start, 1.0, **how)
        exact = "jit_compile" in how  # plain Python rounds otherwise: NumPy's functions, no fused multiply-add
        np.testing.assert_allclose(other, loss, 0 if exact else 1e-9, err_msg=f"{how} {calls}")
        for a, b in zip(weights_after, after, strict=True):
            np.testing.assert_allclose(a, b, 0 if exact else 1e-7, 0 if exact else 1e-9, err_msg=f"{how} {calls}")

    slopes = [(a - b) * (id(v) in trained) for v, a, b in zip(model.variables, start, after, strict=True)]
    assert any(slope.any() for slope in slopes)
    for epsilon in (1e-6, 1e-5, 1e-7):  # a kink between two points spoils one direction, not all
        direction = [
            rng.standard_normal(a.shape) * (id(v) in trained) for v, a in zip(model.variables, start, strict=True)
        ]
        above, _ = step([a + epsilon * d for a, d in zip(start, direction, strict=True)], 0.0)
        below, _ = step([a - epsilon * d for a, d in zip(start, direction, strict=True)], 0.0)
        found = sum((s * d).sum() for s, d in zip(slopes, direction, strict=True))
        expected = (above - below) / (2 * epsilon)
        if abs(found - expected) < 3e-5 * max(1, abs(found), abs(expected)):
            return
    pytest.fail(f"slope {found}, by differences {expected}: {calls}")


@pytest.mark.parametrize("seed", SEEDS)
def test_memory_used_again_changes_nothing(seed):
    model, _, x, _, _, calls = random_model(seed)
    plan = Plan(dtype=model.dtype)
    plan.scored = False
    inputs = [plan.input(f"x_{i}", t.shape[1:], t.dtype) for i, t in enumerate(model.input_tensors)]
    operands = model.lower_into(plan, inputs, model.call_arguments)
    roomy = Step(plan)  # every block has a place of its own, as in training
    roomy.bind(ROWS)
    for i, array in enumerate(x):
        roomy.input(f"x_{i}")[...] = array
    roomy.compute()
    expected = [roomy.array(operand) for operand in operands]

    def check(predicted):
        for a, b in zip(predicted if isinstance(predicted, list) else [predicted], expected, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=str(calls))

    check(model.predict(x, verbose=0))
    model.predict([array[::-1][:4] for array in x], verbose=0)  # leaves other values everywhere
    check(model.predict(x, verbose=0))
    check(model(x))

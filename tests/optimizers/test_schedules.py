"""Learning-rate schedules: formulas, configurations, warm-up for large batches."""

import math

import numpy as np
import pytest

from dseq import optimizers
from dseq.optimizers import schedules
from dseq.program.registry import register_keras_serializable
from dseq.program.variable import Variable

ALL = [
    schedules.ExponentialDecay(0.05, 10, 0.96, staircase=True, name="e"),
    schedules.PiecewiseConstantDecay([10, 20], [1.0, 2.0, 3.0], name="p"),
    schedules.PolynomialDecay(0.1, 100, 0.005, power=2.0, cycle=True, name="l"),
    schedules.InverseTimeDecay(0.05, 10, 0.96, staircase=True, name="i"),
    schedules.CosineDecay(0.05, 10, alpha=0.1, warmup_target=0.5, warmup_steps=3, name="c"),
    schedules.CosineDecayRestarts(0.05, 10, t_mul=3.0, m_mul=0.9, alpha=0.1, name="r"),
    schedules.LinearWarmup(schedules.CosineDecay(0.1, 50), 5, scale=4.0, initial_learning_rate=0.01, name="w"),
    schedules.LinearWarmup(0.1, 5),
]


@pytest.mark.parametrize("schedule", ALL, ids=lambda schedule: type(schedule).__name__)
def test_configurations(schedule):
    again = schedules.deserialize(schedules.serialize(schedule))
    assert type(again) is type(schedule) and again.get_config() == schedule.get_config()
    assert [again(step) for step in range(0, 120, 7)] == [schedule(step) for step in range(0, 120, 7)]
    assert schedules.serialize(schedule)["module"] == "keras.optimizers.schedules"


def test_exponential_decay():
    smooth, stairs = (schedules.ExponentialDecay(0.05, 10, 0.96, staircase=s) for s in (False, True))
    assert smooth(5) == pytest.approx(0.05 * 0.96**0.5)
    assert (stairs(9), stairs(10), stairs(29)) == pytest.approx((0.05, 0.05 * 0.96, 0.05 * 0.96**2))


def test_piecewise_constants():
    rate = schedules.PiecewiseConstantDecay([100, 110, 120], [1.0, 0.1, 0.01, 0.001])
    steps = (-999, 0, 100, 101, 105, 110, 111, 120, 121, 999)
    assert [rate(step) for step in steps] == [1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    assert schedules.PiecewiseConstantDecay([2.5], [1.0, 0.5])(Variable(3, "int32")) == 0.5
    with pytest.raises(ValueError, match="length of boundaries should be 1 less"):
        schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2])


def test_polynomial_decay():
    line = schedules.PolynomialDecay(0.05, 10, 0.001)
    assert [line(s) for s in (0, 5, 10, 15)] == pytest.approx([0.05, 0.051 / 2, 0.001, 0.001])
    assert schedules.PolynomialDecay(0.05, 10, 0.001, cycle=True)(15) == pytest.approx(0.049 * 0.25 + 0.001)
    assert schedules.PolynomialDecay(0.05, 10, 0.001, cycle=True)(0) == pytest.approx(0.05)
    assert schedules.PolynomialDecay(0.05, 10, 0.0, power=0.5)(5) == pytest.approx(0.05 * 0.5**0.5)


def test_inverse_time_decay():
    assert schedules.InverseTimeDecay(0.1, 10, 0.96)(3) == pytest.approx(0.1 / (1 + 0.3 * 0.96))
    assert schedules.InverseTimeDecay(0.1, 10, 0.96, staircase=True)(19) == pytest.approx(0.1 / 1.96)


def test_cosine_decay():
    rate = schedules.CosineDecay(1.0, 1000, alpha=0.1)
    for step in range(0, 1500, 250):
        expected = 0.9 * 0.5 * (1 + math.cos(math.pi * min(step, 1000) / 1000)) + 0.1
        assert rate(step) == pytest.approx(expected, abs=1e-12)
    warm = schedules.CosineDecay(0.0, 10, warmup_target=1.0, warmup_steps=1000)
    assert [warm(s) for s in (0, 250, 500, 1000, 1005, 2000)] == pytest.approx([0, 0.25, 0.5, 1.0, 0.5, 0], abs=1e-12)
    assert schedules.CosineDecay(0.25, 10, warmup_target=1.0, warmup_steps=4)(2) == pytest.approx(0.625)


def test_cosine_decay_with_restarts():
    def half(part):
        return 0.5 * (1 + math.cos(math.pi * part))

    rate = schedules.CosineDecayRestarts(1.0, 1000, m_mul=0.5, alpha=0.1)
    for step, part, height in ((0, 0, 1), (999, 0.999, 1), (1000, 0, 0.5), (2000, 0.5, 0.5), (3000, 0, 0.25)):
        assert rate(step) == pytest.approx(0.9 * height * half(part) + 0.1), step
    even = schedules.CosineDecayRestarts(1.0, 10, t_mul=1.0)
    assert (even(5), even(10), even(25)) == pytest.approx((0.5, 1.0, 0.5))
    # log(1000) / log(10) is a little below 3, but the turn begins there.
    assert schedules.CosineDecayRestarts(1.0, 1, t_mul=10.0)(111) == pytest.approx(1.0)


@pytest.mark.parametrize("steps", [0, -1])
def test_steps_must_be_positive(steps):
    for make in (
        lambda: schedules.ExponentialDecay(0.1, steps, 0.9),
        lambda: schedules.PolynomialDecay(0.1, steps),
        lambda: schedules.InverseTimeDecay(0.1, steps, 0.9),
        lambda: schedules.CosineDecay(0.1, steps),
    ):
        with pytest.raises(ValueError, match=f"Argument `decay_steps` must be > 0. Received: decay_steps={steps}"):
            make()
    with pytest.raises(ValueError, match="Argument `first_decay_steps` must be > 0"):
        schedules.CosineDecayRestarts(0.1, steps)


def test_warmup_for_large_batches():
    stages = schedules.PiecewiseConstantDecay([30, 60], [0.1, 0.01, 0.001])
    rate = schedules.LinearWarmup(stages, 10, scale=8.0)
    assert [rate(s) for s in (0, 5, 10, 30, 31)] == pytest.approx([0.1, 0.45, 0.8, 0.8, 0.08])
    assert [schedules.LinearWarmup(0.4, 4)(s) for s in range(6)] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.4])
    assert schedules.LinearWarmup(0.4, 4, 2.0, 0.2)(2) == pytest.approx(0.5)
    assert schedules.LinearWarmup(0.4, 0, 2.0)(0) == pytest.approx(0.8)
    with pytest.raises(ValueError, match="`warmup_steps` must be >= 0"):
        schedules.LinearWarmup(0.1, -1)


def test_steps_may_be_variables_or_arrays():
    for schedule in ALL:
        assert schedule(Variable(17, "int32")) == schedule(np.int64(17)) == schedule(17)
        assert type(schedule(np.float32(3.0))) is float


class Halving(schedules.LearningRateSchedule):
    """As a user writes it."""

    def __init__(self, first):
        self.first = first

    def __call__(self, step):
        return self.first * 0.5**step

    def get_config(self):
        return {"first": self.first}


def test_schedules_of_users():
    optimizer, weights = optimizers.SGD(Halving(1.0)), Variable([0.0])
    for _ in range(3):
        optimizer.apply([np.ones(1)], [weights])
    assert weights[0] == -1.75
    config = optimizers.serialize(optimizer)
    assert config["config"]["learning_rate"]["class_name"] == "Halving"
    with pytest.raises(ValueError, match="Could not interpret learning rate schedule"):
        optimizers.deserialize(config)
    again = optimizers.deserialize(config, custom_objects={"Halving": Halving})
    assert type(again._learning_rate) is Halving and again._learning_rate.first == 1.0

    class Bare(schedules.LearningRateSchedule):
        pass

    with pytest.raises(NotImplementedError, match="'Bare' must override `__call__"):
        Bare()(0)
    with pytest.raises(NotImplementedError, match=r"'Bare' must override `get_config\(\)`"):
        Bare().get_config()


@register_keras_serializable("tests")
def slowly(step):
    """A function as a learning rate, known by its name."""
    return 0.1 / (1 + step)


def test_functions_of_users():
    again = optimizers.deserialize(optimizers.serialize(optimizers.SGD(slowly)))
    assert again._learning_rate is slowly
    again = optimizers.deserialize(optimizers.serialize(optimizers.SGD(lambda: 0.25)))
    assert float(again.learning_rate) == 0.25


def test_a_schedule_from_a_learning_rate():
    optimizer = optimizers.Adam(0.5)
    optimizer.learning_rate = schedules.PolynomialDecay(optimizer.learning_rate, 4, 0.1)
    assert len(optimizer.variables) == 1 and optimizer.learning_rate == 0.5
    assert optimizer.get_config()["learning_rate"]["config"]["initial_learning_rate"] == 0.5
    with pytest.raises(TypeError, match="learning rate is not settable"):
        optimizer.learning_rate = 0.1
    again = optimizers.deserialize(optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()

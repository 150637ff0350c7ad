"""Constraints: values, what a training step leaves, names and configurations, functions, errors."""

import numpy as np
import pytest

import dseq
from dseq import constraints, layers
from dseq.program.memory import Parameters
from dseq.program.plan import Plan
from dseq.program.step import Step
from dseq.program.variable import Variable

WEIGHT = np.random.default_rng(0).standard_normal((3, 4, 2, 5))


def norms(w, axis):
    return np.sqrt(np.square(w).sum(axis, keepdims=True))


CASES = {
    "max": (constraints.MaxNorm(1.0), lambda w: w * np.minimum(norms(w, 0), 1) / (1e-7 + norms(w, 0))),
    "max of filters": (
        constraints.MaxNorm(2, axis=[0, 1, 2]),
        lambda w: w * np.minimum(norms(w, (0, 1, 2)), 2) / (1e-7 + norms(w, (0, 1, 2))),
    ),
    "non-negative": (constraints.NonNeg(), lambda w: np.where(w < 0, 0, w)),
    "unit": (constraints.UnitNorm(axis=-1), lambda w: w / (1e-7 + norms(w, -1))),
    "min max": (
        constraints.MinMaxNorm(1.0, 1.5, rate=0.7, axis=1),
        lambda w: w * (0.7 * np.clip(norms(w, 1), 1, 1.5) + 0.3 * norms(w, 1)) / (1e-7 + norms(w, 1)),
    ),
    "axes apart": (constraints.UnitNorm(axis=[0, 2]), lambda w: w / (1e-7 + norms(w, (0, 2)))),
    "all": (constraints.UnitNorm(axis=None), lambda w: w / (1e-7 + norms(w, None))),
    "function": (constraints.get(lambda w: np.round(w, 1)), lambda w: np.round(w, 1)),
}


def settled(constraint, value, runner):
    weight = Variable(value, "float64", "w")
    plan = Plan(True, "float64", [weight])
    before = plan.enter("layer", [weight], [])
    constraint.lower(plan, weight)
    plan.leave(before)
    step = Step(plan, Parameters([weight], [], plan.tail_size, "float64"), runner)
    step.bind(0)
    step.settle()
    return weight.numpy()


@pytest.mark.parametrize("case", CASES)
def test_values(case):
    constraint, reference = CASES[case]
    given = WEIGHT.copy()
    np.testing.assert_allclose(constraint(given), reference(WEIGHT), rtol=1e-12)
    np.testing.assert_array_equal(given, WEIGHT)
    for runner in ("table", "python"):
        np.testing.assert_allclose(settled(constraint, WEIGHT, runner), reference(WEIGHT), rtol=1e-12)


def test_each_update_ends_with_the_constraint():
    x = np.random.default_rng(0).standard_normal((8, 5)).astype("float32")
    layer = layers.Dense(3, kernel_constraint=constraints.UnitNorm(), bias_constraint="non_neg")
    model = dseq.Sequential([dseq.Input((5,)), layer, layers.Dense(2)])
    model.compile(dseq.optimizers.Adam(0.1), "mse")
    for _ in range(3):
        model.train_on_batch(x, -np.ones((8, 2)))
        np.testing.assert_allclose(np.linalg.norm(layer.kernel, axis=0), 1, rtol=1e-5)
        assert layer.bias.numpy().min() >= 0
    layer.trainable = False
    layer.kernel.assign(2 * layer.kernel.numpy())
    model.compile("sgd", "mse")
    model.train_on_batch(x, np.ones((8, 2)))
    np.testing.assert_allclose(np.linalg.norm(layer.kernel, axis=0), 2, rtol=1e-5)


@pytest.mark.parametrize(
    ("identifier", "kind", "config"),
    [
        ("max_norm", "MaxNorm", {"max_value": 2, "axis": 0}),
        ("non_neg", "NonNeg", {}),
        ("unit_norm", "UnitNorm", {"axis": 0}),
        ("MinMaxNorm", "MinMaxNorm", {"min_value": 0.0, "max_value": 1.0, "rate": 1.0, "axis": 0}),
        (constraints.max_norm(3.0, axis=[0, 1]), "MaxNorm", {"max_value": 3.0, "axis": [0, 1]}),
        (constraints.NonNeg, "NonNeg", {}),
        ({"class_name": "UnitNorm", "config": {"axis": 1}}, "UnitNorm", {"axis": 1}),
    ],
)
def test_identifiers_and_round_trips(identifier, kind, config):
    found = constraints.get(identifier)
    assert type(found) is getattr(constraints, kind) and found.get_config() == config
    written = constraints.serialize(found)
    assert written["module"] == "keras.constraints"
    assert constraints.deserialize(written).get_config() == config
    assert constraints.get(None) is None


def test_the_base_leaves_weights_alone():
    base = constraints.Constraint.from_config(constraints.Constraint().get_config())
    np.testing.assert_array_equal(base(WEIGHT), WEIGHT)
    np.testing.assert_array_equal(settled(base, WEIGHT, "table"), WEIGHT)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: constraints.get("typo"), "Could not interpret constraint identifier: 'typo'"),
        (
            lambda: settled(constraints.UnitNorm(axis=4), WEIGHT, "table"),
            "`axis` of UnitNorm must be axes",
        ),
        (lambda: settled(constraints.get(lambda w: w[0]), WEIGHT, "table"), "must keep the weight's shape"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()

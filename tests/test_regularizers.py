"""Regularizers: values, gradients in a plan, each shard's part, names and configurations, functions, errors."""

import numpy as np
import pytest

import dseq
from dseq import layers, regularizers
from dseq.program.memory import Parameters
from dseq.program.plan import Plan
from dseq.program.step import Step
from dseq.program.variable import Variable

WEIGHT = np.random.default_rng(0).standard_normal((5, 4))
WEIGHT[1, 2] = 0.0


def cosines(w):
    unit = w / np.linalg.norm(w, axis=1, keepdims=True)
    products = np.abs(unit @ unit.T)
    return (products.sum() - np.trace(products)) / (len(w) * (len(w) - 1))


CASES = {
    "l1": (regularizers.L1(0.3), lambda w: 0.3 * np.abs(w).sum()),
    "l2": (regularizers.L2(0.2), lambda w: 0.2 * np.square(w).sum()),
    "l1l2": (regularizers.L1L2(0.3, 0.2), lambda w: 0.3 * np.abs(w).sum() + 0.2 * np.square(w).sum()),
    "rows": (regularizers.OrthogonalRegularizer(0.7), lambda w: 0.7 * cosines(w)),
    "columns": (regularizers.OrthogonalRegularizer(0.7, "columns"), lambda w: 0.7 * cosines(w.T)),
}
each_case = pytest.mark.parametrize("case", CASES)


class Penalty:
    """A plan of nothing but the penalty on one weight."""

    def __init__(self, regularizer, value=WEIGHT, runner="table"):
        self.weight = Variable(value, "float64", "w")
        plan = Plan(True, "float64", [self.weight])
        before = plan.enter("layer", [self.weight], [])
        regularizer.lower(plan, self.weight)
        plan.leave(before)
        self.parameters = Parameters([self.weight], [], plan.tail_size, "float64")
        self.step = Step(plan, self.parameters, runner)
        self.step.bind(0)

    def __call__(self, shard=0, shards=1):
        self.step.clock[3:] = shard, shards
        self.step.compute()
        return self.step.tail.sum(), self.parameters.gradient(self.weight).copy()


@each_case
def test_values(case):
    regularizer, reference = CASES[case]
    np.testing.assert_allclose(regularizer(WEIGHT), reference(WEIGHT), rtol=1e-12)
    np.testing.assert_allclose(regularizer(Variable(WEIGHT, "float64")), reference(WEIGHT), rtol=1e-12)


@each_case
def test_a_plan_has_the_value_and_its_gradient(case):
    regularizer, reference = CASES[case]
    value, gradient = Penalty(regularizer)()
    np.testing.assert_allclose(value, reference(WEIGHT), rtol=1e-12)
    direction = np.where(WEIGHT == 0, 0, np.random.default_rng(1).standard_normal(WEIGHT.shape))
    slope = (reference(WEIGHT + 1e-6 * direction) - reference(WEIGHT - 1e-6 * direction)) / 2e-6
    np.testing.assert_allclose((gradient * direction).sum(), slope, rtol=1e-7)
    python = Penalty(regularizer, runner="python")()
    np.testing.assert_allclose(python[0], value, rtol=1e-12)
    np.testing.assert_allclose(python[1], gradient, rtol=1e-12, atol=1e-15)


@each_case
@pytest.mark.parametrize("shards", [2, 3, 7])
def test_shards_count_once_together(case, shards):
    penalty = Penalty(CASES[case][0])
    value, gradient = penalty()
    parts = [penalty(shard, shards) for shard in range(shards)]
    np.testing.assert_allclose(sum(part[0] for part in parts), value, rtol=1e-12)
    np.testing.assert_allclose(sum(part[1] for part in parts), gradient, rtol=1e-12, atol=1e-15)
    assert not np.allclose(parts[0][0], value)


def test_a_weight_of_zeros_has_no_direction():
    value, gradient = Penalty(regularizers.OrthogonalRegularizer(), np.zeros((3, 2)))()
    assert value == 0 and not gradient.any()
    assert regularizers.OrthogonalRegularizer()(np.zeros((3, 2))) == 0


def by_function(w):
    return 0.2 * dseq.ops.sum(dseq.ops.square(w))


class Quartic(regularizers.Regularizer):
    """One of the user's own."""

    def __init__(self, factor=0.1):
        self.factor = factor

    def __call__(self, x):
        return self.factor * dseq.ops.sum(dseq.ops.square(dseq.ops.square(x)))

    def get_config(self):
        return {"factor": self.factor}


@pytest.mark.parametrize(
    ("regularizer", "reference"),
    [
        (regularizers.get(by_function), CASES["l2"][1]),
        (Quartic(0.3), lambda w: 0.3 * (w**4).sum()),
        (regularizers.get(lambda w: regularizers.L1L2(0.3, 0.2)(w)), CASES["l1l2"][1]),
    ],
)
def test_regularizers_of_the_users_own(regularizer, reference):
    penalty = Penalty(regularizer)
    value, gradient = penalty()
    np.testing.assert_allclose(value, reference(WEIGHT), rtol=1e-6)
    direction = np.where(WEIGHT == 0, 0, np.random.default_rng(1).standard_normal(WEIGHT.shape))
    slope = (reference(WEIGHT + 1e-6 * direction) - reference(WEIGHT - 1e-6 * direction)) / 2e-6
    np.testing.assert_allclose((gradient * direction).sum(), slope, rtol=1e-6)
    parts = [penalty(shard, 2) for shard in range(2)]
    np.testing.assert_allclose(parts[0][0] + parts[1][0], value, rtol=1e-12)
    np.testing.assert_allclose(parts[0][1] + parts[1][1], gradient, rtol=1e-12)


def network(**options):
    model = dseq.Sequential([dseq.Input((5,)), layers.Dense(4, use_bias=False, **options)])
    model.compile("sgd", "mse")
    model.layers[0].kernel.assign(WEIGHT)
    return model


def test_functions_of_arrays_can_be_evaluated_but_not_trained():
    x = np.zeros((3, 5), "float32")
    model = network(kernel_regularizer=lambda w: 0.2 * float(np.square(np.asarray(w)).sum()))
    np.testing.assert_allclose(model.evaluate(x, np.zeros((3, 4)), verbose=0), CASES["l2"][1](WEIGHT), rtol=1e-5)
    with pytest.raises(ValueError, match="A regularizer needs a gradient"):
        model.fit(x, np.zeros((3, 4)), verbose=0)


def test_activities_are_averaged_over_the_batch():
    x = np.random.default_rng(0).standard_normal((6, 5)).astype("float32")
    y = x.astype("f8") @ WEIGHT
    for regularizer in (regularizers.L1L2(0.3, 0.2), by_function):
        model = network(activity_regularizer=regularizer)
        l1 = 0.0 if regularizer is by_function else 0.3
        expected = (l1 * np.abs(y).sum() + 0.2 * np.square(y).sum()) / 6
        got = model.evaluate(x, y, batch_size=6, verbose=0)
        np.testing.assert_allclose(got, expected, rtol=1e-5)
        model.layers[0](x)
        np.testing.assert_allclose(model.layers[0].losses, [expected], rtol=1e-5)
    with pytest.raises(ValueError, match="Use it on weights"):
        network(activity_regularizer="orthogonal_regularizer").evaluate(x, y, verbose=0)


def test_losses_of_a_layer():
    """Keras' documentation: 0.01 * 25 for a kernel of ones, and 0.01 * 5 * 5 * 100 / 5 for the activities."""
    layer = layers.Dense(
        5,
        kernel_initializer="ones",
        kernel_regularizer=regularizers.L1(0.01),
        activity_regularizer=regularizers.L2(0.01),
    )
    layer(2 * np.ones((5, 5), "float32"))
    np.testing.assert_allclose(sum(layer.losses), 5.25, rtol=1e-6)
    assert float(regularizers.L2(2.0)(np.ones((5, 5)))) == 50.0


def test_a_frozen_weight_is_not_regularized():
    model = network(kernel_regularizer="l2")
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    assert model.evaluate(np.zeros((3, 5)), np.zeros((3, 4)), verbose=0) == 0


def test_configurations_that_nobody_wrote():
    """Constructors' arguments that are kept under their names are the configuration."""

    class Kept(regularizers.Regularizer):
        def __init__(self, strength):
            self.strength = strength

    class Lost(regularizers.Regularizer):
        def __init__(self, strength):
            self._strength = strength

    class Nothing(regularizers.Regularizer):
        pass

    assert Kept(2.0).get_config() == {"strength": 2.0} and repr(Kept(2.0)) == "Kept(strength=2.0)"
    assert Nothing().get_config() == {} and Nothing()(WEIGHT) == 0.0
    assert repr(Lost(2.0)) == "Lost(...)"
    with pytest.raises(NotImplementedError, match="Lost does not implement get_config"):
        Lost(2.0).get_config()


@pytest.mark.parametrize(
    ("identifier", "config"),
    [
        ("l1", {"l1": 0.01}),
        ("L2", {"l2": 0.01}),
        ("l1l2", {"l1": 0.0, "l2": 0.0}),
        ("l1_l2", {"l1": 0.01, "l2": 0.01}),
        ("orthogonal_regularizer", {"factor": 0.01, "mode": "rows"}),
        (regularizers.l1, {"l1": 0.01}),
        (regularizers.l1_l2(l2=0.5), {"l1": 0.0, "l2": 0.5}),
        ({"class_name": "L1L2", "config": {"l1": 0.1}}, {"l1": 0.1, "l2": 0.0}),
        (regularizers.L1(None), {"l1": 0.01}),
    ],
)
def test_identifiers_and_round_trips(identifier, config):
    found = regularizers.get(identifier)
    assert found.get_config() == config
    written = regularizers.serialize(found)
    assert written["module"] == "keras.regularizers" and written["class_name"] == type(found).__name__
    again = regularizers.deserialize(written)
    assert type(again) is type(found) and again.get_config() == config


def test_the_users_own_by_name():
    assert regularizers.get(None) is None
    written = regularizers.serialize(Quartic(0.5))
    assert regularizers.deserialize(written, {"Quartic": Quartic}).factor == 0.5
    layer = layers.Dense(3, kernel_regularizer=by_function)
    config = layer.get_config()
    assert config["kernel_regularizer"]["config"] == "by_function"
    with dseq.saving.custom_object_scope({"by_function": by_function, "Quartic": Quartic}):
        assert layers.Dense.from_config(config).kernel_regularizer == layer.kernel_regularizer
        assert isinstance(regularizers.get("Quartic"), Quartic)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: regularizers.L1(-0.1), "l1: expected a non-negative float"),
        (lambda: regularizers.L2(np.nan), "l2: expected a non-negative float"),
        (lambda: regularizers.L1L2("0.1"), "l1: expected a non-negative float"),
        (lambda: regularizers.L1L2(l2=np.inf), "l2: expected a non-negative float"),
        (lambda: regularizers.OrthogonalRegularizer(mode="x"), "Invalid value for argument `mode`"),
        (lambda: regularizers.OrthogonalRegularizer()(np.zeros(3)), "must have rank 2"),
        (lambda: Penalty(regularizers.OrthogonalRegularizer(), np.zeros(3)), "must have rank 2"),
        (lambda: Penalty(regularizers.get(lambda w: w)), "must give one number"),
        (lambda: regularizers.get("nope"), "Could not interpret regularizer identifier: 'nope'"),
        (lambda: regularizers.get(3), "Could not interpret regularizer identifier: 3"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()

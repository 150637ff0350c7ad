"""Metrics by name, the rule for accuracy, configurations, and metrics in a plan."""

import numpy as np
import pytest

from dseq import losses, metrics
from dseq.program.operand import flat
from dseq.program.plan import Plan
from dseq.program.step import Step

ALL = [getattr(metrics, name) for name in metrics.__all__ if name[0].isupper()]
ALL = [kind for kind in ALL if kind not in (metrics.Metric, metrics.MeanMetricWrapper)]


@pytest.mark.parametrize("name", ["accuracy", "acc", "Accuracy", "ACC"])
@pytest.mark.parametrize(
    ("y_true", "y_pred", "kind"),
    [
        ((), (1,), metrics.BinaryAccuracy),
        ((1,), (1,), metrics.BinaryAccuracy),
        ((), (3,), metrics.SparseCategoricalAccuracy),
        ((1,), (3,), metrics.SparseCategoricalAccuracy),
        ((7,), (7, 3), metrics.SparseCategoricalAccuracy),
        ((3,), (3,), metrics.CategoricalAccuracy),
        ((7, 3), (7, 3), metrics.CategoricalAccuracy),
    ],
)
def test_accuracy_takes_its_form_from_the_shapes(name, y_true, y_pred, kind):
    metric = metrics.get(name, y_true, y_pred)
    assert type(metric) is kind and metric.name == name
    assert type(metrics.resolve_accuracy(y_true, y_pred)) is kind


def test_names_given_to_compile_are_kept():
    assert metrics.get("mse", (3,), (3,)).name == "mse"
    assert metrics.get("mse").name == "mean_squared_error"
    assert metrics.get("ce", (), (3,)).name == "ce"
    metric = metrics.BinaryAccuracy(name="right")
    assert metrics.get(metric, (), (1,)) is metric and metric.name == "right"
    assert metrics.get(metrics.categorical_accuracy, (3,), (3,)).name == "categorical_accuracy"


@pytest.mark.parametrize(
    ("identifier", "kind"),
    [
        ("MAE", metrics.MeanAbsoluteError),
        ("sparse_categorical_accuracy", metrics.SparseCategoricalAccuracy),
        ("SparseCategoricalAccuracy", metrics.SparseCategoricalAccuracy),
        ("root_mean_squared_error", metrics.RootMeanSquaredError),
        ("cosine_similarity", metrics.CosineSimilarity),
        ("bce", metrics.BinaryCrossentropy),
        (metrics.TopKCategoricalAccuracy, metrics.TopKCategoricalAccuracy),
        (metrics.mean_absolute_error, metrics.MeanAbsoluteError),
        (losses.Huber(0.5), metrics.MeanMetricWrapper),
        ({"class_name": "TopKCategoricalAccuracy", "config": {"k": 3}}, metrics.TopKCategoricalAccuracy),
    ],
)
def test_get(identifier, kind):
    assert type(metrics.get(identifier)) is kind


@pytest.mark.parametrize("identifier", ["nope", 3, {"class_name": "Nope", "config": {}}])
def test_unknown_metrics(identifier):
    with pytest.raises(ValueError, match="Could not interpret metric identifier"):
        metrics.get(identifier)


NEEDED = {
    "IoU": (3, [0, 2]),
    "MeanIoU": (3,),
    "OneHotIoU": (3, [1]),
    "OneHotMeanIoU": (3,),
    "PrecisionAtRecall": (0.7,),
    "RecallAtPrecision": (0.7,),
    "SensitivityAtSpecificity": (0.7,),
    "SpecificityAtSensitivity": (0.7,),
}


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_configuration(kind):
    metric = kind(*NEEDED.get(kind.__name__, ()), name="mine")
    copy = metrics.deserialize(metrics.serialize(metric))
    assert type(copy) is kind and copy.get_config() == metric.get_config() and copy.name == "mine"


def test_configuration_keeps_every_argument():
    assert metrics.BinaryAccuracy(threshold=0.7).get_config()["threshold"] == 0.7
    assert metrics.TopKCategoricalAccuracy(k=3).get_config()["k"] == 3
    config = metrics.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1).get_config()
    assert (config["from_logits"], config["label_smoothing"]) == (True, 0.1)
    with pytest.raises(ValueError, match="Invalid value for argument `threshold`"):
        metrics.BinaryAccuracy(threshold=1.0)


def test_configuration_of_a_wrapped_loss_or_function():
    for fn in (losses.Huber(0.3), metrics.BinaryAccuracy(threshold=0.7)):
        metric = metrics.MeanMetricWrapper(fn, name="mine")
        copy = metrics.MeanMetricWrapper.from_config(metric.get_config())
        assert copy.get_config() == metric.get_config() and type(copy._fn) is type(fn)


def test_directions():
    assert metrics.SparseCategoricalAccuracy()._direction == "up"
    assert metrics.MeanAbsoluteError()._direction == "down"
    assert metrics.BinaryCrossentropy()._direction == "down"
    assert metrics.CosineSimilarity()._direction == "up"
    assert metrics.Mean()._direction is None
    assert metrics.MeanMetricWrapper(losses.Huber())._direction == "down"
    assert metrics.MeanMetricWrapper(metrics.binary_accuracy)._direction == "up"
    assert metrics.MeanMetricWrapper(lambda y_true, y_pred: y_pred)._direction is None
    own = metrics.MeanMetricWrapper(lambda y_true, y_pred: y_pred, name="own")
    own._direction = "up"
    assert own._direction == "up"
    assert all(kind._direction == "up" for kind in (metrics.AUC, metrics.F1Score, metrics.IoU, metrics.R2Score))


LOWERED = [
    (metrics.Accuracy, (4,)),
    (metrics.BinaryAccuracy, (4,)),
    (metrics.CategoricalAccuracy, (4,)),
    (metrics.SparseCategoricalAccuracy, ()),
    (metrics.TopKCategoricalAccuracy, (4,)),
    (metrics.SparseTopKCategoricalAccuracy, ()),
    (metrics.RootMeanSquaredError, (4,)),
    (metrics.CategoricalCrossentropy, (4,)),
    (lambda: metrics.SparseCategoricalCrossentropy(ignore_class=2), ()),
    (metrics.CosineSimilarity, (4,)),
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("runner", ["table", "python"])
@pytest.mark.parametrize(("kind", "y_true_shape"), LOWERED)
def test_lowered_sums_are_the_state_of_an_update(kind, y_true_shape, runner, weighted):
    rng = np.random.default_rng(4)
    y_pred = rng.uniform(0, 1, (6, 4))
    y_true = (y_pred > 0.5) if y_true_shape else rng.integers(0, 4, 6)
    weight = rng.integers(1, 5, 6) if weighted else None
    metric, updated = kind(), kind()
    updated._dtype = "float64"
    updated.update_state(y_true, y_pred, weight)

    plan = Plan(dtype="float64")
    inputs = plan.input("y_true", *metric.target(y_true_shape, (4,))), plan.input("y_pred", (4,))
    weights = flat(plan.input("weight", (1,))) if weighted else None
    sums = plan.sums("metric", metric.slots)
    metric.lower(plan, *inputs, weights, sums)
    step = Step(plan, runner=runner)
    for lo, hi in ((0, 4), (4, 6)):
        step.bind(hi - lo)
        step.input("y_true")[...] = y_true[lo:hi]
        step.input("y_pred")[...] = y_pred[lo:hi]
        if weighted:
            step.input("weight")[:, 0] = weight[lo:hi]
        step.compute()
        metric.state += step.tail[sums.start : sums.start + metric.slots]
    np.testing.assert_allclose(metric.state, updated.state, rtol=1e-12)
    assert metric.result() == pytest.approx(updated.result(), rel=1e-12)


def test_public_names_are_classes_and_functions():
    """A module of the same name must not take a function's place."""
    for module in (losses, metrics):
        for name in module.__all__:
            assert callable(getattr(module, name)), name
    assert metrics.hinge is losses.hinge and metrics.hinge([[1.0]], [[0.25]]) == 0.75
    assert type(metrics.get("hinge")) is metrics.Hinge and type(metrics.get(metrics.hinge)) is metrics.Hinge

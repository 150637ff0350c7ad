"""Metrics of arrays, added in two parts, against the numbers that Keras gives; and the same sums made by a plan."""

import numpy as np
import pytest

from dseq import metrics
from dseq.program.operand import flat
from dseq.program.plan import Plan
from dseq.program.step import Step
from dseq.training.watched import Watched
from tests.metrics.keras_cases import CASES, EXPECTED


def arrays(case):
    make, *data = CASES[case]
    return make(), *(None if x is None else np.asarray(x) for x in data)


@pytest.mark.parametrize("case", CASES)
def test_result(case):
    metric, y_true, y_pred, weight = arrays(case)
    for part in (slice(0, 4), slice(4, None)):
        metric.update_state(y_true[part], y_pred[part], None if weight is None else weight[part])
    np.testing.assert_allclose(metric.result(), EXPECTED[case], rtol=2e-5, atol=2e-6)
    metric.reset_state()
    assert not metric.state.any() and all(not v.numpy().any() for v in metric.variables)


@pytest.mark.parametrize("case", CASES)
def test_a_metric_in_a_plan(case):
    metric, y_true, y_pred, weight = arrays(case)
    y_pred = y_pred.reshape(len(y_pred), -1)
    plan = Plan(dtype="float64")
    labels = plan.input("y_true", *metric.target(y_true.shape[1:], y_pred.shape[1:]))
    predictions = plan.input("y_pred", y_pred.shape[1:])
    weights = None if weight is None else flat(plan.input("weight", (1,)))
    watched = Watched("metric", metric, weight is not None)
    watched.lower(plan, labels, predictions, weights)
    step = Step(plan)
    totals = np.zeros(plan.tail_size)
    for part in (slice(0, 7), slice(7, 7), slice(7, None)):  # no rows, as ranks may have
        step.bind(len(y_pred[part]))
        step.input("y_true")[...] = y_true[part].reshape(step.input("y_true").shape)
        step.input("y_pred")[...] = y_pred[part]
        if weight is not None:
            step.input("weight")[:, 0] = weight[part]
        step.compute()
        totals += step.tail
    np.testing.assert_allclose(watched.result(totals), EXPECTED[case], rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("case", CASES)
def test_states_of_ranks_make_one(case):
    metric, y_true, y_pred, weight = arrays(case)
    states = []
    for part in (slice(0, 5), slice(5, 11), slice(11, None)):
        metric.reset_state()
        metric.update_state(y_true[part], y_pred[part], None if weight is None else weight[part])
        states.append([v.numpy() for v in metric.variables])
    metric.merge_state([[0 * array for array in states[0]], *states])  # a rank without rows among them
    np.testing.assert_allclose(metric.result(), EXPECTED[case], rtol=2e-5, atol=2e-6)


def test_numbers_far_from_zero_lose_no_digits():
    rng = np.random.default_rng(0)
    y_true = 1e4 + rng.standard_normal((200, 2)) * 1e-2
    y_pred = y_true + rng.standard_normal((200, 2)) * 5e-3
    expected = 1 - ((y_true - y_pred) ** 2).sum(0) / ((y_true - y_true.mean(0)) ** 2).sum(0)
    metric = metrics.R2Score(None, dtype="float64")
    for lo in range(0, 200, 7):
        metric.update_state(y_true[lo : lo + 7], y_pred[lo : lo + 7])
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-6)
    correlation = metrics.PearsonCorrelation(dtype="float64")(y_true.T, y_pred.T)
    assert correlation == pytest.approx(
        np.mean([np.corrcoef(y_true[:, k], y_pred[:, k])[0, 1] for k in range(2)]), rel=1e-9
    )


def test_scores_of_one_row_are_not_defined():
    metric = metrics.R2Score()
    metric.update_state([[1.0]], [[2.0]])
    assert metric.result() == 0.0  # an infinite score counts as 0, as in Keras
    with pytest.warns(UserWarning, match="More independent predictors than datapoints"):
        metrics.R2Score(num_regressors=5)([[1.0], [2.0]], [[1.0], [2.5]])
    with pytest.warns(UserWarning, match="Division by zero in Adjusted R2"):
        metrics.R2Score(num_regressors=1)([[1.0], [2.0]], [[1.0], [2.5]])


def test_float_weights_of_integer_counts():
    with pytest.warns(UserWarning, match="passing weight as `float`, but dtype is `int`"):
        metrics.MeanIoU(2)([0, 1], [0, 1], sample_weight=[0.5, 1.5])


def test_classes_out_of_range_do_not_count():
    metric = metrics.MeanIoU(2)
    metric.update_state([0, 1, 2, -1, 1], [0, 1, 1, 0, 7])
    assert metric.total_cm.numpy().tolist() == [[1, 0], [0, 1]]
    with pytest.raises(ValueError, match="Target class id 5 is out of range"):
        metrics.IoU(3, [0, 5])


def test_classes_along_another_axis():
    labels, scores = np.random.default_rng(1).integers(0, 3, (4, 5, 5)), np.random.default_rng(2).random((4, 3, 5, 5))
    expected = metrics.MeanIoU(3)(labels.ravel(), scores.argmax(1).ravel())
    assert metrics.MeanIoU(3, sparse_y_pred=False, axis=1)(labels, scores) == expected
    one_hot = np.moveaxis(np.eye(3)[labels], -1, 1)
    assert metrics.OneHotMeanIoU(3, axis=1)(one_hot, scores) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"average": "median"}, "Invalid `average` argument"),
        ({"beta": 1}, "`beta` argument value. It should be a Python float"),
        ({"beta": -1.0}, "It should be > 0"),
        ({"threshold": 1}, "`threshold` argument value. It should be a Python float"),
        ({"threshold": 3.0}, "0 < threshold <= 1"),
    ],
)
def test_arguments_of_f_scores(arguments, message):
    with pytest.raises(ValueError, match=message):
        metrics.FBetaScore(**arguments)


def test_shapes_of_scores_and_regressions():
    with pytest.raises(ValueError, match="FBetaScore expects 2D inputs"):
        metrics.FBetaScore().target((2, 3), (2, 3))
    with pytest.raises(ValueError, match="must have the same shape for f1_score.*to_categorical"):
        metrics.F1Score().target((1,), (3,))
    with pytest.raises(ValueError, match="R2Score expects 2D inputs"):
        metrics.R2Score().target((2, 3), (2, 3))
    with pytest.raises(ValueError, match="`class_aggregation`. Expected one of"):
        metrics.R2Score("median")
    with pytest.raises(ValueError, match="`num_regressors`. Expected a value >= 0"):
        metrics.R2Score(num_regressors=-1)

"""Counts at thresholds, precision, recall and points on curves: the numbers of Keras 3's own tests."""

import numpy as np
import pytest

from dseq import metrics

LABELS = [[0, 1, 0, 1, 0], [0, 0, 1, 1, 1], [1, 1, 1, 1, 0], [0, 0, 0, 0, 1]]
ANSWERS = [[0, 0, 1, 1, 0], [1, 1, 1, 1, 1], [0, 1, 0, 1, 0], [1, 1, 1, 1, 1]]
SCORES = [[0.9, 0.2, 0.8, 0.1], [0.2, 0.9, 0.7, 0.6], [0.1, 0.2, 0.4, 0.3], [0, 1, 0.7, 0.3]]
SCORED = [[0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]]
THRESHOLDS = [0.15, 0.5, 0.85]


@pytest.mark.parametrize(
    ("name", "plain", "weighted", "at_thresholds", "weights", "weighted_at_thresholds"),
    [
        ("FalsePositives", 7, 14, [7, 4, 2], [1, 2, 3, 5], [125, 42, 12]),
        ("FalseNegatives", 3, 5, [1, 4, 6], [[3.0], [5.0], [7.0], [4.0]], [4, 16, 23]),
        ("TrueNegatives", 3, 4, [2, 5, 7], None, [5, 15, 23]),
        ("TruePositives", 7, 12, [6, 3, 1], 37.0, [222, 111, 37]),
    ],
)
def test_counts(name, plain, weighted, at_thresholds, weights, weighted_at_thresholds):
    kind = getattr(metrics, name)
    assert kind()(LABELS, ANSWERS) == plain
    assert kind()(LABELS, ANSWERS, sample_weight=[1, 1.5, 2, 2.5]) == weighted
    metric = kind(thresholds=THRESHOLDS)
    np.testing.assert_array_equal(metric(SCORED, SCORES), at_thresholds)
    metric.reset_state()
    if name == "FalsePositives":
        weights = [[1, 2, 3, 5], [7, 11, 13, 17], [19, 23, 29, 31], [5, 15, 10, 0]]
    if name == "TrueNegatives":
        weights = [[0, 2, 3, 5], [7, 11, 13, 17], [19, 23, 29, 31], [5, 15, 10, 0]]
        above = np.array(SCORES)[None] > np.array(THRESHOLDS)[:, None, None]
        weighted_at_thresholds = ((~above) * (1 - np.array(SCORED)) * weights).sum((1, 2))
    np.testing.assert_array_equal(metric(SCORED, SCORES, sample_weight=weights), weighted_at_thresholds)


def test_thresholds_out_of_range():
    with pytest.raises(ValueError, match=r"Threshold values must be in \[0, 1\]. Received: \[-1, 2\]"):
        metrics.FalsePositives(thresholds=[-1, 0.5, 2])
    with pytest.raises(ValueError, match="Threshold values must be"):
        metrics.Precision(thresholds=[None])


def test_precision():
    assert metrics.Precision()([[1, 0, 1, 0]], [[0, 1, 1, 0]]) == 0.5
    assert metrics.Precision()([[0, 1, 1, 0], [1, 0, 0, 1]], 1 - np.array([[0, 1, 1, 0], [1, 0, 0, 1]])) == 0
    weight = [[1, 2, 3, 4], [4, 3, 2, 1]]
    y_true, y_pred = [[0, 1, 1, 0], [1, 0, 0, 1]], [[1, 0, 1, 0], [1, 0, 1, 0]]
    assert metrics.Precision()(y_true, y_pred, sample_weight=weight) == pytest.approx((3 + 4) / (1 + 3 + 4 + 2))
    metric = metrics.Precision(thresholds=[0.5, 0.7])
    np.testing.assert_array_equal(metric([[0, 1], [1, 0]], [[1, 0], [0.6, 0]]), [0.5, 0])
    metric.reset_state()
    np.testing.assert_array_equal(metric.result(), [0, 0])
    metric = metrics.Precision(thresholds=[0.5, 1.0])
    metric.update_state([[0, 1], [1, 0]], [[1, 0], [0.6, 0]], sample_weight=[[4, 0], [3, 1]])
    metric.update_state([[0, 1], [1, 0]], [[1, 0], [0.6, 0]], sample_weight=[[4, 0], [3, 1]])
    np.testing.assert_allclose(metric.result(), [3 / 7, 0])


def test_precision_of_the_top():
    metric = metrics.Precision(top_k=3)
    assert metric([[0, 1, 1, 0, 0]], [[0.2, 0.1, 0.5, 0, 0.2]]) == pytest.approx(1 / 3)
    metric = metrics.Precision(top_k=2)
    metric.update_state([[0, 1, 1, 0, 0], [1, 0, 0, 0, 1]], [[0.2, 0.1, 0.4, 0, 0.2], [0.3, 0.2, 0.1, 0.1, 0.3]])
    assert metric.result() == pytest.approx(3 / 4)
    metric = metrics.Precision(thresholds=0.7, top_k=2)
    assert metric([[0, 1, 1, 0, 1]], [[0.2, 0.8, 0.6, 0, 0.2]]) == 1
    metric = metrics.Precision(class_id=2)
    metric.update_state([[0, 1, 1, 0, 0]], [[0.2, 0.1, 0.6, 0, 0.2]])
    assert metric.result() == 1
    metric.update_state([[0, 1, 0, 0, 0]], [[0.2, 0.1, 0.6, 0, 0.2]])
    assert metric.result() == 0.5
    metric = metrics.Precision(class_id=2, top_k=2)
    metric.update_state([[0, 1, 1, 0, 0]], [[0.2, 0.6, 0.3, 0, 0.2]])
    assert metric.result() == 1
    metric.update_state([[0, 1, 1, 0, 0]], [[1, 1, 0.9, 1, 1]])
    assert metric.result() == 1  # it is not among the top two


def test_recall():
    assert metrics.Recall()([[0, 1, 1, 0]], [[1, 0, 1, 0]]) == 0.5
    metric = metrics.Recall(thresholds=[0.5, 0.7])
    np.testing.assert_array_equal(metric([[0, 1], [1, 0]], [[1, 0], [0.6, 0]]), [0.5, 0])
    metric = metrics.Recall(thresholds=[0.5, 1.0])
    metric.update_state([[0, 1], [1, 0]], [[1, 0], [0.6, 0]], sample_weight=[[1, 4], [3, 2]])
    np.testing.assert_allclose(metric.result(), [3 / 7, 0])
    metric = metrics.Recall(top_k=3)
    assert metric([[0, 1, 1, 0, 0]], [[0.2, 0.1, 0.5, 0, 0.2]]) == 0.5
    metric = metrics.Recall(class_id=0, top_k=1)
    assert metric(np.eye(3)[[0, 0, 1]], [[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.8, 0.1, 0.1]]) == 0.5


def test_equal_predictions_count_in_the_order_of_the_columns():
    assert metrics.Precision(top_k=1)([[1, 0]], [[0.5, 0.5]]) == 1
    assert metrics.Precision(top_k=1)([[0, 1]], [[0.5, 0.5]]) == 0


@pytest.mark.parametrize(
    ("metric", "y_pred", "plain"),
    [
        (metrics.SensitivityAtSpecificity(0.8), [0, 0.1, 0.2, 0.3, 0.4, 0.1, 0.45, 0.5, 0.8, 0.9], 0.8),
        (metrics.SensitivityAtSpecificity(0.4), [0, 0.1, 0.2, 0.3, 0.4, 0.01, 0.02, 0.25, 0.26, 0.26], 0.6),
        (metrics.SpecificityAtSensitivity(0.8), [0, 0.1, 0.2, 0.3, 0.4, 0.1, 0.45, 0.5, 0.8, 0.9], 1.0),
        (metrics.SpecificityAtSensitivity(0.4), [0, 0.1, 0.2, 0.3, 0.4, 0.01, 0.02, 0.25, 0.26, 0.26], 0.6),
        (metrics.PrecisionAtRecall(0.8), [0, 0.1, 0.2, 0.5, 0.6, 0.2, 0.5, 0.6, 0.8, 0.9], 2 / 3),
        (metrics.RecallAtPrecision(0.75), [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5], 1.0),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_operating_points(metric, y_pred, plain):
    assert metric([0, 0, 0, 0, 0, 1, 1, 1, 1, 1], y_pred) == pytest.approx(plain, abs=1e-3)


def test_weighted_operating_points():
    y_pred, y_true = [0, 0.1, 0.2, 0.3, 0.4, 0.01, 0.02, 0.25, 0.26, 0.26], [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    weight = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert metrics.SensitivityAtSpecificity(0.4)(y_true, y_pred, sample_weight=weight) == pytest.approx(0.675)
    assert metrics.SpecificityAtSensitivity(0.4)(y_true, y_pred, sample_weight=weight) == pytest.approx(0.4)
    y_true, y_pred, weight = [0, 1, 0, 1, 1, 0], [0.1, 0.2, 0.3, 0.5, 0.6, 0.9], [10, 10, 10, 10, 10, 10]
    assert 0 < metrics.RecallAtPrecision(0.5)(y_true, y_pred, sample_weight=weight) <= 1


@pytest.mark.parametrize("wrong", [-1, 2])
def test_operating_points_out_of_range(wrong):
    for kind, argument in [
        (metrics.SensitivityAtSpecificity, "specificity"),
        (metrics.SpecificityAtSensitivity, "sensitivity"),
        (metrics.PrecisionAtRecall, "recall"),
        (metrics.RecallAtPrecision, "precision"),
    ]:
        with pytest.raises(ValueError, match=rf"`{argument}` must be in the range .* Received: {argument}={wrong}"):
            kind(wrong)
        with pytest.raises(ValueError, match="`num_thresholds` must be an integer > 0"):
            kind(0.4, num_thresholds=-1)


def test_shapes_and_classes_that_do_not_fit():
    with pytest.raises(ValueError, match="`class_id` of precision must be a class"):
        metrics.Precision(class_id=3, name="precision").target((3,), (3,))
    with pytest.raises(ValueError, match="must have the same shape"):
        metrics.Precision()([[1, 0]], [[1, 0, 0]])
    with pytest.raises(ValueError, match="same number of samples"):
        metrics.Precision()([1, 0], [1, 0, 0])


def test_nan_is_above_no_threshold():
    assert metrics.TruePositives(thresholds=[0.0, 0.5, 1.0])([1, 1], [np.nan, 0.7]).tolist() == [1, 1, 0]
    assert metrics.TruePositives()([1, 1], [np.nan, 0.7]) == 1


# AUC. Thresholds -1e-7, 0.5, 1 + 1e-7: tp = [2, 1, 0], fp = [2, 0, 0], fn = [0, 1, 2], tn = [0, 2, 2], or with weights
# tp = [7, 4, 0], fp = [3, 0, 0], fn = [0, 3, 7], tn = [0, 3, 3].
Y_TRUE, Y_PRED, WEIGHT = [0, 0, 1, 1], [0, 0.5, 0.3, 0.9], [1, 2, 3, 4]


@pytest.mark.parametrize("curve", ["ROC", "PR"])
@pytest.mark.parametrize("method", ["interpolation", "minoring", "majoring"])
def test_area_under_the_curve(curve, method):
    recall, rate, precision = [1, 4 / 7, 0], [1, 0, 0], [0.7, 1, 0]
    expected = {
        ("ROC", "interpolation"): (recall[0] + recall[1]) / 2 * (rate[0] - rate[1]),
        ("ROC", "minoring"): min(recall[0], recall[1]) * (rate[0] - rate[1]),
        ("ROC", "majoring"): max(recall[0], recall[1]) * (rate[0] - rate[1]),
        ("PR", "minoring"): min(precision[:2]) * (recall[0] - recall[1]) + min(precision[1:]) * (recall[1] - recall[2]),
        ("PR", "majoring"): max(precision[:2]) * (recall[0] - recall[1]) + max(precision[1:]) * (recall[1] - recall[2]),
        # (slope, start) are (0.5, 2) and (1, 0) by positives predicted: Davis and Goadrich's sum
        ("PR", "interpolation"): ((7 - 4) / 7 * (3 / 6) + (3 / 6) * (4 - (3 / 6) * 4) / 7 * np.log(10 / 4)) + 4 / 7,
    }[curve, method]
    metric = metrics.AUC(num_thresholds=3, curve=curve, summation_method=method)
    assert metric(Y_TRUE, Y_PRED, sample_weight=WEIGHT) == pytest.approx(expected, rel=1e-6)
    assert metric.true_positives.numpy().tolist() == [7, 4, 0]
    assert metric.false_positives.numpy().tolist() == [3, 0, 0]
    assert metric.false_negatives.numpy().tolist() == [0, 3, 7]
    assert metric.true_negatives.numpy().tolist() == [0, 3, 3]
    assert [v.name for v in metric.variables] == [
        "true_positives",
        "false_positives",
        "true_negatives",
        "false_negatives",
    ]


def test_area_with_thresholds_of_ones_own():
    even = metrics.AUC(num_thresholds=3)(Y_TRUE, Y_PRED)
    assert even == 0.75 == metrics.AUC(thresholds=[0.5])(Y_TRUE, Y_PRED)
    metric = metrics.AUC(thresholds=[0.3, 0.5, 0.8])
    assert metric.thresholds[1:-1] == [0.3, 0.5, 0.8] and metric.num_thresholds == 5
    assert metric(Y_TRUE, Y_PRED) == pytest.approx(0.875 - 0.125, abs=0.13)
    copy = metrics.AUC.from_config(metric.get_config())
    assert copy(Y_TRUE, Y_PRED) == metric.result()
    assert metrics.AUC(num_thresholds=1000)(Y_TRUE, Y_PRED) == pytest.approx(0.75, abs=1e-6)


def test_area_of_several_labels():
    # Keras' example: areas of two columns, averaged and weighted, and all elements in one.
    y_true, y_pred = np.array([[0, 0, 1, 1], [1, 0, 0, 1]]).T, np.array([[0, 0.5, 0.3, 0.9], [0.6, 0.2, 0.1, 0.9]]).T
    columns = [metrics.AUC()(y_true[:, k], y_pred[:, k]) for k in range(2)]
    assert columns == [0.75, 1.0]
    assert metrics.AUC(multi_label=True)(y_true, y_pred) == pytest.approx(0.875)
    weighted = metrics.AUC(multi_label=True, label_weights=[0.75, 0.25], num_labels=2)
    assert weighted(y_true, y_pred) == pytest.approx(0.8125)
    flat = metrics.AUC()(y_true.ravel(), y_pred.ravel())
    assert metrics.AUC()(y_true, y_pred) == pytest.approx(flat)
    elements = metrics.AUC(label_weights=[3, 1])(y_true, y_pred)
    assert elements == pytest.approx(metrics.AUC()(y_true.ravel(), y_pred.ravel(), sample_weight=[3, 1] * 4))


def test_area_from_logits():
    logits = np.array([-8.0, 0.0, -1.0, 4.0])
    assert metrics.AUC(from_logits=True)(Y_TRUE, logits) == metrics.AUC()(Y_TRUE, 1 / (1 + np.exp(-logits)))


def test_arguments_of_the_area():
    with pytest.raises(ValueError, match="Invalid AUC curve value: 'ROCK'"):
        metrics.AUC(curve="ROCK")
    with pytest.raises(ValueError, match="Invalid AUC summation method value"):
        metrics.AUC(summation_method="none")
    with pytest.raises(ValueError, match="`num_thresholds` must be an integer > 1"):
        metrics.AUC(num_thresholds=1)
    with pytest.raises(ValueError, match="`num_labels` is needed only"):
        metrics.AUC(num_labels=2)
    with pytest.raises(ValueError, match="`label_weights` must have a weight for each column"):
        metrics.AUC(label_weights=[1, 2]).target((3,), (3,))
    with pytest.raises(ValueError, match="must have rank 2 when `multi_label=True`"):
        metrics.AUC(multi_label=True).target((3, 2), (3, 2))


def test_counts_beyond_what_a_float32_can_count():
    """Sums of one batch are made in float64: adding 1 to 2**24 in float32 changes nothing."""
    metric = metrics.TruePositives()
    metric.update_state(np.ones(3), np.ones(3), sample_weight=2.0**24)
    metric.update_state(np.ones(3), np.ones(3))
    assert metric.result() == 3 * 2**24 + 3

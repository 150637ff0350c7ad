"""Metrics of arrays: numbers of Keras 3's own tests and documentation."""

import numpy as np
import pytest

from dseq import metrics

Y_TRUE, Y_PRED = (
    [[0, 1, 0, 1, 0], [0, 0, 1, 1, 1], [1, 1, 1, 1, 0], [0, 0, 0, 0, 1]],
    [
        [0, 0, 1, 1, 0],
        [1, 1, 1, 1, 1],
        [0, 1, 0, 1, 0],
        [1, 1, 1, 1, 1],
    ],
)
WEIGHT = [1.0, 1.5, 2.0, 2.5]
HALF = [1, 1, 0, 0]
SCORES, UNEVEN = [[0.1, 0.9, 0.8], [0.05, 0.95, 0]], [0.7, 0.3]
SIGNS, MARGINS = [[0, 1, 0, 1], [0, 0, 1, 1]], [[-0.3, 0.2, -0.1, 1.6], [-0.25, -1, 0.5, 0.6]]
ONE_HOT, PROBABILITIES = [[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]]


@pytest.mark.parametrize(
    ("metric", "y_true", "y_pred", "plain", "weight", "weighted"),
    [
        (metrics.Accuracy(), [[1], [2], [3], [4]], [[0], [2], [3], [4]], 0.75, HALF, 0.5),
        (metrics.BinaryAccuracy(), [[1], [1], [0], [0]], [[0.98], [1], [0], [0.6]], 0.75, [1, 0, 0, 1], 0.5),
        (metrics.BinaryAccuracy(), [1, 1, 0, 0], [0.98, 1, 0, 0.6], 0.75, [1, 0, 0, 1], 0.5),
        (metrics.BinaryAccuracy(threshold=0.3), [1, 1, 0, 0], [0.9, 0.6, 0.4, 0.8], 0.5, HALF, 1.0),
        (metrics.BinaryAccuracy(threshold=0.7), [1, 1, 0, 0], [0.9, 0.6, 0.4, 0.8], 0.5, HALF, 0.5),
        (metrics.CategoricalAccuracy(), [[0, 0, 1], [0, 1, 0]], SCORES, 0.5, UNEVEN, 0.3),
        (metrics.SparseCategoricalAccuracy(), [[2], [1]], [[0.1, 0.6, 0.3], [0.05, 0.95, 0]], 0.5, [0.7, 0.3], 0.3),
        (metrics.SparseCategoricalAccuracy(), [2, 1], [[0.1, 0.6, 0.3], [0.05, 0.95, 0]], 0.5, [0.7, 0.3], 0.3),
        (metrics.TopKCategoricalAccuracy(1), np.eye(3)[[2, 1]], SCORES, 0.5, UNEVEN, 0.3),
        (metrics.SparseTopKCategoricalAccuracy(1), [2, 1], SCORES, 0.5, UNEVEN, 0.3),
        (metrics.MeanSquaredError(), Y_TRUE, Y_PRED, 0.5, WEIGHT, 0.54285),
        (metrics.MeanSquaredLogarithmicError(), Y_TRUE, Y_PRED, 0.24022, WEIGHT, 0.26082),
        (metrics.RootMeanSquaredError(), [2, 4, 6], [1, 3, 2], 6**0.5, [1, 0, 0], 1.0),
        (metrics.Hinge(), SIGNS, MARGINS, 0.506, [1.5, 2], 0.493),
        (metrics.SquaredHinge(), SIGNS, MARGINS, 0.364, [1.5, 2], 0.347),
        (metrics.BinaryCrossentropy(), [1, 0, 1, 0], [1, 1, 1, 0], 3.9855, [1.5, 2, 1, 1.5], 5.3141),
        (metrics.CategoricalCrossentropy(), ONE_HOT, PROBABILITIES, 1.176, [1.5, 2], 1.338),
        (metrics.SparseCategoricalCrossentropy(), [1, 2], PROBABILITIES, 1.176, [1.5, 2], 1.338),
        (metrics.CosineSimilarity(), [[0, 1], [1, 1.0]], [[1, 0], [1, 1.0]], 0.5, [0.3, 0.7], 0.7),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_plain_and_weighted(metric, y_true, y_pred, plain, weight, weighted):
    assert metric(y_true, y_pred) == pytest.approx(plain, abs=1e-3)
    metric.reset_state()
    assert metric.result() == 0
    assert metric(y_true, y_pred, sample_weight=weight) == pytest.approx(weighted, abs=1e-3)


def test_from_logits():
    y_true, logits = [[1, 0, 1], [0, 1, 1]], [[10.0, -10, 10], [10, 10, -10]]
    assert metrics.BinaryCrossentropy(from_logits=True)(y_true, logits) == pytest.approx(3.333, abs=1e-3)
    y_true, logits = [[0, 1, 0], [0, 0, 1]], [[1, 9, 0], [1, 8, 1]]
    assert metrics.CategoricalCrossentropy(from_logits=True)(y_true, logits) == pytest.approx(3.5011, abs=1e-4)
    metric = metrics.SparseCategoricalCrossentropy(from_logits=True)
    assert metric([1, 2], logits, sample_weight=[1.5, 2]) == pytest.approx(4.0012, abs=1e-4)
    metric = metrics.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    assert metric(y_true, logits) == pytest.approx(3.667, abs=1e-3)


def test_an_ignored_class_counts_as_0_unless_samples_are_weighted():
    y_pred = [[0.8, 0.1, 0.1], [0.05, 0.95, 0], [0.1, 0.8, 0.1]]
    metric = metrics.SparseCategoricalCrossentropy(ignore_class=0)
    assert metric([0, 1, 2], y_pred) == pytest.approx(0.78462, abs=1e-4)
    assert metric.state[1] == 3
    metric.reset_state()
    assert metric([0, 1, 2], y_pred, sample_weight=[0.5, 1.5, 2.0]) == pytest.approx(1.33774646, abs=1e-4)
    assert metric.state[1] == 3.5
    logits = metrics.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
    assert logits([0, 1, 2], [[10, 1, 1], [1, 9, 0], [1, 8, 1]]) == pytest.approx(2.33409, abs=1e-4)


def test_mean_and_sum():
    mean = metrics.Mean()
    mean.update_state([1, 3, 5, 7])
    assert mean.result() == 4
    mean.update_state([[10.0], [20.0]], sample_weight=[[1.0], [0.0]])
    assert mean.result() == pytest.approx(26 / 5)
    assert [v.name for v in mean.variables] == ["total", "count"] and mean.variables[0].numpy() == 26
    total = metrics.Sum()
    total.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
    assert total.result() == 4
    total.reset_state()
    assert total.result() == 0 and total.variables[0].numpy() == 0


def test_states_of_shards_add_up():
    rng = np.random.default_rng(0)
    labels, y_pred, weight = rng.integers(0, 4, (9, 3)), rng.standard_normal((9, 3, 4)), rng.integers(0, 5, (9, 3))
    for kind in (metrics.SparseCategoricalAccuracy, metrics.SparseCategoricalCrossentropy):
        whole, left, right = (kind(dtype="float64") for _ in range(3))
        whole.update_state(labels, abs(y_pred), weight)
        left.update_state(labels[:4], abs(y_pred[:4]), weight[:4])
        right.update_state(labels[4:], abs(y_pred[4:]), weight[4:])
        np.testing.assert_allclose(left.state + right.state, whole.state, rtol=1e-13)


def test_updates_accumulate():
    metric = metrics.SparseTopKCategoricalAccuracy(k=2)
    metric.update_state([0], [[0.1, 0.5, 0.4]])
    metric.update_state([[2]], [[0.1, 0.5, 0.4]])
    assert metric.result() == 0.5


def test_a_sample_with_several_rows():
    y_pred = np.random.default_rng(0).standard_normal((4, 3, 5))
    labels = y_pred.argmax(-1)
    labels[0, :] = (labels[0, :] + 1) % 5
    metric = metrics.SparseCategoricalAccuracy()
    assert metric(labels, y_pred) == 0.75
    assert metrics.SparseCategoricalAccuracy()(labels[..., None], y_pred, sample_weight=[3, 1, 1, 1]) == 0.5


def test_functions():
    y_pred = [[0.1, 0.9, 0.8], [0.05, 0.95, 0]]
    np.testing.assert_array_equal(metrics.sparse_categorical_accuracy([2, 1], y_pred), [0, 1])
    np.testing.assert_array_equal(metrics.categorical_accuracy(np.eye(3)[[2, 1]], y_pred), [0, 1])
    np.testing.assert_array_equal(metrics.sparse_top_k_categorical_accuracy([2, 1], y_pred, k=2), [1, 1])
    np.testing.assert_array_equal(metrics.top_k_categorical_accuracy(np.eye(3)[[0, 1]], y_pred, k=2), [0, 1])
    np.testing.assert_array_equal(metrics.binary_accuracy([[1, 0, 0]], [[0.6, 0.6, 0.1]]), [[1, 0, 1]])
    ids = [[2, 0, 1], [0, 2, 1]]
    np.testing.assert_array_equal(metrics.sparse_top_k_categorical_accuracy([0, 1], ids, 2, True), [1, 0])
    np.testing.assert_allclose(metrics.mean_squared_error([[1.0, 2.0]], [[1.0, 4.0]]), [2])

"""Losses of arrays: numbers of Keras 3's own tests, and NumPy where those are formulas."""

import numpy as np
import pytest

from dseq import losses

Y_TRUE = [[1, 9, 2], [-5, -2, 6]]
Y_PRED = [[4, 8, 12], [8, 1, 3]]
STEPS_TRUE, STEPS_PRED = np.reshape(Y_TRUE, (2, 3, 1)), np.reshape(Y_PRED, (2, 3, 1))
STEP_WEIGHT = [[3, 6, 5], [0, 4, 2]]
ONE_HOT = np.eye(3)
PROBABILITIES = [[0.9, 0.05, 0.05], [0.5, 0.89, 0.6], [0.05, 0.01, 0.94]]
LOGITS = [[8.0, 1, 1], [0, 9, 1], [2, 3, 5]]


@pytest.mark.parametrize(
    ("name", "plain", "weighted", "rows", "steps"),
    [
        ("MeanSquaredError", 49.5, 113.85, 767.8 / 6, 97.833336),
        ("MeanAbsoluteError", 5.5, 12.65, 81.4 / 6, 13.833333),
        ("MeanAbsolutePercentageError", 211.8518, 487.259, 422.8888, 694.4444),
    ],
)
def test_errors(name, plain, weighted, rows, steps):
    loss = getattr(losses, name)()
    assert loss(Y_TRUE, Y_PRED) == pytest.approx(plain, rel=1e-6)
    assert loss(Y_TRUE, Y_PRED, sample_weight=2.3) == pytest.approx(weighted, rel=1e-6)
    assert loss(Y_TRUE, Y_PRED, sample_weight=[[1.2], [3.4]]) == pytest.approx(rows, rel=1e-6)
    assert loss(STEPS_TRUE, STEPS_PRED, sample_weight=STEP_WEIGHT) == pytest.approx(steps, rel=1e-6)
    assert loss(Y_TRUE, Y_TRUE) == 0


def test_squared_logarithmic_error():
    loss = losses.MeanSquaredLogarithmicError()
    assert loss(Y_TRUE, Y_PRED) == pytest.approx(1.4370, abs=1e-4)
    assert loss(Y_TRUE, Y_PRED, sample_weight=2.3) == pytest.approx(3.3051, abs=1e-4)
    assert loss(Y_TRUE, Y_PRED, sample_weight=[1.2, 3.4]) == pytest.approx(3.7856, abs=1e-4)
    assert loss(STEPS_TRUE, STEPS_PRED, sample_weight=STEP_WEIGHT) == pytest.approx(2.647374, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "plain", "weighted", "each"),
    [
        ("Hinge", 1.3, 0.55, [1.1, 1.5]),
        ("SquaredHinge", 1.86, 0.73, [1.46, 2.26]),
        ("CategoricalHinge", 1.4, 0.6, [1.2, 1.6]),
    ],
)
def test_hinges(name, plain, weighted, each):
    y_true, y_pred, kind = [[0.0, 1.0], [0.0, 0.0]], [[0.6, 0.4], [0.4, 0.6]], getattr(losses, name)
    assert kind()(y_true, y_pred) == pytest.approx(plain, rel=1e-6)
    assert kind()(y_true, y_pred, sample_weight=[1, 0]) == pytest.approx(weighted, rel=1e-6)
    assert kind(reduction="sum")(y_true, y_pred) == pytest.approx(2 * plain, rel=1e-6)
    np.testing.assert_allclose(kind(reduction=None)(y_true, y_pred), each, rtol=1e-6)


def test_binary_crossentropy():
    loss = losses.BinaryCrossentropy()
    y_pred = [[0.9, 0.1, 0.2], [0.3, 0.8, 0.1], [0.1, 0.2, 0.7]]
    assert loss(ONE_HOT, y_pred) == pytest.approx(0.20046903, rel=1e-6)
    y_true, y_pred = [[1, 0], [1, 0]], [[1, 1], [1, 0]]
    assert loss(y_true, y_pred) == pytest.approx(3.98559, rel=1e-5)
    assert loss(y_true, y_pred, sample_weight=2.3) == pytest.approx(9.1668, rel=1e-5)
    assert loss(y_true, y_pred, sample_weight=[[1.2], [3.4]]) == pytest.approx(4.7827, rel=1e-5)


def test_binary_crossentropy_from_logits():
    y_true, logits = [[1, 0, 1], [0, 1, 1]], [[10.0, -10, 10], [10, 10, -10]]
    loss = losses.BinaryCrossentropy(from_logits=True)
    assert loss(y_true, logits) == pytest.approx(3.3333, rel=1e-4)
    assert loss(y_true, logits, sample_weight=2.3) == pytest.approx(7.666, rel=1e-3)
    assert loss(y_true, logits, sample_weight=[4, 3]) == pytest.approx(10, rel=1e-4)
    each = losses.BinaryCrossentropy(from_logits=True, reduction=None)(y_true, logits)
    np.testing.assert_allclose(each, [0, 6.666], atol=1e-3)
    smooth = losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1)
    assert smooth([[1, 0, 1]], [[10.0, -10, -10]]) == pytest.approx((10 + 5 * 0.1) / 3, rel=1e-4)


@pytest.mark.parametrize("sparse", [False, True])
def test_categorical_crossentropy(sparse):
    kind = losses.SparseCategoricalCrossentropy if sparse else losses.CategoricalCrossentropy
    y_true = [[0], [1], [2]] if sparse else ONE_HOT
    assert kind()(y_true, PROBABILITIES) == pytest.approx(0.3239, abs=1e-4)
    assert kind()(y_true, PROBABILITIES, sample_weight=2.3) == pytest.approx(0.7449, abs=1e-3)
    assert kind()(y_true, PROBABILITIES, sample_weight=[[1.2], [3.4], [5.6]]) == pytest.approx(1.0696, abs=1e-4)
    loss = kind(from_logits=True)
    assert loss(y_true, LOGITS) == pytest.approx(0.0573, abs=1e-4)
    assert loss(y_true, LOGITS, sample_weight=2.3) == pytest.approx(0.1317, abs=1e-3)
    assert loss(y_true, LOGITS, sample_weight=[1.2, 3.4, 5.6]) == pytest.approx(0.31829, abs=1e-5)
    each = kind(from_logits=True, reduction="none")(y_true, LOGITS)
    np.testing.assert_allclose(each, [0.001822, 0.000459, 0.169846], atol=1e-6)


def test_smoothed_labels():
    loss = losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    assert loss([[1, 0, 0]], [[100.0, -100, -100]]) == pytest.approx(400 * 0.1 / 3, rel=1e-6)


def test_an_ignored_class_counts_neither_above_nor_below_the_line():
    y_true, logits = [[-1, 2]], [[[8.0, 1, 1], [2, 3, 0.9]]]
    each = losses.SparseCategoricalCrossentropy(ignore_class=-1, from_logits=True, reduction=None)(y_true, logits)
    value = np.log(np.exp(logits[0][1]).sum()) - 0.9
    np.testing.assert_allclose(each, [[0, value]], rtol=1e-6)
    for reduction in ("sum_over_batch_size", "mean_with_sample_weight"):
        loss = losses.SparseCategoricalCrossentropy(ignore_class=-1, from_logits=True, reduction=reduction)
        assert loss(y_true, logits) == pytest.approx(value, rel=1e-6)
    assert loss(y_true, logits, sample_weight=[[7.0, 2.0]]) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("delta", [1.0, 0.8])
def test_huber(delta):
    y_true, y_pred = np.array([[0.9, 0.2, 0.2], [0.8, 0.4, 0.6]]), np.array([[1.0, 0.0, 1.0], [1.0, 0.0, 2.0]])
    error = abs(y_true - y_pred)
    expected = np.where(error <= delta, 0.5 * error**2, delta * error - 0.5 * delta**2)
    assert losses.Huber(delta, dtype="float64")(y_true, y_pred) == pytest.approx(expected.mean(), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("LogCosh", lambda t, p: np.log(np.cosh(p - t)).mean(-1)),
        ("Poisson", lambda t, p: (p - t * np.log(p + 1e-7)).mean(-1)),
        ("KLDivergence", lambda t, p: (t * np.log(t / p)).sum(-1)),
        ("CosineSimilarity", lambda t, p: -(t * p).sum(-1) / np.linalg.norm(t, axis=-1) / np.linalg.norm(p, axis=-1)),
    ],
)
def test_formulas(name, formula):
    rng = np.random.default_rng(3)
    t, p = rng.uniform(0.1, 0.9, (4, 5, 6)), rng.uniform(0.1, 0.9, (4, 5, 6))
    loss = getattr(losses, name)(reduction=None, dtype="float64")
    np.testing.assert_allclose(loss(t, p), formula(t, p), rtol=1e-11)


def test_cosine_of_a_vector_without_length_is_0():
    assert losses.CosineSimilarity()([[1.0, 2.0]], [[0.0, 0.0]]) == 0


def test_kl_divergence_clips_probabilities():
    value = losses.KLDivergence(dtype="float64")([[0.0, 1.0]], [[0.0, 2.0]])
    assert value == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [("sum", 227.69998), ("mean", 227.69998 / 2), ("mean_with_sample_weight", 49.5), ("sum_over_batch_size", 113.85)],
)
def test_reductions(reduction, expected):
    loss = losses.MeanSquaredError(reduction=reduction)
    assert loss(Y_TRUE, Y_PRED, sample_weight=2.3) == pytest.approx(expected, rel=1e-6)


def test_reduction_none_gives_the_values():
    for reduction in (None, "none"):
        values = losses.MeanSquaredError(reduction=reduction)(Y_TRUE, Y_PRED, sample_weight=2.3)
        np.testing.assert_allclose(values, [84.3333, 143.3666], rtol=1e-5)
    with pytest.raises(ValueError, match="Invalid value for argument `reduction`.*Received: reduction='average'"):
        losses.MeanSquaredError(reduction="average")


def test_mean_with_sample_weight():
    loss = losses.MeanSquaredError(reduction="mean_with_sample_weight")
    expected = (110 / 3 * 1.2 + 187 / 3 * 3.4) / 4.6
    assert loss(Y_TRUE, Y_PRED, sample_weight=[1.2, 3.4]) == pytest.approx(expected, rel=1e-6)
    assert loss(Y_TRUE, Y_PRED) == pytest.approx(49.5, rel=1e-6)
    assert loss(Y_TRUE, Y_PRED, sample_weight=0.0) == 0


@pytest.mark.parametrize(
    ("reduction", "values", "weights", "expected"),
    [
        ("sum_over_batch_size", 12, 5.0, 12),
        ("mean", 12, None, 12),
        ("sum", 12, 5.0, 1),
        (None, 12, None, 1),
        ("mean_with_sample_weight", 12, 5.0, 5),
        ("mean_with_sample_weight", 12, None, 12),
        ("mean_with_sample_weight", 12, 0.0, 1),
        ("mean", 0, None, 1),
    ],
)
def test_what_a_trainer_divides_by(reduction, values, weights, expected):
    assert losses.MeanSquaredError(reduction=reduction).denominator(values, weights) == expected


def test_ranks_that_differ_by_a_last_axis_of_one():
    flat, column = np.arange(4.0), np.arange(4.0)[:, None] + 1
    for y_true, y_pred in ((flat, column), (column, flat + 1), (column, column + 1)):
        loss = losses.MeanSquaredError()
        expected = np.square(np.ravel(y_true) - np.ravel(y_pred)).mean()
        assert loss(y_true, y_pred) == pytest.approx(expected)


def test_functions_give_a_value_for_each_row():
    np.testing.assert_allclose(losses.mean_absolute_error(Y_TRUE, Y_PRED), [14 / 3, 19 / 3], rtol=1e-6)
    assert losses.mean_absolute_error([1.0, 2.0], [2.0, 4.0]) == pytest.approx(1.5)
    assert losses.mean_squared_error(STEPS_TRUE, STEPS_PRED).shape == (2, 3)
    assert losses.sparse_categorical_crossentropy([0, 1, 2], LOGITS, from_logits=True).shape == (3,)
    np.testing.assert_allclose(losses.huber([[0.0, 0.0]], [[3.0, 0.5]], delta=2.0), [(4 + 0.125) / 2], rtol=1e-6)


def test_no_rows():
    empty = np.zeros((0, 3))
    assert losses.MeanSquaredError()(empty, empty) == 0
    assert losses.categorical_crossentropy(empty, empty).shape == (0,)


@pytest.mark.parametrize("name", ["MeanSquaredError", "MeanAbsoluteError", "Huber", "LogCosh", "BinaryCrossentropy"])
def test_nan_flows_through(name):
    loss = getattr(losses, name)(reduction=None)
    values = loss([[0.0, 1.0], [0.0, 1.0]], [[0.5, np.nan], [0.5, 0.5]])
    assert np.isnan(values[0]) and np.isfinite(values[1])


@pytest.mark.parametrize("from_logits", [False, True])
def test_nan_and_infinite_logits_stay_in_their_row(from_logits):
    y_pred = np.tile([0.2, 0.3, 0.5], (4, 1))
    y_pred[0, 1], y_pred[1, 0] = np.nan, np.inf
    for kind, labels in (
        (losses.SparseCategoricalCrossentropy, [0, 1, 2, 0]),
        (losses.CategoricalCrossentropy, np.eye(3)[[0, 1, 2, 0]]),
    ):
        values = kind(from_logits, reduction=None)(labels, y_pred)
        assert np.isnan(values[0]) and np.isfinite(values[2:]).all()

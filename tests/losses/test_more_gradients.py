"""Gradients of focal, overlap, CTC and Circle losses, of losses along other axes and of masked ones, in float64."""

import numpy as np
import pytest

from dseq import losses
from tests.losses.lowered import LoweredLoss

N = 4
CASES = [
    (losses.BinaryFocalCrossentropy(label_smoothing=0.1), (2, 3), "soft", "sigmoid"),
    (losses.BinaryFocalCrossentropy(True, 0.3, 1.5, from_logits=True), (2, 3), "soft", None),
    (losses.BinaryFocalCrossentropy(gamma=0.0, axis=1), (2, 3), "soft", "sigmoid"),
    (losses.CategoricalFocalCrossentropy(label_smoothing=0.1), (2, 3), "soft", "sigmoid"),
    (losses.CategoricalFocalCrossentropy(gamma=3.0, from_logits=True, axis=1), (2, 3), "soft", None),
    (losses.CategoricalGeneralizedCrossEntropy(0.7), (2, 3), "classes", "softmax"),
    (losses.Dice(), (2, 3), "soft", "sigmoid"),
    (losses.Dice(axis=(1, 2)), (2, 3), "soft", "sigmoid"),
    (losses.Dice(axis=-1, reduction="sum"), (2, 3), "soft", "sigmoid"),
    (losses.Tversky(0.2, 0.9), (2, 3), "soft", "sigmoid"),
    (losses.Tversky(0.2, 0.9, axis=(0, 1)), (2, 3), "soft", "sigmoid"),
    (losses.Tversky(0.2, 0.9, axis=1), (2, 3), "soft", "sigmoid"),
    (losses.Tversky(0.2, 0.9, reduction="sum"), (2, 3), "soft", "sigmoid"),
    (losses.CTC(), (6, 4), "sequence", None),
    (losses.Circle(gamma=2.0), (3,), "pairs", "tanh"),
    (losses.Circle(gamma=3.0, margin=0.2, remove_diagonal=False, reduction="sum"), (3,), "pairs", "tanh"),
    (losses.Circle(gamma=2.0, reduction="mean_with_sample_weight"), (3,), "pairs", "tanh"),
    (losses.SparseCategoricalCrossentropy(from_logits=True, axis=1), (3, 2, 2), "classes_1", None),
    (losses.CategoricalCrossentropy(axis=2), (2, 3, 2), "soft", "sigmoid"),
    (losses.BinaryCrossentropy(axis=1), (3, 2), "soft", "sigmoid"),
    (losses.CosineSimilarity(axis=1), (3, 2), "soft", None),
]


def labels_for(kind, rng, shape):
    if kind == "classes":
        return rng.integers(0, shape[-1], shape[:-1])
    if kind == "classes_1":
        return rng.integers(0, shape[1], (shape[0], *shape[2:]))
    if kind == "pairs":
        return np.array([0, 1, 0, 1])
    if kind == "sequence":
        return np.array([[1, 1, 2], [3, 0, 0], [0, 0, 0], [2, 3, 2]])
    return rng.uniform(0.05, 0.6, shape)


def name(case):
    return case.name if isinstance(case, losses.Loss) else None


# Samples of a batch that has values for channels only can't be weighted.
WEIGHTED = [case for case in CASES if getattr(case[0], "axis", None) != (0, 1)]


@pytest.mark.parametrize(
    ("weighted", "loss", "shape", "kind", "activation"),
    [*((False, *case) for case in CASES), *((True, *case) for case in WEIGHTED)],
    ids=name,
)
def test_gradient(weighted, loss, shape, kind, activation):
    rng = np.random.default_rng(3)
    y_true, x = labels_for(kind, rng, (N, *shape)), rng.standard_normal((N, *shape))
    lowered = LoweredLoss(loss, y_true.shape[1:], shape, activation, weighted)
    weight = rng.uniform(0.5, 2, (N, lowered.values)) if weighted else None
    total, gradient = lowered.run(y_true, x, weight, scale=0.25)
    assert np.isfinite(total) and gradient.any()

    direction, epsilon = rng.standard_normal(x.shape), 1e-6
    above, _ = lowered.run(y_true, x + epsilon * direction, weight)
    below, _ = lowered.run(y_true, x - epsilon * direction, weight)
    expected = 0.25 * (above - below) / (2 * epsilon)
    np.testing.assert_allclose((gradient * direction).sum(), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("loss", "shape", "kind", "activation"), CASES, ids=name)
def test_a_plan_gives_what_arrays_give(loss, shape, kind, activation):
    rng = np.random.default_rng(4)
    y_true, p = labels_for(kind, rng, (N, *shape)), rng.uniform(0.05, 0.9, (N, *shape))
    lowered = LoweredLoss(loss, y_true.shape[1:], shape)
    total, _ = lowered.run(y_true, p)
    copy = loss.from_config(loss.get_config())
    copy._dtype = "float64"
    np.testing.assert_allclose(total / loss.denominator(N * lowered.values), copy(y_true, p), rtol=1e-9)


def test_impossible_sequences_have_a_large_finite_loss():
    lowered = LoweredLoss(losses.CTC(), (3,), (2, 4))  # three labels in two time steps
    total, gradient = lowered.run([[1, 2, 3]], np.zeros((1, 2, 4)))
    assert 5e4 < total < 1e6 and np.isfinite(gradient).all()


def test_labels_of_sequences_are_checked():
    lowered = LoweredLoss(losses.CTC(), (2,), (3, 4))
    lowered.run([[1, 4], [-1, 0]], np.zeros((2, 3, 4)))
    assert lowered.faults == 2


MASK = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 1]], np.uint8)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
def test_a_mask_leaves_steps_out_and_divides_by_those_that_count(reduction, weighted):
    rng = np.random.default_rng(7)
    loss = losses.MeanSquaredError(reduction=reduction)
    y_true, x, weight = rng.standard_normal((4, 3, 2)), rng.standard_normal((4, 3, 2)), rng.uniform(1, 2, (4, 3))
    lowered = LoweredLoss(loss, (3, 2), (3, 2), weighted=weighted, mask=True)
    total, gradient = lowered.run(y_true, x, weight if weighted else None, mask=MASK)
    values, factor = ((x - y_true) ** 2).mean(-1), MASK * (weight if weighted else 1.0)
    divisor = {"sum": 1, "sum_over_batch_size": MASK.sum(), "mean_with_sample_weight": factor.sum()}[reduction]
    # The session divides by the number of values.
    np.testing.assert_allclose(total / (1 if reduction == "sum" else 12), (values * factor).sum() / divisor, rtol=1e-12)
    expected = factor[..., None] * (x - y_true) * (1 if reduction == "sum" else 12) / divisor
    np.testing.assert_allclose(gradient, expected, rtol=1e-12)


def test_a_mask_and_an_ignored_class_meet():
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=9)
    x = np.random.default_rng(1).standard_normal((4, 3, 2))
    labels = np.array([[0, 9, -7], [1, 5, 5], [7, 7, 7], [1, 0, 9]])
    lowered = LoweredLoss(loss, (3,), (3, 2), mask=True)
    total, _ = lowered.run(labels, x, mask=MASK)
    assert lowered.faults == 0  # nobody minds what a masked label is
    counts = [(0, 0), (1, 0), (3, 0), (3, 1)]
    scores = x - np.log(np.exp(x).sum(-1, keepdims=True))
    expected = -sum(scores[i, t, labels[i, t]] for i, t in counts) / len(counts)
    np.testing.assert_allclose(total / 12, expected, rtol=1e-12)


def test_a_mask_must_be_one_of_the_values():
    with pytest.raises(ValueError, match="mask with 3 steps .* Received: 1 values for each sample"):
        LoweredLoss(losses.Dice(axis=(1, 2)), (3, 2), (3, 2), mask=True)
    LoweredLoss(losses.Dice(), (3, 2), (3, 2), mask=True)  # in a value of the whole batch it takes no part, as in Keras


def test_nothing_that_counts_is_a_loss_of_0():
    lowered = LoweredLoss(losses.MeanSquaredError(), (3, 2), (3, 2), mask=True)
    total, gradient = lowered.run(np.ones((4, 3, 2)), np.zeros((4, 3, 2)), mask=0 * MASK)
    assert total == 0 and not gradient.any()


def test_classes_of_a_whole_batch_can_not_be_weighted_by_sample():
    with pytest.raises(ValueError, match="Samples can't be weighted by dice with axis=\\(0, 1\\)"):
        LoweredLoss(losses.Dice(axis=(0, 1)), (2, 3), (2, 3), weighted=True)


@pytest.mark.parametrize("axis", [0, 3, -3, "channels"])
def test_an_axis_that_is_none(axis):
    with pytest.raises(ValueError, match="`axis` of binary_crossentropy must be an axis"):
        LoweredLoss(losses.BinaryCrossentropy(axis=axis), (2, 3), (2, 3))

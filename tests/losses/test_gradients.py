"""Gradients of lowered losses against central differences in float64, alone and fused with the activation before."""

import numpy as np
import pytest

from dseq import losses
from tests.losses.lowered import LoweredLoss

RUNNERS = ("table", "calls", "python")
LABELS = {
    "SparseCategoricalCrossentropy": "classes",
    "CategoricalCrossentropy": "soft",
    "BinaryCrossentropy": "soft",
    "Hinge": "signs",
    "SquaredHinge": "signs",
    "CategoricalHinge": "one_hot",
    "KLDivergence": "soft",
}
CASES = [
    ("MeanSquaredError", {}, None),
    ("MeanAbsoluteError", {}, None),
    ("MeanAbsolutePercentageError", {}, None),
    ("MeanSquaredLogarithmicError", {}, "sigmoid"),
    ("Huber", {"delta": 0.7}, None),
    ("LogCosh", {}, None),
    ("CosineSimilarity", {}, None),
    ("Poisson", {}, "sigmoid"),
    ("KLDivergence", {}, "softmax"),
    ("Hinge", {}, None),
    ("SquaredHinge", {}, None),
    ("CategoricalHinge", {}, None),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, None),
    ("SparseCategoricalCrossentropy", {}, "softmax"),
    ("SparseCategoricalCrossentropy", {}, "sigmoid"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1}, "softmax"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1, "from_logits": True}, None),
    ("CategoricalCrossentropy", {"from_logits": True}, None),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, None),
    ("CategoricalCrossentropy", {}, "softmax"),
    ("CategoricalCrossentropy", {"label_smoothing": 0.2}, "softmax"),
    ("CategoricalCrossentropy", {"label_smoothing": 0.2}, "sigmoid"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, None),
    ("BinaryCrossentropy", {"label_smoothing": 0.2}, "sigmoid"),
    ("BinaryCrossentropy", {"label_smoothing": 0.2}, "softmax"),
]


def labels_for(name, rng, shape):
    kind = LABELS.get(name, "numbers")
    if kind == "classes":
        return rng.integers(0, shape[-1], shape[:-1])
    if kind == "soft":
        return rng.uniform(0.05, 0.6, shape)  # rows need not sum to 1
    if kind == "signs":
        return rng.choice([-1.0, 1.0], shape)
    if kind == "one_hot":
        return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]
    return rng.standard_normal(shape)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "arguments", "activation"), CASES)
def test_gradient(name, arguments, activation, weighted):
    rng = np.random.default_rng(5)
    shape = (3, 2, 4)
    loss = getattr(losses, name)(**arguments)
    y_true, x = labels_for(name, rng, shape), rng.standard_normal(shape)
    weight = rng.uniform(0.5, 2, shape[:-1]) if weighted else None
    lowered = LoweredLoss(loss, y_true.shape[1:], shape[1:], activation, weighted)
    total, gradient = lowered.run(y_true, x, weight, scale=0.25)
    assert np.isfinite(total) and gradient.any()

    direction, epsilon = rng.standard_normal(shape), 1e-6
    above, _ = lowered.run(y_true, x + epsilon * direction, weight)
    below, _ = lowered.run(y_true, x - epsilon * direction, weight)
    expected = 0.25 * (above - below) / (2 * epsilon)
    np.testing.assert_allclose((gradient * direction).sum(), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("name", "arguments"), [case[:2] for case in CASES if case[2] is None])
def test_runners_and_arrays_agree(name, arguments):
    rng = np.random.default_rng(6)
    loss = getattr(losses, name)(**arguments, dtype="float32", reduction="sum")
    y_true, x = labels_for(name, rng, (7, 5)), rng.standard_normal((7, 5)).astype("float32")
    results = [LoweredLoss(loss, y_true.shape[1:], (5,), dtype="float32", runner=r).run(y_true, x) for r in RUNNERS]
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])
    np.testing.assert_allclose(results[2][0], results[0][0], rtol=1e-5)
    np.testing.assert_allclose(results[2][1], results[0][1], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(loss(y_true, x), results[0][0], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "activation", "arguments", "kernel"),
    [
        ("SparseCategoricalCrossentropy", "softmax", {}, "sparse_fused_backward"),
        ("CategoricalCrossentropy", "softmax", {}, "categorical_fused_backward"),
        ("BinaryCrossentropy", "sigmoid", {}, "binary_fused_backward"),
    ],
)
def test_an_activation_and_its_loss_share_one_backward_kernel(name, activation, arguments, kernel):
    loss = getattr(losses, name)(**arguments)
    y_true = () if name.startswith("Sparse") else (4,)
    kernels = LoweredLoss(loss, y_true, (4,), activation).kernels
    assert kernel in kernels and f"{activation}_backward" not in kernels
    other = LoweredLoss(loss, y_true, (4,), "sigmoid" if activation == "softmax" else "softmax").kernels
    assert kernel not in other


def test_saturated_probabilities_still_learn():
    x = np.array([[60.0, -60.0]])
    for loss, labels in (
        (losses.SparseCategoricalCrossentropy(), [1]),
        (losses.CategoricalCrossentropy(), [[0.0, 1.0]]),
    ):
        lowered = LoweredLoss(loss, np.shape(labels)[1:], (2,), "softmax")
        total, gradient = lowered.run(labels, x)
        assert total == pytest.approx(-np.log(1e-7), rel=1e-6)  # the loss that is shown is clipped
        np.testing.assert_allclose(gradient, [[1, -1]])


def test_gradients_are_added():
    lowered = LoweredLoss(losses.MeanSquaredError(), (3,), (3,))
    step = lowered.step
    _, once = lowered.run(np.zeros((2, 3)), np.ones((2, 3)))
    step.backward()
    np.testing.assert_allclose(step.array(lowered.x.grad), 2 * once)


def test_a_sum_over_shards_is_the_sum_over_all():
    rng = np.random.default_rng(1)
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    labels, x, weight = rng.integers(0, 5, 11), rng.standard_normal((11, 5)), rng.uniform(0, 2, 11)
    lowered = LoweredLoss(loss, (), (5,), weighted=True)
    whole, gradient = lowered.run(labels, x, weight, scale=1 / 11)
    total, parts = 0.0, []
    for lo, hi in ((0, 4), (4, 4), (4, 11)):  # the shard in the middle has no rows
        part, dx = lowered.run(labels[lo:hi], x[lo:hi], weight[lo:hi], scale=1 / 11)
        total += part
        parts.append(dx)
    assert total == pytest.approx(whole, rel=1e-12)
    np.testing.assert_array_equal(np.concatenate(parts), gradient)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "loss",
    [
        losses.MeanSquaredError(),
        losses.CategoricalCrossentropy(from_logits=True),
        losses.BinaryCrossentropy(from_logits=True),
        losses.CosineSimilarity(),
    ],
    ids=lambda loss: loss.name,
)
def test_a_rows_bits_do_not_depend_on_the_others(loss, dtype):
    rng = np.random.default_rng(2)
    y_true, x = rng.uniform(0, 1, (33, 37)), rng.standard_normal((33, 37))
    lowered = LoweredLoss(loss, (37,), (37,), dtype=dtype)
    _, gradient = lowered.run(y_true, x)
    for row in (0, 7, 32):
        _, alone = lowered.run(y_true[row : row + 1], x[row : row + 1])
        np.testing.assert_array_equal(alone[0], gradient[row])


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("wrong", [-1, 3, 2**31 - 1, -(2**31)])
def test_a_label_that_is_no_class_is_a_fault_and_touches_nothing(runner, from_logits, wrong):
    loss = losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    lowered = LoweredLoss(loss, (), (3,), None if from_logits else "softmax", runner=runner)
    _, gradient = lowered.run([0, wrong, 2], np.zeros((3, 3)))
    assert lowered.faults == 1
    assert not gradient[1].any() and gradient[0].any() and gradient[2].any()
    lowered.run([0, 1, 2], np.zeros((3, 3)))
    assert lowered.faults == 0


def test_an_ignored_label_is_no_fault():
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    lowered = LoweredLoss(loss, (), (3,))
    total, gradient = lowered.run([0, 255], np.zeros((2, 3)))
    assert lowered.faults == 0 and total == pytest.approx(np.log(3)) and not gradient[1].any()


def test_labels_out_of_range_in_arrays():
    with pytest.raises(ValueError, match=r"class numbers in \[0, 3\).*Received: labels from 0 to 7"):
        losses.SparseCategoricalCrossentropy()([0, 7], [[0.2, 0.3, 0.5]] * 2)
    with pytest.raises(ValueError, match="class numbers"):
        losses.SparseCategoricalCrossentropy()([0.0, np.nan], [[0.2, 0.3, 0.5]] * 2)

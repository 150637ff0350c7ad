"""The numbers of Keras' own tests for focal, overlap, CTC, Circle and generalized crossentropy losses."""

import numpy as np
import pytest

from dseq import losses

BINARY, GUESS = [[1, 0], [1, 0]], [[0.9, 0.8], [0.7, 0.2]]
LABELS, LOGITS = [[1, 1, 0], [0, 1, 0]], [[1.5, -2.7, 2.9], [-3.8, 1.2, -4.5]]
UNEVEN = [[1.2], [3.4]]


@pytest.mark.parametrize(
    ("weight", "expected", "from_logits"), [(None, 0.268, 0.799), (1.23, 0.3296, 0.9828), (UNEVEN, 0.34415, 0.95977)]
)
def test_binary_focal_crossentropy(weight, expected, from_logits):
    assert losses.BinaryFocalCrossentropy()(BINARY, GUESS, weight) == pytest.approx(expected, abs=1e-3)
    loss = losses.BinaryFocalCrossentropy(gamma=3.0, from_logits=True)
    assert loss(LABELS, LOGITS, weight) == pytest.approx(from_logits, abs=1e-3)


def test_binary_focal_crossentropy_of_rows():
    loss = losses.BinaryFocalCrossentropy(reduction=None)
    np.testing.assert_allclose(loss(BINARY, GUESS), [0.515547, 0.020513], rtol=1e-4)
    np.testing.assert_allclose(losses.binary_focal_crossentropy(BINARY, GUESS), [0.515547, 0.020513], rtol=1e-4)
    plain = losses.BinaryFocalCrossentropy(gamma=0.0)
    assert plain(BINARY, GUESS) == pytest.approx(losses.BinaryCrossentropy()(BINARY, GUESS), rel=1e-6)


P = [[0.9, 0.05, 0.05], [0.5, 0.89, 0.6], [0.05, 0.01, 0.94]]
SCORES = [[8.0, 1.0, 1.0], [0.0, 9.0, 1.0], [2.0, 3.0, 5.0]]


def test_categorical_focal_crossentropy():
    loss = losses.CategoricalFocalCrossentropy()
    assert loss(np.eye(3), P) == pytest.approx(0.02059, abs=1e-4)
    assert loss(np.eye(3), P, 2.3) == pytest.approx(0.047368, abs=1e-4)
    assert loss(np.eye(3), P, [[1.2], [3.4], [5.6]]) == pytest.approx(0.06987, abs=1e-4)
    loss = losses.CategoricalFocalCrossentropy(from_logits=True)
    assert loss(np.eye(3), SCORES) == pytest.approx(0.000345, abs=1e-5)
    smoothed = losses.CategoricalFocalCrossentropy(from_logits=True, label_smoothing=0.1)
    expected = 2 * 0.25 * (0.1 / 3) * -np.log(1e-7)  # two classes that are clipped, with smoothed labels
    assert smoothed([[1, 0, 0]], [[100.0, -100.0, -100.0]]) == pytest.approx(expected, rel=1e-5)


def test_generalized_crossentropy():
    p = [[0.7, 0.3], [0.2, 0.8], [0.6, 0.4], [0.4, 0.6]]
    for q in (0.5, 0.8):
        expected = (1 - np.array([0.7, 0.8, 0.6, 0.6]) ** q) / q
        loss = losses.CategoricalGeneralizedCrossEntropy(q)
        assert loss([0, 1, 0, 1], p) == pytest.approx(expected.mean(), rel=1e-6)
        np.testing.assert_allclose(
            losses.categorical_generalized_cross_entropy([0, 1, 0, 1], p, q), expected, rtol=1e-6
        )
    with pytest.raises(ValueError, match=r"class numbers in \[0, 2\).* Received: labels from 0 to 2"):
        losses.CategoricalGeneralizedCrossEntropy()([0, 2], p[:2])


T4 = [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]]
P4 = [[0, 1, 0, 1], [1, 0, 1, 1], [0, 1, 0, 1], [1, 0, 1, 1]]
IMAGES = [[[[1.0], [1.0]], [[0.0], [0.0]]], [[[1.0], [1.0]], [[0.0], [0.0]]]]
FOUND = [[[[0.0], [1.0]], [[0.0], [1.0]]], [[[0.4], [0.0]], [[0.0], [0.9]]]]


@pytest.mark.parametrize(
    ("loss", "numbers", "segments", "images"),
    [
        (losses.Dice, -0.55555546, 0.77777773, [0.5, 0.75757575]),
        (losses.Tversky, -0.55555546, 0.77777773, [0.5, 0.75757575]),
        (lambda **kw: losses.Tversky(alpha=0.2, beta=0.8, **kw), -0.29629636, 0.7916667, [0.5, 0.7222222]),
    ],
)
def test_overlap(loss, numbers, segments, images):
    assert loss()([[1, 2], [1, 2]], [[4, 1], [6, 1]]) == pytest.approx(numbers, rel=1e-6)
    assert loss()(T4, P4) == pytest.approx(segments, rel=1e-6)
    np.testing.assert_allclose(loss(axis=(1, 2, 3), reduction=None)(IMAGES, FOUND), images, rtol=1e-6)


def test_overlap_of_a_batch_with_weights():
    value = losses.dice(T4, P4)
    assert losses.Dice()(T4, P4, sample_weight=[1, 2, 3, 4]) == pytest.approx(2.5 * value)
    assert losses.Dice(reduction="sum")(T4, P4) == pytest.approx(value)
    assert losses.tversky(T4, P4, axis=0).shape == (4,)


def test_ctc():
    logits = (np.arange(24).reshape((2, 4, 3)).astype("float32") - 12) / 100
    labels = [[1, 2, 1, 0], [1, 2, 0, 2]]
    assert losses.CTC()(labels, logits) == pytest.approx(2.448645, rel=1e-6)
    np.testing.assert_allclose(losses.ctc(labels, logits).mean(), 2.448645, rtol=1e-6)


def test_ctc_sums_over_all_readings():
    """Two labels in three steps: every path that reads 1, 2 once repetitions and blanks are taken out."""
    p = np.random.default_rng(0).dirichlet(np.ones(3), 3)
    paths = [(1, 2, 0), (1, 0, 2), (0, 1, 2), (1, 1, 2), (1, 2, 2)]
    expected = -np.log(sum(np.prod([p[t, k] for t, k in enumerate(path)]) for path in paths))
    assert losses.CTC(dtype="float64")([[1, 2]], np.log(p)[None]) == pytest.approx(expected, rel=1e-9)
    twice = -np.log(p[0, 1] * p[1, 0] * p[2, 1])  # a blank must part equal labels
    assert losses.CTC(dtype="float64")([[1, 1]], np.log(p)[None]) == pytest.approx(twice, rel=1e-9)


EMBEDDED = [
    [0.70014004, -0.42008403, 0.14002801, 0.56011203],
    [0.17609018, 0.70436073, -0.52827054, 0.44022545],
    [-0.34050261, 0.25537696, -0.68100522, 0.59587957],
    [0.32163376, -0.75047877, 0.53605627, -0.21442251],
    [0.51261459, -0.34174306, 0.17087153, 0.76892189],
]
REFERENCES = [
    [0.40824829, -0.54433105, 0.27216553, 0.68041382],
    [0.76376261, 0.10910895, -0.54554473, 0.32732684],
    [-0.74420841, 0.24806947, 0.49613894, -0.3721042],
    [0.52981294, -0.13245324, 0.79471941, -0.26490647],
    [0.54554473, -0.32732684, 0.10910895, 0.76376261],
    [-0.27216553, 0.68041382, 0.40824829, -0.54433105],
]
KINDS, REF_KINDS = [1, 1, 2, 2, 3], [1, 1, 2, 2, 3, 4]


def test_circle():
    assert losses.Circle()(KINDS, EMBEDDED) == pytest.approx(188.3883, rel=1e-4)
    assert losses.Circle(gamma=256, margin=0.25)(KINDS, EMBEDDED) == pytest.approx(652.7617, rel=1e-4)
    weight = [2.0, 2.0, 1.0, 1.0, 0.5]
    assert losses.Circle()(KINDS, EMBEDDED, weight) == pytest.approx(244.91918, rel=1e-4)
    loss = losses.Circle(reduction="mean_with_sample_weight")
    assert loss(KINDS, EMBEDDED, weight) == pytest.approx(163.27948, rel=1e-4)
    found = losses.Circle(reduction=None)(REF_KINDS, REFERENCES)
    np.testing.assert_allclose(found, [82.9116, 36.7942, 92.4590, 52.6798, 0.0, 0.0], atol=1e-3)
    assert losses.Circle(reduction="sum")(REF_KINDS, REFERENCES) == pytest.approx(264.845, rel=1e-5)


def test_circle_with_references():
    found = losses.circle(
        KINDS, EMBEDDED, ref_labels=REF_KINDS, ref_embeddings=REFERENCES, remove_diagonal=False, gamma=80.0, margin=0.4
    )
    np.testing.assert_allclose(found, [61.5844, 94.3465, 276.9344, 90.9873, 48.8963], rtol=1e-5)


@pytest.mark.parametrize(
    ("loss", "labels", "predictions", "message"),
    [
        (losses.CTC(), (2, 3), (4, 5), "Targets `y_true` are expected"),
        (losses.CTC(), (2,), (5,), "Logits `y_pred` are expected"),
        (losses.Circle(), (), (4, 5), "must be embeddings of shape"),
        (losses.Circle(), (4,), (4,), "one class number for each row"),
        (losses.Dice(), (4,), (5,), "must have the same shape for dice"),
        (losses.CategoricalFocalCrossentropy(), (), (5,), "must have the same shape"),
    ],
)
def test_shapes(loss, labels, predictions, message):
    with pytest.raises(ValueError, match=message):
        loss.target(labels, predictions)


def test_axes_of_overlap():
    with pytest.raises(ValueError, match=r"`axis` of dice must be axes .* Received: axis=4"):
        losses.Dice(axis=4).values_shape((2, 3))
    assert losses.Dice(axis=(1, -1)).values_shape((2, 3, 4)) == (3,)
    assert losses.Dice().values_shape((2, 3, 4)) == ()

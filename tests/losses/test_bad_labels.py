"""Labels that a loss cannot use end `fit` before anything is changed."""

import numpy as np
import pytest

import dseq
from dseq import layers, losses

X = np.ones((6, 4, 5), "float32")


@pytest.mark.parametrize(
    ("loss", "labels", "message"),
    [
        ("categorical_generalized_cross_entropy", [[0, 1, 2, 7]] * 6, r"class numbers in \[0, 3\).* from 0 to 7"),
        ("sparse_categorical_crossentropy", [[0, 1, 2, -1]] * 6, r"class numbers in \[0, 3\).* from -1 to 2"),
        ("sparse_categorical_crossentropy", [[0, 1, 2, np.nan]] * 6, "Labels must be class numbers. Received.* nan"),
        (losses.SparseCategoricalCrossentropy(axis=1), [[0, 1, 4]] * 6, r"class numbers in \[0, 4\).* from 0 to 4"),
        ("ctc", [[1, 3]] * 6, r"class numbers in \[1, 3\), or 0 behind the end.* from 1 to 3"),
        ("ctc", [[1, 0.5]] * 6, "Labels must be class numbers"),
        ("dice", [[1, 0]] * 6, "must have the same shape for dice"),
        (losses.BinaryCrossentropy(axis=3), np.ones((6, 4, 3)), "`axis` of binary_crossentropy must be an axis"),
    ],
)
def test_labels_and_axes(loss, labels, message):
    model = dseq.Sequential([layers.Input((4, 5)), layers.Dense(3, "softmax")])
    model.compile("sgd", loss)
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        model.fit(X, np.array(labels), verbose=0)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_masked_labels_may_be_anything():
    x = X.copy()
    x[:, 2:] = 0
    model = dseq.Sequential([layers.Input((4, 5)), layers.Masking(), layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    loss = model.evaluate(x, np.array([[0, 1, -1, 99]] * 6), verbose=0)
    p = model.predict(x, verbose=0)
    assert loss == pytest.approx(-np.log(p[:, [0, 1], [0, 1]]).mean(), rel=1e-5)


def test_weights_of_classes_that_do_not_appear():
    model = dseq.Sequential([layers.Input((5,)), layers.Dense(3, "softmax")])
    model.compile(dseq.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    labels = np.arange(6) % 2
    history = model.fit(X[:, 0], labels, class_weight={1: 3.0, 2: 100.0}, verbose=0).history  # class 0 weighs 1
    p = model.predict(X[:, 0], verbose=0)[np.arange(6), labels]
    assert history["loss"] == pytest.approx([(-np.log(p) * np.where(labels == 1, 3, 1)).mean()], rel=1e-5)
    with pytest.raises(ValueError, match="class_weight.*and.*sample_weight"):
        model.fit(X[:, 0], labels, class_weight={1: 3.0}, sample_weight=np.ones(6), verbose=0)

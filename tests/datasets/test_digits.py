"""The digits in the package: their shape, their split, and that they are the digits they claim to be."""

import numpy as np
import pytest

from dseq.datasets import digits


def test_shapes_types_and_ranges():
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    assert x_train.shape == (1437, 8, 8) and y_train.shape == (1437,)
    assert x_test.shape == (360, 8, 8) and y_test.shape == (360,)
    for x, y in ((x_train, y_train), (x_test, y_test)):
        assert x.dtype == np.uint8 and y.dtype == np.uint8
        assert (x.min(), x.max()) == (0, 16)
        assert set(y) == set(range(10))


def test_test_set_has_36_of_each_digit_and_order_is_shuffled():
    (_, y_train), (_, y_test) = digits.load_data()
    np.testing.assert_array_equal(np.bincount(y_test), [36] * 10)
    for y in (y_train, y_test):
        assert 0.05 < np.mean(y[1:] == y[:-1]) < 0.15


def test_no_sample_is_in_both_sets():
    (x_train, _), (x_test, _) = digits.load_data()
    seen = {x.tobytes() for x in x_train}
    assert not any(x.tobytes() in seen for x in x_test)


def test_labels_belong_to_their_images():
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    x_train, x_test = x_train.reshape(-1, 64).astype(float), x_test.reshape(-1, 64).astype(float)
    distances = (x_test**2).sum(1)[:, None] - 2 * x_test @ x_train.T + (x_train**2).sum(1)
    assert np.mean(y_train[distances.argmin(1)] == y_test) > 0.98


def test_each_call_gives_arrays_of_its_own():
    digits.load_data()[0][0][:] = 0
    assert digits.load_data()[0][0].any()


def test_split_is_the_documented_one():
    source = pytest.importorskip("sklearn.datasets").load_digits()
    order = np.random.RandomState(0).permutation(1797)
    kept, held = [], []
    counts = [0] * 10
    for i in order:
        digit = source.target[i]
        (held if counts[digit] < 36 else kept).append(i)
        counts[digit] += 1
    for (x, y), rows in zip(digits.load_data(), (kept, held), strict=True):
        np.testing.assert_array_equal(x, source.images[rows])
        np.testing.assert_array_equal(y, source.target[rows])

"""One-hot rows."""

import numpy as np
import pytest

from dseq.utils import to_categorical


def test_rows():
    rows = to_categorical([0, 3, 1], 4)
    assert rows.dtype == np.float64
    np.testing.assert_array_equal(rows, np.eye(4)[[0, 3, 1]])
    np.testing.assert_array_equal(to_categorical([0, 3, 1]), rows)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((5,), (5, 3)), ((5, 1), (5, 3)), ((4, 5, 1), (4, 5, 3)), ((4, 5), (4, 5, 3)), ((1,), (1, 3))],
)
def test_shapes(shape, expected):
    assert to_categorical(np.ones(shape), 3).shape == expected


def test_round_trip():
    labels = np.random.default_rng(0).integers(0, 10, (100, 1))
    np.testing.assert_array_equal(to_categorical(labels, 10).argmax(-1), labels[:, 0])


def test_numbers_that_are_no_classes():
    with pytest.raises(IndexError, match=r"\[0, 3\). Received: 3"):
        to_categorical([0, 3], 3)
    with pytest.raises(IndexError, match=r"Received: -1"):
        to_categorical([0, -1], 3)


def test_empty():
    assert to_categorical([], 3).shape == (0, 3)
    with pytest.raises(ValueError, match="`num_classes` must be given"):
        to_categorical([])

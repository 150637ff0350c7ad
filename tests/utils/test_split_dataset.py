"""Data in two parts."""

import numpy as np
import pytest

from dseq.utils import split_dataset

X = np.arange(20).reshape(10, 2)


@pytest.mark.parametrize(
    "left, right, sizes",  # of ten
    [
        (0.8, None, (8, 2)),
        (None, 0.3, (7, 3)),
        (4, None, (4, 6)),
        (None, 4, (6, 4)),
        (3, 0.5, (3, 5)),
        (0.5, 0.5, (5, 5)),
    ],
)
def test_sizes(left, right, sizes):
    first, last = split_dataset(X, left, right)
    np.testing.assert_array_equal(first, X[: sizes[0]])
    np.testing.assert_array_equal(last, X[10 - sizes[1] :])


def test_structures_and_shuffling():
    data = {"a": X, "b": (X[:, 0], np.arange(10.0))}
    first, last = split_dataset(data, 0.8)
    assert set(first) == {"a", "b"} and len(last["b"][0]) == 2
    first, last = split_dataset((X, X[:, 1]), 6, shuffle=True, seed=2)
    np.testing.assert_array_equal(first[0][:, 1], first[1])
    everything = np.concatenate([first[1], last[1]])
    assert sorted(everything) == list(range(1, 20, 2)) and not np.array_equal(everything, X[:, 1])
    again = split_dataset((X, X[:, 1]), 6, shuffle=True, seed=2)
    np.testing.assert_array_equal(again[0][0], first[0])


@pytest.mark.parametrize(
    "arguments, kind, message",
    [
        ((X,), ValueError, "At least one of `left_size` or `right_size`"),
        ((X, 0), ValueError, "`left_size` should be either a positive integer smaller than 10"),
        ((X, 1.5), ValueError, "`left_size` should be"),
        ((X, None, 10), ValueError, "`right_size` should be"),
        ((X, 6, 5), ValueError, "should be smaller than 10"),
        ((X, 0.01), ValueError, "Neither part may be empty"),
        ((X, "half"), TypeError, "Invalid `left_size` Type"),
        (("text", 0.5), TypeError, "must be an array"),
        (((X, X[:5]), 0.5), ValueError, "equally many samples"),
    ],
)
def test_errors(arguments, kind, message):
    with pytest.raises(kind, match=message):
        split_dataset(*arguments)

"""Sequences brought to one length: the values of Keras' own tests."""

import numpy as np
import pytest

from dseq.utils import pad_sequences

A = [[1], [1, 2], [1, 2, 3]]


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"maxlen": 3, "padding": "pre"}, [[0, 0, 1], [0, 1, 2], [1, 2, 3]]),
        ({"maxlen": 3, "padding": "post"}, [[1, 0, 0], [1, 2, 0], [1, 2, 3]]),
        ({"maxlen": 2, "truncating": "pre"}, [[0, 1], [1, 2], [2, 3]]),
        ({"maxlen": 2, "truncating": "post"}, [[0, 1], [1, 2], [1, 2]]),
        ({"maxlen": 3, "value": 1}, [[1, 1, 1], [1, 1, 2], [1, 2, 3]]),
        ({}, [[0, 0, 1], [0, 1, 2], [1, 2, 3]]),
    ],
)
def test_numbers(options, expected):
    result = pad_sequences(A, **options)
    assert result.dtype == np.int32
    np.testing.assert_array_equal(result, expected)


def test_text_vectors_and_empty_ones():
    text = [["1"], ["1", "2"]]
    assert pad_sequences(text, dtype=object, value="pad").tolist() == [["pad", "1"], ["1", "2"]]
    assert pad_sequences(text, dtype="<U3", value="pad").tolist() == [["pad", "1"], ["1", "2"]]
    vectors = [[[1, 1]], [[2, 1], [2, 2]], []]
    result = pad_sequences(vectors, maxlen=3, dtype="float32")
    assert result.shape == (3, 3, 2)
    np.testing.assert_array_equal(result[1], [[0, 0], [2, 1], [2, 2]])
    assert not result[2].any()
    assert pad_sequences(A, maxlen=0).shape == (3, 0)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((3,), "`sequences` must be iterable"),
        (([1, 2],), "Found non-iterable: 1"),
        (([[[1, 2]], [[1]]],), r"Shape of sample \(1,\) of sequence at position 1"),
        ((A, 2, "int32", "left"), 'Padding type "left" not understood'),
        ((A, 2, "int32", "pre", "left"), 'Truncating type "left" not understood'),
        ((A, 2, "int32", "pre", "pre", "pad"), "is not compatible with `value`'s type"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        pad_sequences(*arguments)

"""What is kept for later calls is found for equal arguments only, and does not pile up."""

import numpy as np
import pytest

from dseq.program.recent import Recent, constant_key


def test_the_least_recently_used_goes_first():
    kept = Recent()
    kept.limit = 2
    made = []

    def get(key):
        return kept.get_or_make(key, lambda: made.append(key) or key)

    for key in (1, 2, 1, 3, 1, 2):
        assert get(key) == key
    assert made == [1, 2, 3, 2]
    assert list(kept) == [1, 2]
    twin = kept.copy()
    twin.get_or_make(5, lambda: 5)
    assert list(kept) == [1, 2] and list(twin) == [2, 5]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, 1.0),
        (1, True),
        (0.0, -0.0),
        (np.zeros(3), np.zeros(3, "float32")),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.arange(2000), np.where(np.arange(2000) == 1000, 5, np.arange(2000))),
        (np.float32(1), np.float64(1)),
        (slice(1, 2), slice(1, 3)),
        (lambda x: x, lambda x: x),
        ([], []),
    ],
)
def test_other_constants_have_other_keys(a, b):
    assert constant_key(a) != constant_key(b)
    assert constant_key(a) == constant_key(a)


@pytest.mark.parametrize(
    "make", [lambda: float("nan"), lambda: "text", lambda: np.arange(5), lambda: slice(None, 3), lambda: None]
)
def test_equal_constants_have_equal_keys(make):
    assert constant_key(make()) == constant_key(make())
    assert hash(constant_key(make())) == hash(constant_key(make()))

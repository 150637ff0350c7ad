"""Sums over rows in their order, and words by which processes wait for each other."""

import threading

import numpy as np
import pytest

from dseq.kernels.base import JIT
from dseq.kernels.shared import BLOCK, LINE, SLEEPERS, WAKE, lie_down, meet, sum_rows, wait


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_sum_rows(count, dtype):
    rng = np.random.default_rng(count)
    rows = rng.standard_normal((count, 3 * BLOCK)).astype(dtype)
    lo, hi = 48, 2 * BLOCK + 55  # two whole blocks and a short one
    expected = rows[0].copy()
    for row in rows[1:]:
        expected += row
    block = np.full(BLOCK, np.nan, dtype)
    for own in (None, *range(count)):
        given = rows.copy()
        total = np.full(hi - lo, np.nan, dtype) if own is None else given[own, lo:hi]
        sum_rows(total, given, lo, block)
        np.testing.assert_array_equal(total, expected[lo:hi])
        untouched = np.ones(given.shape, bool)
        if own is not None:
            untouched[own, lo:hi] = False
        np.testing.assert_array_equal(given[untouched], rows[untouched])
    sum_rows(rows[0, :0], rows, 7, block)


def test_the_sum_is_taken_in_the_order_of_rows():
    rows = np.array([[1e8], [1.0], [-1e8], [1.0]], "float32")
    total = np.zeros(1, "float32")
    sum_rows(total, rows, 0, np.zeros(BLOCK, "float32"))
    assert total[0] == 1.0  # 1e8 + 1 is 1e8; any other order gives 2 or 0


def test_words():
    words = np.zeros(3 * LINE, np.int64)
    assert meet(words, 1, 1, 5) == 0
    assert words[LINE] == 1 and words.sum() == 1
    words[0] = 2
    assert wait(words, 1, 5) == 2
    assert lie_down(words, 2, 1) == 0 and words[2 * LINE + SLEEPERS] == 1
    assert meet(words, 2, 1, 0) == WAKE and words[2 * LINE] == 1 and words[2 * LINE + SLEEPERS] == 0
    assert wait(words, 1, 0) == -1 and wait(words, 2, 0) == 1


@pytest.mark.skipif(not JIT, reason="without the compiler, threads run one after the other")
def test_what_was_written_before_the_meeting_is_seen_after_it():
    words, data, wrong = np.zeros(2 * LINE, np.int64), np.zeros((2, 4 * LINE), np.int64), []
    meet(np.zeros(LINE, np.int64), 0, 0, 0)

    def run(own):
        for count in range(1, 2001, 2):
            data[own] = count
            if meet(words, own, count, 1 << 40) != -1 or (data[1 - own] != count).any():
                wrong.append(count)
            meet(words, own, count + 1, 1 << 40)

    threads = [threading.Thread(target=run, args=(own,)) for own in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong and (words[::LINE] == 2000).all()

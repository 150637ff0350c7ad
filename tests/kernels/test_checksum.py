"""Checksums see every flipped bit, and flags summed over ranks tell all of them the same."""

import numpy as np
import pytest

from dseq.kernels.checksum import BAD, FIRST_BIT, FLAGS, STOP, STRAYED, checksum, read_flags, write_flags

MODULUS = 2**64


def words(dtype, size=37):
    values = np.random.default_rng(1).standard_normal(size).astype(dtype)
    return values.view(f"i{values.itemsize}")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_formula(dtype):
    values = words(dtype)
    halves = values.view("u4").tolist()
    per = len(halves) // len(values)
    expected = sum(w * (2 * i + 1) for i, w in enumerate(halves) if 5 * per <= i < 30 * per)
    assert (checksum(values, 5, 30) - expected) % MODULUS == 0
    assert checksum(values, 7, 7) == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_any_flipped_bit_changes_it(dtype):
    values = words(dtype, 9)
    whole = checksum(values, 0, values.size)
    seen = {whole}
    for i in range(values.size):
        for bit in range(8 * values.itemsize):
            values.view("u1")[i * values.itemsize + bit // 8] ^= 1 << bit % 8
            seen.add(checksum(values, 0, values.size))
            values.view("u1")[i * values.itemsize + bit // 8] ^= 1 << bit % 8
    # All differ, and so two flipped bits are seen as well: they can't undo each other.
    assert len({total % MODULUS for total in seen}) == 1 + values.nbytes * 8


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_is_one_value(dtype):
    one = np.array([1, np.nan, 2], dtype)
    other = -one
    other[[0, 2]] *= -1
    other.view("u1")[one.itemsize] ^= 1
    kind = f"i{one.itemsize}"
    assert one.view(kind)[1] != other.view(kind)[1] and np.isnan(other[1])
    assert checksum(one.view(kind), 0, 3) == checksum(other.view(kind), 0, 3)
    infinite = np.array([1, np.inf, 2], dtype)
    assert checksum(one.view(kind), 0, 3) != checksum(infinite.view(kind), 0, 3)


def flags(values, stop=0, strayed=0, sums=(0.0,), grads=(0.0,)):
    mine = np.full(FLAGS, 9, "float32")
    found = write_flags(
        mine, stop, strayed, np.array(sums, "f"), np.array(grads, "f"), 0, len(grads), values, 0, values.size
    )
    assert found == mine[BAD]
    return mine


def test_sums_over_ranks():
    same = [flags(words("float32")) for _ in range(3)]
    assert read_flags(np.sum(same, 0), 0, 3) == 0
    assert set(same[0][FIRST_BIT:]) == {0, 1} and not same[0][[STOP, BAD, STRAYED]].any()
    assert read_flags(same[0] + same[1] + flags(words("float32"), stop=1), 0, 3) == 1
    assert read_flags(same[0] + same[1] + flags(words("float32"), sums=[1, np.inf]), 0, 3) == 2
    assert read_flags(same[0] + same[1] + flags(words("float32"), grads=[np.nan, 1]), 0, 3) == 2
    assert read_flags(flags(words("float32"), strayed=1, stop=1) + same[1] + same[2], 0, 3) == 5
    for value, found in ((1.0, 0), (np.inf, 2), (np.nan, 2)):  # what no rank has looked for is in the sums
        assert read_flags(np.append(np.float32([2, value]), np.sum(same, 0)), 2, 3) == found


def test_all_ranks_see_a_difference_whose_mean_is_one_of_them():
    """5 on one rank, 4 and 6 on the others: compared with the mean, the first would not see it."""
    ranks = [flags(np.array([value], "i4")) for value in (5, 4, 6)]
    assert read_flags(np.sum(ranks, 0), 0, 3) == 8

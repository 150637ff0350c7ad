"""Shards, batches and orders of epochs: laws that hold for all sizes, empty and ragged ones included."""

import numpy as np
import pytest

from dseq.parallel.shard import Division, batch_slices, epoch_order, shard


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_shards_cover_all_rows_once_and_evenly(size):
    for count in (0, 1, 2, size - 1, size, size + 1, 5 * size - 1, 100):
        parts = [shard(count, rank, size) for rank in range(size)]
        assert [row for lo, hi in parts for row in range(lo, hi)] == list(range(count))
        lengths = [hi - lo for lo, hi in parts]
        assert max(lengths) - min(lengths) <= 1
        assert lengths == sorted(lengths, reverse=True)


@pytest.mark.parametrize("shards", [None, 5, 8])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_ranks_hold_runs_of_shards(shards, size):
    """In strict mode the rows of a shard depend on the batch alone; without, each rank is one shard."""
    for count in (0, 1, 4, 7, 8, 100):
        divisions = [Division(rank, size, shards) for rank in range(size)]
        assert [row for d in divisions for row in range(*d.rows(count))] == list(range(count))
        found = []
        for d in divisions:
            lo, hi = d.rows(count)
            cuts = d.cuts(count)
            assert cuts[0] == 0 and cuts[-1] == hi - lo and len(cuts) == d.last - d.first + 1
            found += [(lo + a, lo + b) for a, b in zip(cuts, cuts[1:], strict=False)]
            assert all(d.rows(count, other.rank) == other.rows(count) for other in divisions)
        assert found == [shard(count, number, shards or size) for number in range(shards or size)]
    if shards:
        with pytest.raises(ValueError, match="8 shards for 9 ranks" if shards == 8 else "5 shards for 9 ranks"):
            Division(0, 9, shards)


def test_batches_cover_all_samples_once():
    assert batch_slices(10, 4) == [(0, 4), (4, 8), (8, 10)]
    assert batch_slices(8, 4) == [(0, 4), (4, 8)]
    assert batch_slices(3, 4) == [(0, 3)]
    assert batch_slices(0, 4) == []


def test_an_order_is_a_function_of_seed_and_epoch():
    order = epoch_order(1000, 7, 2)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(np.sort(order), np.arange(1000))
    np.testing.assert_array_equal(order, epoch_order(1000, 7, 2))
    for seed, epoch in ((7, 3), (8, 2), (2, 7), (7 + 2**32, 2)):
        assert (order != epoch_order(1000, seed, epoch)).any()


def test_an_order_stays_the_same_in_years_to_come():
    """A resumed run must see what the first would have seen, whatever NumPy is installed by then."""
    np.testing.assert_array_equal(epoch_order(10, 1, 0), [8, 4, 7, 0, 1, 2, 5, 9, 6, 3])
    np.testing.assert_array_equal(epoch_order(7, 1, 0, "batch", 2), [0, 1, 2, 3, 4, 5, 6])


def test_whole_batches_change_places_and_the_short_one_stays():
    order = epoch_order(103, 0, 0, "batch", 10)
    np.testing.assert_array_equal(order[100:], [100, 101, 102])
    starts = order[:100:10]
    np.testing.assert_array_equal(order[:100], (starts[:, None] + np.arange(10)).ravel())
    np.testing.assert_array_equal(np.sort(starts), np.arange(0, 100, 10))
    assert (np.diff(starts) != 10).any()


@pytest.mark.parametrize("samples", [0, 1, 3])
@pytest.mark.parametrize("shuffle", [True, "batch"])
def test_few_samples(samples, shuffle):
    assert sorted(epoch_order(samples, 0, 0, shuffle, 4)) == list(range(samples))


def test_no_shuffling_is_the_samples_own_order():
    assert epoch_order(10, 1, 0, shuffle=False) is None


def test_unknown_shuffle():
    with pytest.raises(ValueError, match=r"`shuffle` must be .* Received: shuffle='yes'"):
        epoch_order(10, 1, 0, shuffle="yes")

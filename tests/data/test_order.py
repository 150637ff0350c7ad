"""The order of a file's samples: complete, the same for any number of ranks, read in large runs, well mixed."""

import numpy as np
import pytest

from dseq.data.order import Order
from dseq.parallel.shard import Division, epoch_order

CASES = [
    (103, 8, 10, 40, True),
    (103, 8, 10, 40, "batch"),
    (103, 8, 10, 40, False),
    (64, 8, 8, 1000, True),
    (7, 32, 2, 100, True),
    (100, 10, 1, 30, True),
    (50, 7, 50, 5, True),
]


def visited(order, size=1):
    """The rows of each batch, from the runs and places that each rank was given."""
    batches = []
    for window in range(-(-order.batches // order.in_window)):
        parts = [order.window(window, Division(rank, size)) for rank in range(size)]
        for k in range(len(parts[0][2]) - 1):
            rows = []
            for runs, places, starts in parts:
                read = np.concatenate([np.arange(0), *(np.arange(a, b) for a, b in runs)])
                rows.append(read[places[starts[k] : starts[k + 1]]])
            batches.append(np.concatenate(rows))
    return batches


@pytest.mark.parametrize("case", CASES)
def test_each_sample_once_and_the_same_on_any_number_of_ranks(case):
    samples, batch_size, block, buffer, shuffle = case
    order = Order(samples, batch_size, block, buffer, seed=4, turn=2, shuffle=shuffle)
    alone = visited(order)
    assert [len(batch) for batch in alone] == [min(batch_size, samples - lo) for lo in range(0, samples, batch_size)]
    assert sorted(np.concatenate(alone)) == list(range(samples))
    for size in (2, 3, 5):
        for a, b in zip(visited(order, size), alone, strict=True):
            np.testing.assert_array_equal(a, b)
    if shuffle is not True:
        expected = epoch_order(samples, 4, 2, shuffle, batch_size)
        np.testing.assert_array_equal(np.concatenate(alone), np.arange(samples) if expected is None else expected)


def test_another_order_for_each_turn_and_seed():
    orders = [np.concatenate(visited(Order(100, 10, 5, 50, seed, turn))) for seed, turn in ((1, 1), (1, 2), (2, 1))]
    assert not np.array_equal(orders[0], orders[1]) and not np.array_equal(orders[0], orders[2])
    again = np.concatenate(visited(Order(100, 10, 5, 50, 1, 1)))
    np.testing.assert_array_equal(orders[0], again)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_rank_reads_its_share_in_runs_as_long_as_blocks(size):
    samples, batch_size, block = 4096, 12, 64
    order = Order(samples, batch_size, block, 1024, seed=1)
    for rank in range(size):
        runs = [
            run
            for window in range(-(-order.batches // order.in_window))
            for run in order.window(window, Division(rank, size))[0]
        ]
        rows = sum(b - a for a, b in runs)
        assert abs(rows - samples / size) < samples / batch_size, rows
        # A block is cut where windows or ranks meet, and the ragged last batch needs some single rows.
        assert len(runs) < samples / block / size + 2 * 5 + batch_size, len(runs)


def test_samples_are_well_mixed():
    """Sorted labels: each batch has about as many of each class as chance would give it, and not the same rows."""
    labels = np.repeat(np.arange(8), 512)
    order = Order(len(labels), 32, 32, 1024, seed=3)
    batches = visited(order)
    counts = np.array([np.bincount(labels[batch], minlength=8) for batch in batches])
    assert (counts > 0).sum(1).min() >= 6 and counts.max() <= 16
    # Neighbours in the file are strangers in the batches: fewer pairs than chance would bring together.
    together = sum((np.diff(np.sort(batch)) == 1).sum() for batch in batches)
    assert together <= 4096 * 31 / 1024
    follows = np.diff(np.concatenate(batches))
    assert (follows == 1).mean() < 0.05


def test_what_is_no_way_to_shuffle():
    with pytest.raises(ValueError, match="must be True, False or 'batch'. Received: shuffle='blocks'"):
        Order(10, 2, 2, 4, shuffle="blocks")

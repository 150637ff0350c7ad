"""Work done ahead: in order, no further than allowed, and over when nobody asks any more."""

import threading
import time

import pytest

from dseq.data import ahead


def test_order_is_kept_and_the_queue_is_short():
    begun = []

    def work(item):
        begun.append(item)
        time.sleep(0.02 if item % 3 == 0 else 0)
        return item**2

    results = ahead.in_order(ahead.threads(3), work, range(20), 4)
    for item in range(10):
        assert next(results) == item**2
        assert max(begun) <= item + 4
    results.close()
    count = len(begun)
    time.sleep(0.05)
    assert len(begun) == count and not any(one.name.startswith("dseq-data") for one in threading.enumerate())


def test_an_exception_comes_in_its_turn():
    results = ahead.in_order(ahead.threads(2), lambda item: 1 / (item - 2), range(5), 3)
    assert [next(results), next(results)] == [-0.5, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_what_the_caller_has_is_not_overwritten():
    slots = [[None], [None]]

    def load(item, slot):
        slot[0] = item
        return slot

    for item, slot in enumerate(ahead.double_buffered(load, range(7), slots)):
        time.sleep(0.005)  # the thread loads the next meanwhile
        assert slot == [item]


def test_processes_see_what_they_were_given():
    data = {"factor": 3}
    pool = ahead.processes(2, data)
    assert list(ahead.in_order(pool, times, range(5), 2)) == [0, 3, 6, 9, 12]


def times(item):
    return ahead.in_process(lambda data, number: data["factor"] * number, item)

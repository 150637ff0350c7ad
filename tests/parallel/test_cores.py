"""Cores and threads: what the environment says, and what is done with it."""

import os
import threading

import pytest

from dseq import config
from dseq.parallel import cores


class Node:
    """As a communicator, for what `cores` asks."""

    host, rank, size, local_size = "node1", 0, 2, 2

    def __init__(self, gathered=()):
        self.gathered = gathered

    def allgather_object(self, value):
        return self.gathered


def test_threads_of_a_rank(monkeypatch):
    monkeypatch.setattr(cores, "own", lambda: list(range(8)))
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    monkeypatch.setattr(config, "threads", 3)
    assert cores.threads(Node()) == 3
    monkeypatch.setattr(config, "threads", 0)
    assert cores.threads(Node()) == 4  # nobody is bound: two ranks have eight cores
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    assert cores.threads(Node()) == 3
    monkeypatch.setattr(cores, "own", lambda: [2, 3])
    assert cores.threads(Node()) == 2  # this rank is bound to them


def test_ranks_that_share_a_core_are_told(capsys, monkeypatch):
    monkeypatch.setattr(cores, "_checked", set())
    assert cores.complaint("node1", [[0, 1], [0, 1]], 2) == ""
    assert cores.complaint("node1", [[0], [1]], 4) == ""
    assert cores.complaint("node1", [[0]] * 3, 1) == ""  # there is only one
    assert "the 2 ranks on node1 share 1 of its 4 cores (3)" in cores.complaint("node1", [[3], [3]], 4)
    world = Node([("node1", [0], 4), ("node1", [0], 4), ("node2", [0, 1], 2)])
    cores.check(world)
    cores.check(world)
    assert capsys.readouterr().out.count("share 1 of its 4 cores") == 1


@pytest.mark.parametrize("count, items", [(2, 7), (3, 2), (4, 4)])
def test_calls_side_by_side(count, items):
    """Results in order; as many threads as asked for, or items; an error comes out."""
    run, seen = cores.side_by_side(count), set()
    together = threading.Barrier(min(count, items))

    def square(k):
        if threading.get_ident() not in seen:
            seen.add(threading.get_ident())
            together.wait(30)
        return k * k

    assert run(square, range(items)) == [k * k for k in range(items)]
    assert len(seen) == min(count, items)
    with pytest.raises(ZeroDivisionError):
        run(lambda k: 1 // (k - items + 1), range(items))

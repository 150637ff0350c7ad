"""What goes between nodes, with threads for ranks: every piece arrives once, and nodes are added in their order."""

import random
import threading
import time

import numpy as np
import pytest

from dseq.kernels.shared import BLOCK, sum_rows
from dseq.parallel import abort, hop
from dseq.parallel.alone import Alone
from dseq.parallel.hop import Hop, pieces_of
from dseq.parallel.node import UNIT, slices


def numbered(sizes):
    """The ranks of nodes of these sizes."""
    starts = np.cumsum([0, *sizes]).tolist()
    return tuple(tuple(range(lo, hi)) for lo, hi in zip(starts, starts[1:], strict=False))


def divided(total, sizes, cuts=None, largest=None):
    nodes = numbered(sizes)
    parts = [slices(total, size, cuts) for size in sizes]
    return nodes, [pieces_of(parts, nodes, rank, largest) for ranks in nodes for rank in ranks]


@pytest.mark.parametrize("sizes", [(1, 1), (2, 1), (3, 2, 1), (4, 4, 4), (5, 3, 7)])
@pytest.mark.parametrize(("total", "cuts"), [(160, None), (101_776, None), (0, None), (1600, [0, 16, 800, 1600])])
def test_each_piece_has_one_owner_on_each_node(total, cuts, sizes):
    nodes, pieces = divided(total, sizes, cuts, 2048)
    for ranks, slices_ in zip(nodes, [slices(total, size, cuts) for size in sizes], strict=True):
        found = [piece for rank in ranks for piece in pieces[rank]]
        places = [0] + [piece.last for piece in found]
        assert [piece.first for piece in found] == places[:-1] and places[-1] == total
        for rank, (lo, hi) in zip(ranks, slices_, strict=True):
            assert all(lo <= piece.first < piece.last <= hi for piece in pieces[rank])
    for rank, own in enumerate(pieces):
        for piece in own:
            assert rank in piece.owners and all(
                owner in ranks for owner, ranks in zip(piece.owners, nodes, strict=True)
            )
            assert all(piece in pieces[owner] for owner in piece.owners)
            assert piece.last - piece.first <= 2048 and piece.first % UNIT == 0


class Post:
    """Messages between threads: late, but between two ranks and of one tag in the order of their posting, as in MPI."""

    def __init__(self, seed):
        self.lock, self.sent, self.wanted, self.random = threading.Lock(), {}, {}, random.Random(seed)

    def rank(self, rank):
        return Box(self, rank)


class Box:
    """What a rank calls of mpi4py."""

    def __init__(self, post, rank):
        self.post, self.own = post, rank
        self.Request = self.Datatype = self

    def fromcode(self, code):
        return code

    def Isend(self, buffer, to, tag):
        with self.post.lock:
            late = time.monotonic() + self.post.random.random() * 0.003
            self.post.sent.setdefault((self.own, to, tag), []).append((late, buffer[0].copy()))

    def Irecv(self, buffer, source, tag):
        way = source, self.own, tag
        with self.post.lock:
            self.post.wanted[way] = self.post.wanted.get(way, 0) + 1
            return way, self.post.wanted[way] - 1, buffer[0]

    def Testall(self, requests):
        with self.post.lock:
            for i, request in enumerate(requests):
                if request is None:
                    continue
                way, number, place = request
                sent = self.post.sent.get(way, [])
                if len(sent) <= number or sent[number][0] > time.monotonic():
                    return False
                assert sent[number][1].shape == place.shape, "a message of another piece"
                place[:] = sent[number][1]
                requests[i] = None
            return True


class Threads(Alone):
    """A rank that is a thread of this process."""

    def __init__(self, rank, nodes, post):
        super().__init__()
        self.rank, self.nodes = rank, nodes
        self.node = next(i for i, ranks in enumerate(nodes) if rank in ranks)
        self._mpi = self._hop = post.rank(rank)


@pytest.mark.parametrize("sizes", [(1, 1), (2, 1), (1, 1, 1), (3, 2, 1)])
def test_sums_over_nodes(sizes, monkeypatch):
    monkeypatch.setattr(hop, "DIRECT", 500)
    total, block = 9_600, 320
    nodes, pieces = divided(total, sizes, largest=block)
    rng = np.random.default_rng(0)
    # Of a size at which the order of sums can be seen.
    gradients = (rng.standard_normal((sum(sizes), total + 3)) * 10.0 ** rng.integers(-3, 4, (sum(sizes), 1))).astype(
        "f4"
    )
    partial = [np.add.accumulate(gradients[list(ranks)], axis=0)[-1] for ranks in nodes]
    expected = np.add.accumulate(np.array(partial), axis=0)[-1]
    assert (expected != np.add.accumulate(np.array(partial)[::-1], axis=0)[-1]).any() or len(sizes) == 2
    post, failures = Post(3), []
    results = [np.zeros((2, total), "f4") for _ in range(sum(sizes))]

    def run(rank):
        try:
            world = Threads(rank, nodes, post)
            rows, scratch = gradients[list(nodes[world.node])], np.zeros(BLOCK, "f4")
            own = np.zeros(total, "f4")
            link = Hop(world, pieces[rank], own, lambda total, first: sum_rows(total, rows, first, scratch), scratch)
            first = nodes[world.node][0] == rank
            for repeat in range(3):
                time.sleep(0.01 * rank * repeat)
                if first:
                    link.start_tail(partial[world.node][total:])
                link.start()
                if first:
                    np.testing.assert_array_equal(link.finish_tail(), expected[total:])
                if repeat == 1:  # given up after some pieces, others on each rank
                    for number in range(min(rank, len(pieces[rank]))):
                        link.need(number)
                    continue
                for number in range(len(pieces[rank])):
                    link.need(number)
                results[rank][repeat // 2] = own
                own[:] = np.nan
            link.drop()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(rank,), daemon=True) for rank in range(sum(sizes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures and not any(thread.is_alive() for thread in threads), failures
    assert {way: len(sent) for way, sent in post.sent.items()} == post.wanted
    for rank, found in enumerate(results):
        for piece in pieces[rank]:
            for one in found:
                np.testing.assert_array_equal(one[piece.first : piece.last], expected[piece.first : piece.last])


def test_who_waits_long_for_another_node_says_so(monkeypatch):
    monkeypatch.setattr(hop, "NOTICE", 0.02)
    said, post, nodes = [], Post(0), ((0,), (1,))
    monkeypatch.setattr(abort, "say", said.append)
    link = Hop(Threads(0, nodes, post), [], np.zeros(0, "f4"), None, np.zeros(BLOCK, "f4"))

    def come():
        time.sleep(0.2)
        post.rank(1).Isend([np.ones(2, "f4")], 0, hop.TAIL)

    thread = threading.Thread(target=come)
    thread.start()
    link.start_tail(np.ones(2, "f4"))
    assert link.finish_tail().tolist() == [2, 2]
    thread.join()
    assert len(said) == 1 and "for what rank 1 must send it" in said[0]

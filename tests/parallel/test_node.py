"""The node engine's parts that need no second rank: slices, waiting, and how weights leave shared memory and return."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from dseq import optimizers
from dseq.kernels.shared import LINE
from dseq.optimizers.slots import Slots, innermost
from dseq.parallel import abort, barrier, engine, sleeping, windows
from dseq.parallel.alone import Alone
from dseq.parallel.barrier import Barrier, Process
from dseq.parallel.node import MOST_PIECES, UNIT, Node, slices
from dseq.program.memory import Parameters, aligned, equalise
from dseq.program.variable import Variable


@pytest.mark.parametrize("count", [1, 2, 3, 5, 64])
@pytest.mark.parametrize("total", [0, 16, 48, 101_776, 8])
def test_slices_cover_everything_once(total, count):
    found = slices(total, count)
    assert len(found) == count and found[0][0] == 0 and found[-1][1] == total
    assert all(a[1] == b[0] for a, b in zip(found, found[1:], strict=False))
    assert all(lo <= hi and lo % UNIT == 0 for lo, hi in found)
    assert max(hi - lo for lo, hi in found) <= total / count + UNIT


@pytest.mark.parametrize(
    ("cuts", "count", "expected"),
    [
        ([0, 800, 816, 1616], 2, [(0, 800), (800, 1616)]),
        ([0, 16, 1600], 2, [(0, 16), (16, 1600)]),  # nobody gets everything
        ([0, 1584, 1600], 3, [(0, 0), (0, 1584), (1584, 1600)]),
        ([0, 1600], 2, [(0, 1600), (1600, 1600)]),
        ([0, 16, 32], 5, [(0, 0), (0, 16), (16, 16), (16, 32), (32, 32)]),
    ],
)
def test_slices_of_whole_weights(cuts, count, expected):
    found = slices(cuts[-1], count, cuts)
    assert {edge for pair in found for edge in pair} <= set(cuts)
    assert [pair for pair in found if pair[0] < pair[1]] == [pair for pair in expected if pair[0] < pair[1]]
    assert all(a[1] == b[0] for a, b in zip(found, found[1:], strict=False)) and len(found) == count


class Threads(Alone):
    """Ranks that are threads of this process."""

    def __init__(self, rank, size):
        super().__init__()
        self.rank = self.local_rank = rank
        self.size = self.local_size = self.machine_size = size
        self.nodes = (tuple(range(size)),)

    def allgather_object(self, value):
        return [value] * self.size


@pytest.mark.parametrize("late", [0, 0.01, 0.1])
def test_barrier(late):
    words = np.zeros(3 * LINE, np.int64)
    barriers = [Barrier(Threads(rank, 3), words) for rank in range(3)]
    come, wrong = np.zeros(3, int), []

    def run(rank):
        for count in range(1, 4):
            time.sleep(late if rank == 1 else 0)
            come[rank] = count
            barriers[rank]("a test")
            if (come < count).any():
                wrong.append((rank, come.copy()))
            barriers[rank]("a test")

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not wrong and (words[::LINE] == 6).all()


@pytest.mark.parametrize("system", ["this one", "without a futex"])
def test_sleeping(system, monkeypatch):
    if system != "this one":
        monkeypatch.setattr(sleeping, "_futex", lambda: None)
    word = np.array([7], np.int64)
    begin = time.monotonic()
    sleeping.sleep_while(word.ctypes.data, 8, 60.0)  # it has another value already
    sleeping.sleep_while(word.ctypes.data, 7, 0.01)
    assert time.monotonic() - begin < 30

    def come():
        time.sleep(0.1)
        word[0] = 8
        sleeping.wake(word.ctypes.data)

    thread = threading.Thread(target=come)
    thread.start()
    while word[0] == 7:
        sleeping.sleep_while(word.ctypes.data, 7, 60.0)
    assert time.monotonic() - begin < 30
    thread.join()


def test_who_waits_long_says_for_whom(monkeypatch):
    monkeypatch.setattr(barrier, "NOTICE", 0.05)
    said, words = [], np.zeros(3 * LINE, np.int64)
    monkeypatch.setattr(abort, "say", said.append)
    meeting = Barrier(Threads(0, 3), words)
    words[LINE] = 1

    def come():
        time.sleep(0.3)
        words[2 * LINE] = 1

    thread = threading.Thread(target=come)
    thread.start()
    meeting("a test")
    thread.join()
    number = os.getpid()
    assert len(said) == 1 and "in a test for rank 2" in said[0] and "which must come there too" in said[0], said
    assert f"(process {number}" in said[0] and (sys.platform != "linux" or "running" in said[0])


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_what_a_process_does(monkeypatch):
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        own = Process.own()
        assert own.number == os.getpid() and own.state() == "running"
        born = barrier._status(child.pid)[1]
        other = Process(child.pid, own.space, born)
        assert other.state() == "running"
        os.kill(child.pid, signal.SIGSTOP)
        for _ in range(100):
            if other.state() == "stopped":
                break
            time.sleep(0.02)
        assert other.state() == "stopped"
        assert Process(child.pid, "pid:[1]", born).state() == ""  # of another container
        assert Process(child.pid, own.space, "1").state() == "ended"  # a later process of this number
    finally:
        child.kill()
        child.communicate()
    assert other.state() == "ended"
    ended, words = [], np.zeros(2 * LINE, np.int64)
    meeting = Barrier(Threads(0, 2), words)
    meeting._processes[1] = other
    monkeypatch.setattr(barrier, "LOOK", 0.05)

    def end(text, code):
        ended.append((text, code))
        words[LINE] = 1

    monkeypatch.setattr(abort, "end", end)
    meeting("a test")
    assert ended == [(f"waits in a test for rank 1 (process {child.pid}, ended): ending the job", 1)]


def test_memory_that_is_not_there(monkeypatch, capsys):
    several = Threads(0, 2)
    bound = []

    def bind(chosen):
        if chosen.shared:
            raise engine.Unavailable("there is no such memory")
        bound.append(chosen.name)
        return chosen

    for _ in range(2):
        assert engine.first_possible("node", several, None, bind).name == "flat"
    assert capsys.readouterr().out.count("flat takes its place: there is no such memory.") == 1
    with pytest.raises(ValueError, match="single rank. Received: 2 ranks"):
        engine.get("solo", several)
    monkeypatch.setattr(windows, "FOLDER", "/nowhere at all")
    assert windows.free_bytes() == float("inf")


def test_what_a_slice_cannot_do():
    class Own(optimizers.Adam):
        def build(self, variables):
            super().build(variables)
            self.further = self.add_variable((3,), name="further")

    class Python(optimizers.SGD):
        def update_step(self, gradient, variable, learning_rate):
            variable.assign_sub(gradient)

    class Plan:
        dtype = "float32"
        settle_calls = ()

    node, weights = Node(Threads(0, 2)), [Variable(np.ones((4, 4))), Variable(np.ones(3))]

    def reason(optimizer, count=2):
        optimizer.build(weights[:count])
        try:
            node.check(Plan, optimizer, weights[:count], weights)
        except engine.Unavailable as error:
            return str(error)

    assert reason(optimizers.Adam()) is None and reason(optimizers.Lamb()) is None
    assert "written in Python" in reason(Python())
    assert "written in Python" in reason(optimizers.LossScaleOptimizer(Python()))
    assert "variables that a user's class added" in reason(Own())
    assert "only one" in reason(optimizers.Lamb(), 1) and reason(optimizers.Adam(), 1) is None
    counter = Variable(np.zeros(1), "int32", "counter")
    Plan.settle_calls = [(None, (counter, 1))]
    assert "'counter'" in reason(optimizers.Adam())


def test_pieces():
    node = Node(Threads(1, 2))
    assert node.pieces(16, 16) == [] and node.pieces(16, 160_000, whole=True) == [(16, 160_000)]
    for hi in (48, 16384, 16400, 100_000_000):
        found = node.pieces(16, hi)
        assert found[0][0] == 16 and found[-1][1] == hi and len(found) <= MOST_PIECES
        assert all(a[1] == b[0] and b[0] % UNIT == 0 for a, b in zip(found, found[1:], strict=False))


def alone(function, memory, changed):
    if changed:
        function()


def shared(name, nbytes, blocks=()):
    return aligned(nbytes)


def test_weights_leave_shared_memory_and_return():
    weights = [Variable(np.full((3, 2), 1.0)), Variable(np.full(5, 2.0))]
    arena = Parameters(weights, [], 1, "float32", shared, alone)
    assert arena.shared and all(v.owner is v.home is arena and not v.strayed for v in weights)
    seen = weights[0].value
    with pytest.raises(ValueError, match="read-only"):
        seen[0, 0] = 7
    weights[0].assign_add(np.full((3, 2), 2.0))
    assert weights[0].strayed and arena.strayed and not weights[1].strayed
    assert (arena.view(weights[0]) == 1).all() and (seen == 1).all() and (weights[0].numpy() == 3).all()
    weights[0].value[0, 0] = 4  # its own memory
    assert arena.place(weights[0]) is arena.view(weights[0])
    arena.recall()
    assert not weights[0].strayed and not arena.strayed and weights[0].array is arena.view(weights[0])
    assert seen[0, 0] == 4 and seen[0, 1] == 3
    with pytest.raises(ValueError):
        weights[1].assign(np.ones(4))
    assert not weights[1].strayed

    # Another arena takes them, and another one that is not shared.
    other = Parameters(weights[:1], [], 1, "float32", shared, alone)
    assert weights[0].home is other and weights[1].home is arena
    weights[0].assign(np.full((3, 2), 5.0))
    arena.recall()
    assert weights[0].strayed  # it is the other one's
    equalise(Alone(), weights)
    assert not weights[0].strayed and (other.view(weights[0]) == 5).all()
    arena.adopt()
    assert weights[0].home is arena and (arena.view(weights[0]) == 5).all()
    own = Parameters(weights, [], 1, "float32")
    assert all(v.home is None and v.owner is own and not v.strayed for v in weights)
    arena.adopt()
    assert all(v.home is arena for v in weights)


@pytest.mark.parametrize(
    "make",
    [
        lambda: optimizers.Adam(use_ema=True, gradient_accumulation_steps=2),
        lambda: optimizers.LossScaleOptimizer(optimizers.Adafactor()),
        lambda: optimizers.SGD(),
    ],
)
def test_slots_leave_shared_memory_and_return(make):
    weights = [Variable(np.full((3, 2), 1.0), path="a"), Variable(np.full(5, 2.0), path="b")]
    optimizer = make()
    optimizer.build(weights)
    inner, variables = innermost(optimizer), optimizer.variables

    def fill(start):
        for i, v in enumerate(variables):
            v.assign(np.full(v.shape, start + i))

    def values():
        return [float(v.numpy().ravel()[0]) for v in variables if v.numpy().size]

    fill(1)
    expected = values()
    slots = Slots.of(optimizer, shared, alone)
    assert values() == expected and optimizer.variables == variables and inner.home is slots and not slots.strayed
    assert Slots.of(optimizer, shared, alone) is slots
    inside = slots._blocks
    before = [block.copy() for block in inside]
    fill(11)
    assert slots.strayed == bool(inside) and values() == [v + 10 for v in expected]
    for block, old in zip(inside, before, strict=True):
        np.testing.assert_array_equal(block, old)
    slots.adopt()
    assert not slots.strayed and values() == [v + 10 for v in expected]
    assert all(a is b for a, b in zip(inside, inner.blocks(), strict=True))

    # A step outside of training, and training with memory of this rank's own.
    optimizer.apply([np.ones((3, 2)), np.ones(5)])
    assert slots.strayed
    own = Slots.of(optimizer, shared)
    assert inner.home is None and not own.strayed and own is not slots
    fill(21)
    assert not own.strayed
    slots.adopt()
    assert inner.home is slots and own.strayed and values() == [v + 20 for v in expected]

"""Who is to blame for a job that stands still: what ranks tell each other, and what is concluded from it."""

import json
import socket
import threading
import time

import pytest

from dseq.parallel import watchdog, whereabouts
from dseq.parallel.barrier import Process
from dseq.parallel.letters import Letters
from dseq.parallel.whereabouts import Progress


def test_where_the_main_thread_is():
    seen, done = [], threading.Event()
    thread = threading.Thread(target=lambda: (time.sleep(0.1), seen.append(Progress(1).state()), done.set()))
    thread.start()
    done.wait(10)
    thread.join()
    assert seen[0].place == "the script" and not seen[0].waits
    assert "done.wait" in seen[0].stack  # of the main thread, whoever asks


@pytest.fixture
def world(monkeypatch):
    """A main thread of which everything can be set."""
    state = {"time": 100.0, "place": ("a training step", False), "clock": 0.0, "bytes": 0}
    monkeypatch.setattr(whereabouts.time, "monotonic", lambda: state["time"])
    monkeypatch.setattr(whereabouts, "_place", lambda: state["place"])
    monkeypatch.setattr(whereabouts, "_clock", lambda: state["clock"])
    monkeypatch.setattr(whereabouts, "_bytes", lambda: state["bytes"])
    return state


def passing(world, progress, seconds, clock=0.0, moved=0):
    for _ in range(seconds):
        world["time"] += 1
        world["clock"] += clock
        world["bytes"] += moved
        progress.look()
    return progress.state()


def test_steps_are_progress(world, monkeypatch):
    progress = Progress(10)
    assert not passing(world, progress, 9, clock=1).overdue
    monkeypatch.setattr(whereabouts, "beats", whereabouts.beats + 1)
    assert not passing(world, progress, 9, clock=1).overdue
    state = passing(world, progress, 3, clock=1)  # a core is used, but no step ends
    assert state.overdue and state.place == "a training step"


@pytest.mark.parametrize("life", [{"clock": 0.9}, {"moved": 10**6}])
@pytest.mark.parametrize("place", ["a checkpoint", "callbacks", "loading data", "the script"])
def test_work_outside_of_steps_has_more_time(life, place, world):
    world["place"] = place, False
    progress = Progress(10)
    assert not passing(world, progress, 59, **life).overdue
    assert passing(world, progress, 3, **life).overdue


def test_compiling_takes_as_long_as_it_takes(world):
    world["place"] = "compiling", False
    progress = Progress(10)
    assert not passing(world, progress, 1000, clock=1).overdue
    assert passing(world, progress, 12).overdue


def test_waiting_is_no_progress_but_at_the_end(world):
    world["place"] = "a checkpoint", True
    assert passing(world, Progress(10), 12, clock=1).overdue
    world["place"] = "the end of the program", True
    assert not passing(world, Progress(10), 1000).overdue


def test_a_job_that_was_stopped_as_a_whole_has_lost_no_time(world):
    progress = Progress(10)
    passing(world, progress, 5)
    world["time"] += 3600
    progress.look()
    assert not progress.state().overdue


def pair():
    letters = [Letters(), Letters()]
    addresses = json.loads(json.dumps([one.address() for one in letters]))
    for rank, one in enumerate(letters):
        one.connect(rank, addresses)
    return letters, addresses


def test_letters():
    (first, second), addresses = pair()
    first.send(1, "ask", text="a" * 20000, number=1.5)
    (letter,) = second.receive(5)
    assert (letter["rank"], letter["kind"], letter["number"], len(letter["text"])) == (0, "ask", 1.5, 20000)
    first.send(7, "ask")  # nobody
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for data in (b"", b"junk", b"[]", b"{}", b'{"secret": "x", "rank": 0, "kind": "end"}'):
            stranger.sendto(data, ("127.0.0.1", addresses[1][1]))
    first.send(1, "state")
    time.sleep(0.05)
    assert [letter["kind"] for letter in second.receive(5)] == ["state"]
    assert second.receive(0) == []
    second.send(0, "state")
    assert not first.has_closed(1)  # no letter of it has come yet
    first.receive(5)
    assert not first.has_closed(1)
    second.close()
    assert first.has_closed(1)
    first.close()


def answer(place="a training step", waits=True, beats=5, overdue=True, idle=20.0):
    return {"place": place, "waits": waits, "beats": beats, "overdue": overdue, "idle": idle, "whole": True}


@pytest.fixture
def dog():
    made = watchdog.Watchdog(10)
    made.connect(0, ["a", "a", "b"], [Process.own(), Process.own(), Process(1, "elsewhere", "1")])
    yield made
    made.letters.close()


def test_who_is_to_blame(dog):
    waiting = {0: answer(), 1: answer(), 2: answer()}
    assert dog._guilty(waiting) == {}
    stuck = waiting | {1: answer("loading data", waits=False)}
    assert list(dog._guilty(stuck)) == [1] and "in loading data for 20 s" in dog._guilty(stuck)[1]
    compiling = waiting | {1: answer("compiling", waits=False, overdue=False)}
    assert dog._guilty(compiling) == {}
    silent = {0: answer(), 1: answer()}
    assert dog._guilty(silent) == {}  # maybe letters never get there
    dog._heard.add(2)
    assert list(dog._guilty(silent)) == [2] and "does not answer" in dog._guilty(silent)[2]


def test_a_process_that_is_gone(dog):
    dog.processes[1] = Process(Process.own().number, Process.own().space, "born at another time")
    assert dog._guilty({0: answer(), 2: answer()}) == {1: "its process is ended"}


def test_a_neighbour_that_was_killed(dog):
    """It is seen twice, while this rank waits, and nobody waits for its answer."""
    dog.processes[1] = Process(Process.own().number, Process.own().space, "born at another time")
    dog._look_around(True)
    assert not dog._gone
    dog._look_around(True)
    assert dog._gone == {1}
    said = []
    dog._judge = lambda guilty, answers: said.append(guilty)
    dog.progress.state = lambda: whereabouts.State("a training step", True, 5, 6.0, False, "", True, False)
    dog._asked, dog._answers = time.monotonic(), {2: answer(overdue=False)}
    dog._inquire(dog.progress.state())
    assert said == [{1: "its process has ended without a word, as one that was killed"}]
    dog._look_around(False)
    assert not dog._gone


def test_all_wait():
    everywhere = {0: answer(), 1: answer(), 2: answer()}
    assert list(watchdog._behind(everywhere)) == [0, 1, 2] and "network" in watchdog._behind(everywhere)[1]
    assert list(watchdog._behind(everywhere | {1: answer(beats=4)})) == [1]
    elsewhere = watchdog._behind(everywhere | {1: answer("validation")})
    assert list(elsewhere) == [0, 1, 2] and "where others do not come" in elsewhere[1]


def test_it_waits_for_who_gets_on(dog, monkeypatch):
    """And when none does, one of the innocent speaks."""
    said = []
    monkeypatch.setattr(dog, "_judge", lambda guilty, answers: said.append(sorted(guilty)))
    monkeypatch.setattr(dog, "patience", 0.0)
    monkeypatch.setattr(dog, "look", 0.01)
    dog.progress.state = lambda: whereabouts.State("a training step", True, 5, 20.0, True, "", True, False)
    own = dog.progress.state()
    for one, expected in ((answer("compiling", waits=False, overdue=False), []), (answer("callbacks", False), [[2]])):
        dog._asked, dog._answers = time.monotonic() - 1, {1: answer(), 2: one}
        dog._inquire(own)
        assert said == expected

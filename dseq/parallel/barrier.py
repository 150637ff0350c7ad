"""How the ranks of a node wait for each other: by words in memory that all see, in a fraction of a microsecond."""

import os
import time
from dataclasses import dataclass

import numpy as np

from dseq import config
from dseq.kernels.shared import LINE, WAKE, lie_down, meet, wait
from dseq.parallel import abort, launcher, sleeping
from dseq.parallel.agreement import ranks_text

SPINS = 1000  # looks at a rank's word before anybody else gets the core: some 10 us
YIELDING = 2e-4  # seconds in which the core is offered to others between looks; then this rank sleeps
LONGEST = 0.05  # seconds of sleep at most, unless somebody comes
NOTICE = 60.0  # seconds of waiting after which a rank says so
LOOK = 1.0  # seconds between looks whether the ranks waited for are alive


@dataclass(frozen=True)
class Process:
    """A rank as the operating system knows it.

    Attributes:
        number: Its process number.
        space: The namespace in which this is its number.
        born: When it began, by which a later process of the same number is told apart.
    """

    number: int
    space: str
    born: str

    @classmethod
    def own(cls) -> "Process":
        """This process."""
        number = os.getpid()
        try:
            space = os.readlink("/proc/self/ns/pid")
        except OSError:
            space = ""
        return cls(number, space, _status(number)[1])

    def state(self) -> str:
        """What it is doing: "running", "stopped", "ended", or "" where that cannot be known."""
        if not self.space or self.space != Process.own().space or not self.born:
            return ""
        letter, born = _status(self.number)
        if born != self.born or letter in "ZX":
            return "ended"
        return "stopped" if letter in "Tt" else "running"


def _status(number):
    """The letter of a process' state and its time of birth, as Linux tells them."""
    try:
        with open(f"/proc/{number}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return "X", ""
    return fields[0], fields[19]


class Barrier:
    """A place at which the ranks of a node meet; called by all of them, equally often.

    Whoever comes sees all that the others wrote before they came. While ranks are late, this one spins for a moment,
    then offers its core to others, then sleeps until a late one comes. Where ranks outnumber cores it sleeps at once:
    its core may be what the others wait for.

    Args:
        world: The communicator. All ranks of the job make their nodes' barriers together.
        words: Zeroed int64 array in memory that all of a node see, `LINE` words for each rank.
    """

    def __init__(self, world, words):
        self.world, self.words, self.count = world, words, 0
        processes = world.allgather_object(Process.own())
        self._ranks = world.nodes[world.node]
        self._processes = [processes[rank] for rank in self._ranks]
        world.on_node_first(_compile)
        crowded = world.machine_size > launcher.cores_of_node()
        self._spins, self._yielding = (0, 0.0) if crowded else (SPINS, YIELDING)
        self._place = words.ctypes.data

    def __call__(self, place: str = "a training step") -> None:
        """Waits until all are here.

        Args:
            place: Where the ranks are, for a message.
        """
        self.count += 1
        own = self.world.local_rank
        late = meet(self.words, own, self.count, self._spins)
        if late == WAKE:
            sleeping.wake(self._address(own))
            late = wait(self.words, self.count, self._spins)
        if late >= 0:
            self._wait(late, place)

    def _address(self, rank):
        return self._place + rank * LINE * self.words.itemsize

    def _wait(self, late, place):
        begin = time.monotonic()
        look, notice = begin + LOOK, begin + NOTICE
        while late >= 0:
            now = time.monotonic()
            if now - begin < self._yielding:
                os.sched_yield() if hasattr(os, "sched_yield") else time.sleep(0)
            else:
                seen = lie_down(self.words, late, self.count)
                if seen < self.count:
                    sleeping.sleep_while(self._address(late), seen, LONGEST)
            if now > look:
                look = now + LOOK
                self._end_if_one_has_ended(place)
            if now > notice:
                notice = float("inf")
                abort.say(f"has waited {NOTICE:.0f} s in {place} for {self._whom()}, which must come there too")
            late = wait(self.words, self.count, self._spins // 10)

    def _late(self):
        return [rank for rank, count in enumerate(self.words[::LINE].tolist()) if count < self.count]

    def _whom(self):
        names = []
        for rank in self._late():
            process = self._processes[rank]
            state = process.state()
            names.append(f"{ranks_text([self._ranks[rank]])} (process {process.number}{', ' + state if state else ''})")
        return ", ".join(names)

    def _end_if_one_has_ended(self, place):
        """Ends the job if it lost a rank and the launcher did not see to it."""
        if config.abort and any(self._processes[rank].state() == "ended" for rank in self._late()):
            abort.end(f"waits in {place} for {self._whom()}: ending the job", 1)


def _compile():
    words = np.zeros(LINE, np.int64)
    meet(words, 0, 0, 0), wait(words, 0, 0), lie_down(words, 0, 0)

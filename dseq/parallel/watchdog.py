"""Ends a job that would wait for ever: a thread in each rank finds out who is missing, says so, and saves what it can.

A thread costs the step nothing: about once in a second it looks how far its own rank has come. If that is nowhere for
`DSEQ_TIMEOUT` seconds, it asks the other ranks' threads, past MPI, where they are. To blame are the ranks that do not
answer (stopped, dead, cut off) and those that neither get on nor wait for others. Where there are some, one of the
others names them with their stacks, saves the weights of the last finished step if it can (`whereabouts.rescue`), and
all end with the exit code `HUNG`. While a rank that is waited for gets on, everybody waits: what compiles or writes for
long does, and has more time (`whereabouts.Progress`).

Who waits for some seconds also looks whether its neighbours' processes still exist: not every launcher ends a job of
which one rank was killed.
"""

import contextlib
import os
import signal
import threading
import time

from dseq import config
from dseq.parallel import abort, launcher, whereabouts
from dseq.parallel.agreement import ranks_text
from dseq.parallel.barrier import Process
from dseq.parallel.leftovers import forget_names
from dseq.parallel.letters import Letters
from dseq.parallel.siblings import seconds_used, siblings

HUNG = 86  # exit code of a job that a watchdog ended
GONE = 5.0  # seconds of waiting from which on ranks look whether others still exist
LOOK = 1.0  # seconds between looks at most
RESCUE = 120.0  # seconds that saving may take
TOLD = 40  # stacks and places that a message has at most

_watchdog = None


def start() -> None:
    """Begins to watch this rank, before MPI starts, if it is one of several and `DSEQ_TIMEOUT` is not 0."""
    global _watchdog
    if _watchdog is None and config.timeout and config.abort and launcher.expects_ranks():
        _watchdog = Watchdog(config.timeout)
        threading.Thread(target=_watchdog.run, name="dseq watchdog", daemon=True).start()


def connect(world, gather) -> None:
    """Makes the ranks' watchdogs known to each other; called by all ranks.

    Args:
        world: The communicator.
        gather: Function of an object that gives every rank's.
    """
    if world.size == 1:
        return
    letters = _watchdog.letters if _watchdog is not None else None
    address = letters.address() if letters is not None else None
    known = gather((world.host, Process.own(), address))
    if _watchdog is not None and all(address for *_, address in known):
        letters.connect(world.rank, [address for *_, address in known])
        _watchdog.connect(world.rank, [host for host, *_ in known], [process for _, process, _ in known])


class Watchdog:
    """The thread of one rank.

    Args:
        limit: Seconds without progress that are too long.
    """

    def __init__(self, limit):
        self.limit = limit
        self.look = min(LOOK, limit / 4)
        self.patience = max(2.0, min(30.0, limit / 4))  # seconds in which others must answer
        self.letters = Letters()
        self.progress = whereabouts.Progress(limit)
        self.rank, self.hosts, self.processes = None, [], []
        self._heard = set()  # ranks whose answers have ever reached this one
        self._answers, self._asked = {}, None
        self._missed, self._gone = set(), set()  # neighbours that did not exist at the last look; and at the one before
        self._verdict = None  # until when somebody else is given time to end the job
        self._owner = os.getpid()

    def connect(self, rank, hosts, processes) -> None:
        """Learns who the others are."""
        self.hosts, self.processes = hosts, processes
        self.rank = rank
        distance = 1
        while distance < len(hosts):  # whether letters arrive at all
            for other in {(rank + distance) % len(hosts), (rank - distance) % len(hosts)} - {rank}:
                self.letters.send(other, "ask")
            distance *= 2

    def run(self) -> None:
        """Watches until the process ends."""
        while True:
            for letter in self.letters.receive(self.look):
                self._read(letter)
            self.progress.look()
            state = self.progress.state()
            if self._verdict is not None and time.monotonic() > self._verdict:
                self._end()
            rests = state.place in (whereabouts.SCRIPT, whereabouts.END)
            if self._verdict is None:
                self._look_around(state.waits and not rests and state.idle > min(GONE, self.limit))
            if rests or not (state.overdue or self._gone):
                self._asked, self._answers = None, {}
            elif self._verdict is None:
                self._inquire(state)

    def _read(self, letter):
        rank, kind = letter["rank"], letter["kind"]
        self._heard.add(rank)
        if kind == "ask":
            self.letters.send(rank, "state", **vars(self.progress.state()))
        elif kind == "state":
            self._answers[rank] = letter
        elif kind == "verdict":  # somebody else has found out the same, and saves what can be saved
            self._verdict = time.monotonic() + RESCUE
        elif kind == "end":
            time.sleep(1)  # the launcher may be faster
            self._end()

    def _look_around(self, waits):
        """Finds neighbours whose processes have ended, though the rank waits; the others' neighbours find those."""
        missed = set()
        if waits and self.rank is not None:
            for other in {(self.rank + 1) % len(self.hosts), (self.rank - 1) % len(self.hosts)}:
                if self.processes[other].state() == "ended" or self.letters.has_closed(other):
                    missed.add(other)
        self._missed, self._gone = missed, missed & self._missed

    def _inquire(self, state):
        now = time.monotonic()
        if self.rank is None:
            return self._judge_alone(state)
        if self._asked is None:
            self._asked, self._answers = now, {}
        for other in range(len(self.hosts)):
            if other != self.rank:
                self.letters.send(other, "ask")
        for letter in self.letters.receive(min(0.5, self.look)):
            self._read(letter)
        if now - self._asked < self.patience and len(self._answers) < len(self.hosts) - 1 - len(self._gone):
            return
        answers = self._answers | {self.rank: vars(self.progress.state())}
        guilty = self._guilty(answers)
        if not guilty:
            if not any(answer["waits"] is False for answer in answers.values()) and now - self._asked > self.patience:
                guilty = _behind(answers)  # all wait: for each other, or for the network
            else:
                return
        judges = [rank for rank in sorted(answers) if rank not in guilty] or sorted(answers)
        turn = judges.index(self.rank) if self.rank in judges else len(judges)
        for letter in self.letters.receive(0):
            self._read(letter)
        if self._gone:  # told by both neighbours
            turn = 0 if (self.rank + 1) % len(self.hosts) in self._gone else 1
        if self._verdict is None and now - self._asked >= turn * self.patience:
            self._judge(guilty, answers)

    def _guilty(self, answers):
        """Rank: why, of the ranks to blame."""
        guilty = {}
        for rank in range(len(self.hosts)):
            here = self.processes[rank].state() if rank != self.rank else "running"
            answer = answers.get(rank)
            if rank in self._gone:
                guilty[rank] = "its process has ended without a word, as one that was killed"
            elif here in ("stopped", "ended"):
                guilty[rank] = f"its process is {here}"
            elif answer is None:
                # Who has never answered may be where letters do not arrive.
                if rank in self._heard or self.progress.state().idle > whereabouts.PATIENCE * self.limit:
                    guilty[rank] = "does not answer: its host, the network or its process is stuck"
            elif answer["overdue"] and not answer["waits"]:
                guilty[rank] = f"in {answer['place']} for {answer['idle']:.0f} s without progress"
        return guilty

    def _judge(self, guilty, answers):
        """Says who is missing, saves what can be saved, and ends the job on all ranks."""
        others = [rank for rank in range(len(self.hosts)) if rank != self.rank]
        for rank in others:
            self.letters.send(rank, "verdict")
        why = "" if self._gone else f"no progress for {self.limit:g} s (DSEQ_TIMEOUT): "
        lines = [f"{why}the job waits for {ranks_text(sorted(guilty))}."]
        for rank in sorted(guilty)[:TOLD]:
            answer = answers.get(rank)
            lines.append(f"rank {rank} ({self.hosts[rank]}, process {self.processes[rank].number}): {guilty[rank]}")
            if answer is not None:
                lines.append("  " + answer["stack"].rstrip().replace("\n", "\n  "))
        for rank in [rank for rank in sorted(answers) if rank not in guilty][:TOLD]:
            answer = answers[rank]
            doing = "waits in" if answer["waits"] else "is in"
            lines.append(f"rank {rank} ({self.hosts[rank]}) {doing} {answer['place']} for {answer['idle']:.0f} s")
        abort.say("\n".join(lines))
        abort.say(f"{self._rescue(answers)} Ending the job with exit code {HUNG}.")
        for rank in others:
            self.letters.send(rank, "end")
        self._end(guilty)

    def _rescue(self, answers):
        """Saves the state of training where that is possible; says what became of it."""
        if whereabouts.rescue is None:
            return "No emergency checkpoint: no training that has a BackupAndRestore or DSEQ_EMERGENCY."
        if not all(answer["whole"] for answer in answers.values()):
            return "No emergency checkpoint: weights are in the middle of an update."
        outcome = []

        def save():
            try:
                outcome.append(f"The weights after the last finished step are in {whereabouts.rescue()}.")
            except BaseException as error:
                outcome.append(f"No emergency checkpoint: {type(error).__name__}: {error}.")

        thread = threading.Thread(target=save, daemon=True)
        thread.start()
        thread.join(RESCUE / 2)
        return outcome[0] if outcome else "No emergency checkpoint: writing it did not end."

    def _judge_alone(self, state):
        """Before the ranks know each other: what can be seen on this node."""
        beside = siblings()
        before = {rank: seconds_used(process) for rank, process in beside.items()}
        time.sleep(self.look)
        busy = [r for r, p in beside.items() if seconds_used(p) - before[r] > whereabouts.BUSY * self.look]
        stopped = {rank: process for rank, process in beside.items() if process.state() == "stopped"}
        if busy and not stopped and state.idle < whereabouts.PATIENCE * self.limit:
            return
        launch = launcher.announced()
        time.sleep(0 if launch.rank == min(set(beside) - set(stopped) | {launch.rank}) else self.patience)
        seen = ", ".join(f"rank {rank} (process {p.number}): {p.state()}" for rank, p in sorted(beside.items()))
        text = f"no progress for {self.limit:g} s (DSEQ_TIMEOUT) in {state.place}, which all ranks must come to; "
        whom = f"the job waits for {ranks_text(sorted(stopped))}, stopped. " if stopped else ""
        abort.say(f"{text}{whom}Beside it on this node: {seen or 'nobody that can be seen'}.\n{state.stack}")
        self.processes, self._verdict = list(stopped.values()), 0.0
        self._end(range(len(self.processes)))

    def _end(self, guilty=()):
        """Ends this rank, and on its node those that cannot do it themselves."""
        forget_names()
        with contextlib.suppress(OSError):
            abort.tell_launcher(HUNG)
        launch = launcher.announced()
        if launch is None or not launch.variable.startswith("OMPI"):  # which does it, and would take it for the cause
            for number, process in enumerate(self.processes):
                if (number in guilty or not guilty) and process.state() == "stopped":
                    with contextlib.suppress(OSError):
                        os.kill(process.number, signal.SIGKILL)
        abort.exit_now(HUNG)


def _behind(answers):
    """Of ranks that all wait, those that have come less far than others, or all."""
    least = min(answer["beats"] for answer in answers.values())
    places = {answer["place"] for answer in answers.values()}
    behind = {rank: answer for rank, answer in answers.items() if answer["beats"] == least}
    if len(behind) == len(answers) and len(places) == 1:
        return {rank: f"waits in {a['place']}, as all do: MPI or the network is stuck" for rank, a in answers.items()}
    chosen = behind if len(behind) < len(answers) else answers
    return {rank: f"waits in {a['place']}, where others do not come" for rank, a in chosen.items()}

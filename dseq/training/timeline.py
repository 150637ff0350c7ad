"""Where the time of training goes: a line for each epoch, and a file that Chrome and Perfetto draw (`DSEQ_TIMELINE`).

Nothing here runs unless it is asked for: the parts of a session are wrapped then, once. A row of the drawing is a rank,
and a span one of

- `input`: waiting for the next batch, from a generator, a file or workers;
- `compute`: forward and backward pass, the update, and what follows it on the weights;
- `exchange`: sums over ranks;
- `wait`: for ranks that are not there yet. Engines that send messages meet at a barrier for this before they do.

Format: "Trace Event Format", complete events ("ph": "X") with times in microseconds.
"""

import json
import time
from collections import Counter

from dseq import config
from dseq.saving.atomic import replacing

MOST = 500_000  # spans that a rank keeps: some 50 MB of a file
PARTS = ("compute", "exchange", "wait", "input")

_timelines = {}  # one for each communicator


def of(session):
    """The timeline of a training session's ranks, wrapped around it; None unless variables ask for one.

    Where several communicators train at once, the file is that of those ranks which end last.

    Args:
        session: A `Training` session.

    Raises:
        OSError: If the file can't be written; on every rank.
    """
    if not (config.timeline or config.debug):
        return None
    if session.world not in _timelines:
        _timelines[session.world] = found = Timeline(session.world)
        if config.timeline:  # better now than after the training, if it can't be written
            session.world.share_outcome(found._replace)
    if session.timeline is None:
        _timelines[session.world].wrap(session)
    return session.timeline


class Timeline:
    """Spans of time of this rank, and those of all ranks on rank 0 once they are gathered.

    Args:
        world: The communicator.
    """

    def __init__(self, world):
        self.world = world
        self._spans, self._all, self._written = [], [], False
        self._inside = [0.0]  # seconds of spans within the spans that are open
        self._totals, self._since = Counter(), time.perf_counter()
        self._epoch_rows = 0
        self._offset = time.time() - time.perf_counter()

    def timed(self, name, function):
        """A function that does the same and leaves a span."""

        def call(*args, **options):
            with self.span(name):
                return function(*args, **options)

        return call

    def span(self, name):
        """The context of a span."""
        return _Span(self, name)

    def wrap(self, session) -> None:
        """Makes a session's parts leave spans."""
        session.timeline, step, engine = self, session.step, session.engine
        for part in ("compute", "update", "settle"):
            setattr(step, part, self.timed("compute", getattr(step, part)))
        if step.exchange is not None:
            step.exchange = self._met("exchange", step.exchange)
        if engine.shared:
            engine._meet = self.timed("wait", engine._meet)
            engine.reduce, engine.finish = self.timed("exchange", engine.reduce), self.timed("exchange", engine.finish)
        elif self.world.size > 1:
            engine.reduce = self._met("exchange", engine.reduce)

    def _met(self, name, function):
        if self.world.size == 1:
            return self.timed(name, function)

        def call(*args):
            with self.span("wait"):
                self.world.barrier()
            with self.span(name):
                return function(*args)

        return call

    def begin_epoch(self, batches):
        """Begins the sums of an epoch, and passes its batches on, with spans for the waiting."""
        self._totals.clear()
        self._epoch_rows, self._since = 0, time.perf_counter()
        return self._input(iter(batches))

    def _input(self, batches):
        while True:
            with self.span("input"):
                batch = next(batches, None)
            if batch is None:
                return
            self._epoch_rows += batch[3] - batch[2]
            yield batch

    def end_epoch(self, epoch) -> None:
        """Says on rank 0 how fast the epoch was; called by all ranks."""
        seconds = time.perf_counter() - self._since
        mine = {part: self._totals[part] for part in PARTS}
        everybody = self.world.allgather_object((mine, seconds))
        if self.world.rank == 0:
            print(report(epoch, self._epoch_rows, everybody), flush=True)

    def write(self) -> None:
        """Writes the file, on rank 0, of what all ranks have so far; called by all."""
        if not config.timeline:
            return
        gathered = self.world.allgather_object((self.world.host, self._spans))
        self._spans = []
        if self.world.rank == 0:
            for rank, (host, spans) in enumerate(gathered):
                row = {"pid": 0, "tid": rank}
                named = {"name": "thread_name", "ph": "M", "args": {"name": f"rank {rank} ({host})"}} | row
                self._all += [] if self._written else [named]
                for name, begin, seconds in spans:
                    times = {"ts": round(begin * 1e6, 1), "dur": round(seconds * 1e6, 1)}
                    self._all.append({"name": name, "ph": "X"} | row | times)
            self._written = True
            self._replace()

    def _replace(self):
        with replacing(config.timeline) as file:
            file.write(json.dumps({"traceEvents": self._all}).encode())


class _Span:
    def __init__(self, timeline, name):
        self.timeline, self.name = timeline, name

    def __enter__(self):
        self.timeline._inside.append(0.0)
        self.begin = time.perf_counter()

    def __exit__(self, *error):
        timeline, seconds = self.timeline, time.perf_counter() - self.begin
        within = timeline._inside.pop()
        timeline._inside[-1] += seconds
        timeline._totals[self.name] += seconds - within  # each second counts once, for the innermost span
        if config.timeline and len(timeline._spans) < MOST:
            timeline._spans.append((self.name, timeline._offset + self.begin, seconds))


def report(epoch, rows, everybody) -> str:
    """The line of an epoch.

    Args:
        epoch: Its number, from 0.
        rows: Samples that all ranks have trained on.
        everybody: For each rank the seconds that went into each part, and those of the epoch.
    """
    seconds = max(seconds for _, seconds in everybody)
    total = sum(seconds for _, seconds in everybody) or 1e-9
    shares = {part: sum(parts.get(part, 0.0) for parts, _ in everybody) / total for part in PARTS}
    shares["other"] = max(0.0, 1 - sum(shares.values()))
    told = ", ".join(f"{part} {share:.0%}" for part, share in shares.items() if share >= 0.005)
    ranks = len(everybody)
    efficiency = f"; parallel efficiency {shares['compute']:.0%}" if ranks > 1 else ""
    return (
        f"dseq: epoch {epoch + 1}: {rows / max(seconds, 1e-9):,.0f} samples/s on {ranks} rank{'s' * (ranks > 1)}; "
        f"of the time {told}{efficiency}"
    )

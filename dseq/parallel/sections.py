"""Sections: methods that all ranks are in together, and what becomes of a rank that leaves one alone."""

import time

from dseq.parallel import abort
from dseq.parallel.agreement import CALL, EXIT, LEFT, Record, explain


class Sections:
    """The part of a communicator that keeps ranks together, built on how it meets.

    `_meet(record, seconds)` tells each rank's `Record` to all ranks, wherever each of them is; `_meeting(record)` is
    the same as a generator.
    """

    def __init__(self):
        super().__init__()
        self._sections = []

    def section(self, name: str):
        """The context of a method that all ranks call together.

        If an exception takes this rank out of it after `agree`, and the others do not leave it too, they would wait
        for this rank for ever: the job is ended.

        Args:
            name: The method.
        """
        return _Section(self, name)

    def agree(self, section: str, facts=()) -> None:
        """Compares what the ranks are about to do.

        Args:
            section: The method's name.
            facts: (label, value) pairs of strings that must be equal on all ranks.

        Raises:
            ValueError: If ranks differ; the same on every rank, naming the first difference.
        """
        records = self._meet(Record(CALL, section, tuple(facts)))
        if records:
            _differ(records)
        if self._sections:
            self._sections[-1].entered = True

    def compare(self, place: str, facts=()) -> list:
        """Tells each rank what all have found at the same place, where they may have found different things.

        Args:
            place: Where all ranks should be now, put so that "in" goes before it.
            facts: (label, value) pairs of strings.

        Returns:
            The pairs of all ranks, in rank order; an empty list if they are equal.

        Raises:
            ValueError: If a rank is elsewhere, for instance in a method that this rank does not call; on every rank.
        """
        records = self._meet(Record(CALL, place, tuple(facts)))
        if any((record.kind, record.section) != (CALL, place) for record in records):
            _differ(records)
        return [record.facts for record in records]

    def failed_alone(self, section: str, error: BaseException, seconds: float) -> bool:
        """Whether an exception took this rank, but not all, out of a section.

        Args:
            section: Its name.
            error: The exception.
            seconds: How long to wait for the others.
        """
        return self._meet(Record(LEFT, section, (), f"{type(error).__name__}: {error}", fatal=True), seconds) != []

    def leaving(self, seconds: float | None = None):
        """Meets the other ranks at the end of the program, so that none waits for a rank that is gone.

        Args:
            seconds: How long it will be waited for them.

        Returns:
            A generator of the requests to wait for. It ends with whether all have ended: without a limit those that
            enter a section meanwhile are told, and waited for.
        """
        records = yield from self._meeting(Record(EXIT, fatal=seconds is not None))
        while records and seconds is None:
            records = yield from self._meeting(Record(EXIT))
        return records == []


def _differ(records):
    if any(record.fatal for record in records):
        time.sleep(3 * abort.PATIENCE)  # that rank knows what went wrong, and says it
    raise ValueError(explain(records))


class _Section:
    """See `Sections.section`."""

    def __init__(self, world, name):
        self.world, self.name, self.entered = world, name, False

    def __enter__(self):
        self.world._sections.append(self)
        return self.world

    def __exit__(self, kind, error, trace):
        self.world._sections.remove(self)
        if error is not None and self.entered:
            abort.left(self.world, self.name, error)

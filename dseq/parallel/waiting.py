"""Waiting for other ranks without taking the core that they may need, and meeting them wherever they are."""

import time

import numpy as np

from dseq.parallel import abort

SPIN = 2e-4  # seconds of waiting before the first pause, which takes 5e-5 at least
LONGEST = 0.01  # seconds of a pause at most
NOTICE = 60.0  # seconds of waiting after which a rank says so


class Waiting:
    """The part of a communicator that meets other ranks, on a communicator of its own for that, `_control`."""

    _control = None

    def _meet(self, record, seconds=None):
        """Meets the other ranks wherever they are: entering a section, having failed in one, or at their end.

        Returns:
            Nothing if all have the same record, their records if not, None if some did not come within `seconds`.
        """
        if not self._connect(seconds):
            return None
        return self._finish(self._meeting(record), record.section or None, seconds)

    def _meeting(self, record):
        """A meeting as a generator of the requests to wait for; `_meet` without limits of time."""
        digests = np.empty((self.size, 16), np.uint8)
        yield self._control.Iallgather(np.frombuffer(record.digest(), np.uint8), digests)
        if (digests == digests[0]).all():
            return []
        return (yield from self._gathering(self._control, record))

    def _finish(self, requests, place=None, seconds=None):
        """What a generator of requests returns in the end; None if its first one is not done within `seconds`."""
        while True:
            try:
                request = next(requests)
            except StopIteration as end:
                return end.value
            if not self._wait(request, place, seconds):
                return None
            seconds = None  # all are here

    def _wait(self, request, place=None, seconds=None):
        """Waits for a request. MPI's own wait takes a whole core, which the rank that is awaited may need."""
        begin, pause, noticed = time.monotonic(), 0.0, place is None
        while not request.Test():
            waited = time.monotonic() - begin
            if waited < SPIN:
                continue
            if seconds is not None and waited > seconds:
                return False
            if waited > NOTICE and not noticed:
                noticed = True
                abort.say(f"has waited {NOTICE:.0f} s in {place} for the other ranks, which must call it too")
            pause = min(pause * 1.2 + 2e-6, LONGEST)
            time.sleep(pause)
        return True


def leave_all(worlds, seconds=None) -> bool:
    """Meets the ranks of several communicators at the end of the program, in whatever order they end.

    Args:
        worlds: The communicators.
        seconds: How long to wait for them.

    Returns:
        Whether all ranks of all have ended.
    """
    begin, pause, ended = time.monotonic(), 0.0, True
    if not all(world._connect(seconds) for world in worlds):
        return False
    leaving = [world.leaving(seconds) for world in worlds]
    waiting = {each: next(each) for each in leaving}
    while waiting:
        for each, request in list(waiting.items()):
            if request.Test():
                try:
                    waiting[each] = next(each)
                except StopIteration as end:
                    del waiting[each]
                    ended = ended and end.value
        if seconds is not None and time.monotonic() - begin > seconds:
            return ended and not waiting
        pause = min(pause * 1.2 + 2e-6, LONGEST)
        time.sleep(pause if waiting else 0)
    return ended

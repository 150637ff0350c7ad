"""What ranks tell each other in every step at no cost of its own: slots behind the sums, in the tail of the gradients.

The reduction that sums gradients, losses and metrics sums these slots too; nothing else is sent in a step. Each is a
small whole number, so its sum is exact whatever the float type: 0 or 1 for what a rank has to say, and 0 or 1 for each
bit of a checksum, which all ranks have alike only if the sum is 0 or the number of ranks. As all see the same sums, all
conclude the same.

`dseq.kernels.checksum` has the order of the slots, writes and reads them.
"""

import numpy as np

from dseq import config
from dseq.kernels.base import JIT
from dseq.kernels.checksum import BAD as BAD_SLOT
from dseq.kernels.checksum import FLAGS, checksum, read_flags, write_flags
from dseq.kernels.checksum import STOP as STOP_SLOT
from dseq.kernels.checksum import STRAYED as STRAYED_SLOT
from dseq.parallel import signals

STOPS, BAD, STRAYED, DIFFERS = 1, 2, 4, 8  # bits of what `Flags.read` returns
LEAST = 4096  # elements that are looked at in a step at least: less saves no time


class Flags:
    """One training session's slots.

    Args:
        world: The communicator.
        plan: The plan; its own sums come first in the tail.
        engine: The engine that reduces.
        parameters: The arenas.
        slots: The optimizer's slots.
        whole_gradients: Whether gradients are used as they are; not if they are scaled, when infinity is expected.

    Attributes:
        bad: Whether this rank itself has found something that is not finite when it looked last.
        looked: Whether that was in the last step.
        must_look: Whether to look in the next step, whichever it is.
    """

    def __init__(self, world, plan, engine, parameters, slots, whole_gradients=True):
        self.world, self.parameters, self.slots = world, parameters, slots
        self.bad, self.looked, self.must_look = 0, False, False
        self._first = plan.tail_size
        self._own = parameters.tails[0, plan.tail_size :]
        self._sums, self._others = parameters.tails[0, : plan.tail_size], parameters.tails[1:, : plan.tail_size]
        self._shared = engine.shared
        self._grads = parameters.grads
        # One copy of the weights is equal to itself.
        replicated = not (engine.shared and world.local_size == world.size)
        self._turns, self._turn = [(0, 0, np.zeros(1, np.int32), 0, 0)], 0
        if self.width(world):
            arrays = [parameters.params, *slots.blocks] if replicated else []
            looked_at = parameters.trainable_size if whole_gradients else 0
            if config.check_every:
                self._turns = _turns(arrays, looked_at, config.check_every)
        # What is soon looked at as a whole need not be looked at in every step.
        self._stride = max(1, config.check_every // len(self._turns)) if config.check_every else 0
        self._steps = 0
        if self.width(world):
            world.on_node_first(self._compile)

    @staticmethod
    def width(world) -> int:
        """How many slots the tail needs for this many ranks."""
        return FLAGS if world.size > 1 else 0

    def _compile(self):
        if JIT:
            for turn in self._turns:
                write_flags(np.zeros(FLAGS, self._own.dtype), 0, 0, self._sums, self._grads, 0, 0, turn[2], 0, 0)
                checksum(turn[2], 0, 0)
            read_flags(np.zeros(FLAGS, self._own.dtype), 0, 1)

    def write(self) -> None:
        """Writes what this rank has to say, between the step's computation and its reduction."""
        if self.world.size == 1:
            return
        strayed = self._shared and (self.parameters.strayed or self.slots.strayed)
        self._steps += 1
        self.looked = self.must_look or (self._stride and self._steps % self._stride == 0)
        if not self.looked:  # all slots are 0, as sums are before a step
            if strayed or signals.asked:
                self._own[STOP_SLOT], self._own[STRAYED_SLOT] = int(signals.asked != 0), int(strayed)
            return
        self.must_look = False
        lo, hi, words, first, last = self._turns[self._turn]
        self._turn = (self._turn + 1) % len(self._turns)
        self.bad = write_flags(
            self._own, int(signals.asked != 0), int(strayed), self._sums, self._grads, lo, hi, words, first, last
        )
        if self._others.size and not self.bad and not np.isfinite(self._others).all():
            self._own[BAD_SLOT] = self.bad = 1

    def read(self, tail) -> int:
        """What any rank has to say, from the reduced tail.

        Args:
            tail: The tail after the reduction, the plan's own sums first.

        Returns:
            The sum of those of `STOPS`, `BAD`, `STRAYED`, `DIFFERS` that hold: the same on all ranks; mostly 0.
        """
        if self.world.size == 1:
            return STOPS if signals.asked else 0
        return read_flags(tail, self._first, self.world.size)


def _turns(arrays, gradients, every):
    """What is looked at in each of `every` steps or, if there are more arrays than that, a few more.

    Returns:
        List of `(lo, hi, words, first, last)`: a piece of the gradients, and a piece of an array as whole numbers.
    """
    words = [array.reshape(-1).view(f"i{array.itemsize}") for array in arrays if array.itemsize in (4, 8)]
    total = sum(array.size for array in words)
    share = max(LEAST, -(-total // max(1, every - len(words))))
    pieces = [(array, lo, min(lo + share, array.size)) for array in words for lo in range(0, array.size, share)] or [
        (np.zeros(1, np.int32), 0, 0)
    ]
    most = max(len(pieces), min(every, -(-gradients // LEAST)))
    step = -(-gradients // most)
    return [(min(i * step, gradients), min((i + 1) * step, gradients), *pieces[i % len(pieces)]) for i in range(most)]

"""How the ranks of a job come to one sum of gradients and one set of parameters: the seam between training and MPI."""

import numpy as np

from dseq.program.memory import aligned


class Engine:
    """What one step needs of the other ranks. This base is also the answer for a single rank: nothing.

    A step computes gradients into the arena this engine allocated, calls `reduce`, updates the slice `owned`, and
    calls `finish`.

    Args:
        communicator: From `communicator.get()`.
    """

    def __init__(self, communicator):
        self.communicator = communicator

    def allocate(self, name: str, nbytes: int) -> np.ndarray:
        """Zeroed memory for an arena; an engine may give memory that other ranks see too.

        Args:
            name: "params" or "grads".
            nbytes: Size in bytes.

        Returns:
            A uint8 array that begins at a multiple of 64 bytes.
        """
        return aligned(nbytes)

    def broadcast(self, params: np.ndarray) -> None:
        """Gives all ranks rank 0's parameters.

        Args:
            params: The parameter arena, changed in place.
        """

    def reduce(self, grads: np.ndarray) -> None:
        """Replaces gradients, and the sums in the tail behind them, by their sums over ranks.

        Args:
            grads: The gradient arena with its tail, changed in place.
        """

    def owned(self, total: int) -> tuple[int, int]:
        """The slice [lo, hi) of the trainable parameters that this rank's optimizer updates.

        Args:
            total: Number of trainable parameters in the arena.
        """
        return 0, total

    def finish(self, params: np.ndarray) -> None:
        """Makes every rank see the whole update.

        Args:
            params: The parameter arena.
        """


def get(name: str, communicator) -> Engine:
    """The engine of a name.

    Args:
        name: "auto" or "flat".
        communicator: From `communicator.get()`.

    Returns:
        An engine. A single rank needs none of the named ones and gets `Solo`.
    """
    if communicator.size == 1:
        from dseq.parallel.solo import Solo as chosen
    elif name in ("auto", "flat"):
        from dseq.parallel.flat import Flat as chosen
    else:
        raise ValueError(f"The engine must be 'auto' or 'flat'. Received: {name!r}")
    return chosen(communicator)

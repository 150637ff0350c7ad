"""Where a `fit` is: what must be kept to go on from there, to the bit."""


class Position:
    """The place of a training loop, which a callback may keep and set back while training begins.

    Args:
        session: The training session, with its sums of losses and metrics.
        epoch: The epoch that is run, or next.
        past: Number of epochs of earlier calls of `fit`, by which shuffling goes on.
        steps: Number of steps in an epoch, or None.

    Attributes:
        batch: The batch that is next in that epoch; 0 between epochs.
    """

    def __init__(self, session, epoch, past, steps):
        self.session = session
        self.epoch, self.batch, self.past, self.steps = epoch, 0, past, steps
        self._sums = None
        self._inside = False  # whether the epoch that comes next has been begun in another process

    def begin_epoch(self, epoch) -> int:
        """Begins the sums of an epoch, or takes up those that were kept.

        Args:
            epoch: Number of the epoch.

        Returns:
            The batch to begin with.
        """
        self.session.reset()
        if self._sums is not None:
            self.session.sums = self._sums
        if not self._inside:
            self.batch = 0
        self.epoch, self._sums, self._inside = epoch, None, False
        return self.batch

    def end_epoch(self) -> None:
        """Goes to the beginning of the next epoch."""
        self.epoch, self.batch = self.epoch + 1, 0

    def save_state(self) -> dict:
        """All of it as numbers, to be kept."""
        sums = self.session.sums if self.batch else None
        own = {name: getattr(self, name) for name in ("epoch", "batch", "past", "steps")}
        return own | {"seed": self.session.seed, "sums": sums}

    def load_state(self, state) -> bool:
        """Goes to where `save_state` was called, maybe in another process.

        Args:
            state: What it gave.

        Returns:
            Whether the sums of losses and metrics fit: not if the model was compiled with others.
        """
        self.epoch, self.batch, self.past = state["epoch"], state["batch"], state["past"]
        self._inside = self.batch > 0
        self.session.seed = state["seed"]
        sums, own = state["sums"], self.session.sums
        fits = sums is None or len(sums["totals"]) == len(own["totals"])
        self._sums = sums if fits else None
        return fits

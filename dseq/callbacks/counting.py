"""Counting batches, for callbacks that do something every few of them."""


class BatchCounter:
    """Tells when so many batches have gone by, over the ends of epochs.

    Hooks are called once for several batches if the model was compiled with `steps_per_execution`, so batches are
    counted by their numbers.

    Args:
        every: Number of batches.
    """

    def __init__(self, every):
        self.every = every
        self.seen = 0
        self.last = None

    def due(self, batch) -> bool:
        """Whether the count is full with this batch; it then begins anew.

        Args:
            batch: Number of the batch in its epoch, from 0.
        """
        new_epoch = self.last is None or batch <= self.last
        self.seen += batch + 1 if new_epoch else batch - self.last
        self.last = batch
        if self.seen < self.every:
            return False
        self.seen = 0
        return True


def check_frequency(save_freq, kind) -> None:
    """Raises unless it is `"epoch"` or a positive number of batches.

    Args:
        save_freq: The argument.
        kind: Name of the callback, for the message.

    Raises:
        ValueError: If it is neither.
    """
    if save_freq == "epoch":
        return
    if not isinstance(save_freq, int) or isinstance(save_freq, bool) or save_freq < 1:
        raise ValueError(
            f"Unrecognized save_freq of {kind}: it must be 'epoch' or a positive number of batches. "
            f"Received: save_freq={save_freq!r}"
        )

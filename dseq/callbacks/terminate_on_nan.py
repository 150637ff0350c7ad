"""Ends training when the loss is no longer a number."""

import math

from dseq.callbacks.announce import announce
from dseq.callbacks.callback import Callback


class TerminateOnNaN(Callback):
    """Stops training as soon as the loss is NaN or infinite.

    Args:
        raise_error: Whether to raise instead of ending `fit` in the ordinary way.

    Raises:
        RuntimeError: On every rank, after the batch, if `raise_error` is set.
    """

    def __init__(self, raise_error=False):
        if not isinstance(raise_error, bool):
            raise ValueError(f"`raise_error` of TerminateOnNaN must be a bool. Received: raise_error={raise_error!r}")
        self.raise_error = raise_error

    def on_batch_end(self, batch, logs=None):
        loss = (logs if logs is not None else {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(
                f"NaN or Inf loss encountered at batch {batch}. Invalid loss, terminating training. "
                f"Received: loss={loss}"
            )
        announce(f"Batch {batch}: Invalid loss, terminating training", after_bar=True)
        self.model.stop_training = True

"""Sets the learning rate of each epoch by a function."""

import inspect
from numbers import Integral, Real

import numpy as np

from dseq.callbacks.announce import announce
from dseq.callbacks.callback import Callback
from dseq.callbacks.rates import learning_rate, optimizer_of


class LearningRateScheduler(Callback):
    """Asks a function for the learning rate at the beginning of every epoch; epochs' logs gain `learning_rate`.

    Every rank asks; should the answers differ, rank 0's counts.

    Args:
        schedule: Function of `(epoch)` or `(epoch, learning_rate)`, epochs counted from 0, that gives a float.
        verbose: 0 or 1; 1 says what the learning rate is set to.

    Raises:
        ValueError: During training, if the function gives something other than a float.
        TypeError: During training, if the optimizer has a schedule of its own.

    Example:
        >>> halve = LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch and epoch % 10 == 0 else rate)
    """

    _calls_user_code = True

    def __init__(self, schedule, verbose=0):
        super().__init__()
        if not callable(schedule):
            raise ValueError(f"`schedule` of LearningRateScheduler must be a function. Received: schedule={schedule!r}")
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch, logs=None):
        optimizer = optimizer_of(self.model, "LearningRateScheduler")
        rate = learning_rate(optimizer)
        rate = self.schedule(epoch, rate) if _takes_two(self.schedule) else self.schedule(epoch)
        number = isinstance(rate, Real) or (hasattr(rate, "dtype") and np.ndim(rate) == 0)
        if not number or isinstance(rate, Integral):
            raise ValueError(
                f"The output of the `schedule` function of LearningRateScheduler should be a float. Received: {rate!r}"
            )
        optimizer.learning_rate = float(rate)
        if self.verbose:
            announce(f"Epoch {epoch + 1}: LearningRateScheduler setting learning rate to {float(rate)}.")

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            logs["learning_rate"] = learning_rate(optimizer_of(self.model, "LearningRateScheduler"))


def _takes_two(function):
    """Whether it takes the learning rate too. Calling it to find out would hide its own TypeErrors."""
    try:
        inspect.signature(function).bind(0, 0.0)
    except TypeError:
        return False
    except ValueError:  # some built-in functions do not say
        return True
    return True

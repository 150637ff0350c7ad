"""Learning rates: a number that can be set, a schedule of steps, or a function without arguments."""

import inspect

import numpy as np

from dseq.program.floatx import floatx
from dseq.program.variable import Variable


def learning_rate(value, owner):
    """What an optimizer keeps of the `learning_rate` it was given.

    Args:
        value: Float, schedule or function.
        owner: Name of the optimizer.

    Returns:
        A variable for a float, else the value itself.

    Raises:
        ValueError: If it is something else.
    """
    if isinstance(value, dict):
        raise ValueError(f"Learning rate schedules can't be read from a configuration yet. Received: {value}")
    if callable(value):
        return value
    if not isinstance(value, float | np.floating):
        raise ValueError(
            "Argument `learning_rate` should be float, or an instance of LearningRateSchedule, or a callable (that "
            "takes in the current iteration value and returns the corresponding learning rate value). "
            f"Received instead: learning_rate={value}"
        )
    return Variable(value, floatx(), "learning_rate", f"{owner}/learning_rate", trainable=False)


def current(rate, step) -> float:
    """The learning rate of a step, counted from 0."""
    if isinstance(rate, Variable):
        return float(rate.array)
    return float(rate(step) if _takes_step(rate) else rate())


def describe(rate, step):
    """A learning rate as plain data; of a function without configuration, its number at this step."""
    if hasattr(rate, "get_config"):
        return {
            "module": "keras.optimizers.schedules",
            "class_name": type(rate).__name__,
            "config": rate.get_config(),
            "registered_name": None,
        }
    return current(rate, step)


def _takes_step(function) -> bool:
    try:
        inspect.signature(function).bind(0)
    except (TypeError, ValueError):
        return False
    return True

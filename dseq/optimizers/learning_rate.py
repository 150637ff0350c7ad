"""Learning rates: a number that can be set, a schedule of steps, or a function without arguments."""

import inspect

import numpy as np

from dseq.optimizers import schedules
from dseq.program import registry
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
    known = isinstance(rate, schedules.LearningRateSchedule)  # looking at a signature takes long
    return float(rate(step) if known or _takes_step(rate) else rate())


def describe(rate, step):
    """A learning rate as plain data; of a function that is not registered, its number at this step."""
    if isinstance(rate, Variable):
        return float(rate.array)
    if hasattr(rate, "get_config"):
        return schedules.serialize(rate)
    name = registry.get_registered_name(rate) if hasattr(rate, "__name__") else None
    if name is not None and registry.get_registered_object(name) is rate:
        return {"module": "builtins", "class_name": "function", "config": name, "registered_name": name}
    return current(rate, step)


def restore(config, custom_objects=None):
    """The schedule or function that `describe` described."""
    if config.get("class_name") == "function":
        found = registry.find(None, config, custom_objects)
        if found is None:
            raise ValueError(
                f"The function of a learning rate must be known: register it with `register_keras_serializable`, or "
                f"name it in `custom_objects`. Received: {config}"
            )
        return found
    return schedules.deserialize(config, custom_objects)


def _takes_step(function) -> bool:
    try:
        inspect.signature(function).bind(0)
    except (TypeError, ValueError):
        return False
    return True

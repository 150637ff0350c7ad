"""Learning-rate schedules: functions of the number of steps made, for `learning_rate=` of any optimizer."""

from dseq.optimizers.schedules.cosine import CosineDecay, CosineDecayRestarts
from dseq.optimizers.schedules.decay import (
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from dseq.optimizers.schedules.learning_rate_schedule import LearningRateSchedule
from dseq.optimizers.schedules.linear_warmup import LinearWarmup
from dseq.program import registry

_classes = (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LinearWarmup,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
registry.provide("keras.optimizers.schedules", {kind.__name__: kind for kind in (*_classes, LearningRateSchedule)})


def serialize(learning_rate_schedule) -> dict:
    """A schedule as plain data for `deserialize`.

    Args:
        learning_rate_schedule: A `LearningRateSchedule`, or another object with `get_config`.

    Example:
        >>> serialize(ExponentialDecay(0.1, 1000, 0.9))["class_name"]
        'ExponentialDecay'
    """
    kind = type(learning_rate_schedule)
    place = registry.place_of(kind)
    return {
        "module": place[0] if place else kind.__module__,
        "class_name": kind.__name__,
        "config": learning_rate_schedule.get_config(),
        "registered_name": None if place else registry.get_registered_name(kind),
    }


def deserialize(config, custom_objects=None):
    """The schedule that `serialize` described.

    Args:
        config: A dict with `class_name` and `config`.
        custom_objects: Classes of your own, by name.

    Raises:
        ValueError: If the class is not known.
    """
    kind = registry.find("keras.optimizers.schedules", config, custom_objects) if isinstance(config, dict) else None
    if kind is None:
        raise ValueError(
            "Could not interpret learning rate schedule: it must be a class of `dseq.optimizers.schedules` or one that "
            f"`custom_objects` or `register_keras_serializable` names. Received: {config}"
        )
    with registry.CustomObjectScope(custom_objects):
        return kind.from_config(config.get("config") or {})


__all__ = [*(kind.__name__ for kind in _classes), "LearningRateSchedule", "deserialize", "serialize"]

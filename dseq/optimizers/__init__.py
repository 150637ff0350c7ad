"""Optimizers: how gradients change weights, by name or by object."""

import inspect

from dseq.optimizers import schedules
from dseq.optimizers.adadelta import Adadelta
from dseq.optimizers.adafactor import Adafactor
from dseq.optimizers.adagrad import Adagrad
from dseq.optimizers.adam import Adam
from dseq.optimizers.adamax import Adamax
from dseq.optimizers.adamw import AdamW
from dseq.optimizers.ftrl import Ftrl
from dseq.optimizers.lamb import Lamb
from dseq.optimizers.lars import LARS
from dseq.optimizers.lion import Lion
from dseq.optimizers.loss_scale_optimizer import LossScaleOptimizer
from dseq.optimizers.muon import Muon
from dseq.optimizers.nadam import Nadam
from dseq.optimizers.optimizer import Optimizer
from dseq.optimizers.rmsprop import RMSprop
from dseq.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from dseq.optimizers.sgd import SGD
from dseq.program import registry

_classes = (
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    AdamW,
    Adamax,
    Ftrl,
    LARS,
    Lamb,
    Lion,
    LossScaleOptimizer,
    Muon,
    Nadam,
    RMSprop,
    SGD,
    ScheduleFreeAdamW,
)
_by_name = {kind.__name__.lower(): kind for kind in _classes}
registry.provide("keras.optimizers", {kind.__name__: kind for kind in _classes})


def get(identifier):
    """An optimizer for whatever `compile(optimizer=...)` may be given.

    Args:
        identifier: Name in upper or lower case, configuration, `Optimizer`, its class, or None.

    Returns:
        An `Optimizer`, a fresh one for a name; None for None.

    Raises:
        ValueError: If it is none of these.
    """
    if identifier is None or isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, str | dict):
        return deserialize(identifier)
    if inspect.isclass(identifier) and issubclass(identifier, Optimizer):
        return identifier()
    raise ValueError(f"Could not interpret optimizer identifier: {identifier}")


def serialize(optimizer) -> dict | None:
    """An optimizer as plain data for `deserialize`, without its state."""
    if optimizer is None:
        return None
    kind = type(optimizer)
    place = registry.place_of(kind)
    return {
        "module": place[0] if place else kind.__module__,
        "class_name": kind.__name__,
        "config": optimizer.get_config(),
        "registered_name": None if place else registry.get_registered_name(kind),
    }


def deserialize(config, custom_objects=None):
    """The optimizer that `serialize` described.

    Args:
        config: A dict with `class_name` and `config`, or a name.
        custom_objects: Classes of your own, by name.

    Raises:
        ValueError: If the class is not known.
    """
    if config is None:
        return None
    given = config
    if isinstance(config, str):
        config = {"class_name": config, "config": {}}
    name = config.get("class_name")
    found = registry.find("keras.optimizers", config, custom_objects)
    if found is None and isinstance(name, str):
        found = _by_name.get(name.lower())
    if found is None:
        raise ValueError(
            f"Could not interpret optimizer identifier: {given}. Known names are {sorted(_by_name)}, and those of "
            "classes that `custom_objects` or `register_keras_serializable` names."
        )
    with registry.CustomObjectScope(custom_objects):
        return found.from_config(config.get("config") or {})


__all__ = [*sorted(kind.__name__ for kind in _classes), "Optimizer", "deserialize", "get", "schedules", "serialize"]

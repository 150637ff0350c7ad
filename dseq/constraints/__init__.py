"""Constraints: where weights must lie after each update, by name, by object or by function."""

import inspect

from dseq.constraints.constraint import Constraint, Function
from dseq.constraints.norms import MaxNorm, MinMaxNorm, NonNeg, UnitNorm
from dseq.program import registry
from dseq.program.naming import snake_case
from dseq.program.serialization import deserialize_keras_object, serialize_keras_object

max_norm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = NonNeg
unit_norm = UnitNorm

MODULE = "keras.constraints"
_classes = {kind.__name__: kind for kind in (Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm)}
registry.provide(MODULE, _classes | {snake_case(name): kind for name, kind in _classes.items()})


def get(identifier):
    """A constraint for whatever a layer's `kernel_constraint=` may be.

    Args:
        identifier: Name (`"max_norm"`, `"min_max_norm"`, `"non_neg"`, `"unit_norm"`, a registered one), configuration,
            object, class, function of an array, or None.

    Returns:
        A `Constraint`, None for None. Functions are wrapped in one.

    Raises:
        ValueError: If it is none of these.
    """
    if identifier is None or isinstance(identifier, Constraint):
        return identifier
    found = identifier
    if isinstance(identifier, dict):
        found = deserialize(identifier)
    elif isinstance(identifier, str):
        found = registry.find(MODULE, identifier)
    if inspect.isclass(found):
        found = found()
    if not callable(found):
        raise ValueError(f"Could not interpret constraint identifier: {identifier!r}")
    return found if hasattr(found, "lower") else Function(found)


def serialize(constraint):
    """A constraint as plain data for `deserialize`."""
    return serialize_keras_object(constraint)


def deserialize(config, custom_objects=None):
    """The constraint that `serialize` described.

    Args:
        config: The plain data, or a name.
        custom_objects: Dict of classes and functions of your own, by name.

    Raises:
        TypeError: If the class or function is not known.
    """
    return deserialize_keras_object(config, custom_objects, module=MODULE)


__all__ = [
    "Constraint",
    "Function",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "serialize",
    "unit_norm",
]

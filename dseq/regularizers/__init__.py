"""Regularizers: penalties on weights and activations, by name, by object or by function."""

import inspect

from dseq.program import registry
from dseq.program.serialization import deserialize_keras_object, serialize_keras_object
from dseq.regularizers.l1l2 import L1, L1L2, L2
from dseq.regularizers.orthogonal import OrthogonalRegularizer
from dseq.regularizers.regularizer import Function, Regularizer

l1 = L1
l2 = L2
l1_l2 = L1L2
orthogonal_regularizer = OrthogonalRegularizer

MODULE = "keras.regularizers"
registry.provide(
    MODULE,
    {
        "Regularizer": Regularizer,
        "L1": L1,
        "L2": L2,
        "L1L2": L1L2,
        "OrthogonalRegularizer": OrthogonalRegularizer,
        "regularizer": Regularizer,
        "l1": L1,
        "l2": L2,
        "l1l2": L1L2,
        "orthogonal_regularizer": OrthogonalRegularizer,
    },
)


def get(identifier):
    """A regularizer for whatever a layer's `kernel_regularizer=` may be.

    Args:
        identifier: Name (`"l1"`, `"l2"`, `"l1_l2"`, `"orthogonal_regularizer"`, a registered one), configuration,
            object, class, function of a weight, or None.

    Returns:
        A `Regularizer`, None for None. Functions are wrapped in one.

    Raises:
        ValueError: If it is none of these.
    """
    if identifier is None or isinstance(identifier, Regularizer):
        return identifier
    found = identifier
    if isinstance(identifier, dict):
        found = deserialize(identifier)
    elif identifier == "l1_l2":  # Keras' documentation has it, its code does not know it
        return L1L2(0.01, 0.01)
    elif isinstance(identifier, str):
        found = registry.find(MODULE, identifier)
    if inspect.isclass(found):
        found = found()
    if not callable(found):
        raise ValueError(f"Could not interpret regularizer identifier: {identifier!r}")
    return found if hasattr(found, "lower") else Function(found)


def serialize(regularizer):
    """A regularizer as plain data for `deserialize`."""
    return serialize_keras_object(regularizer)


def deserialize(config, custom_objects=None):
    """The regularizer that `serialize` described.

    Args:
        config: The plain data, or a name.
        custom_objects: Dict of classes and functions of your own, by name.

    Raises:
        TypeError: If the class or function is not known.
    """
    return deserialize_keras_object(config, custom_objects, module=MODULE)


__all__ = [
    "L1",
    "L1L2",
    "L2",
    "Function",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]

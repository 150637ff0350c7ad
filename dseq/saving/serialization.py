"""Keras' `saving` names for configurations: objects as plain data, and classes of the user's own.

Everything is in `dseq.program.registry` and `dseq.program.serialization`, from where layers, losses and the others take
it, as imports go down only.
"""

from dseq.program.registry import (
    CustomObjectScope,
    custom_object_scope,
    find,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from dseq.program.serialization import (
    deserialize_keras_object,
    enable_unsafe_deserialization,
    safe_mode_scope,
    serialize_keras_object,
)

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "enable_unsafe_deserialization",
    "find",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "register_keras_serializable",
    "safe_mode_scope",
    "serialize_keras_object",
]

"""Initializers: what weights are before training, by name, by object or by function."""

import inspect

import numpy as np

from dseq.initializers.constants import Constant, Identity, Ones, Zeros
from dseq.initializers.distributions import RandomNormal, RandomUniform, TruncatedNormal
from dseq.initializers.initializer import Initializer, RandomInitializer, standardize
from dseq.initializers.orthogonal import Orthogonal
from dseq.initializers.variance_scaling import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
    compute_fans,
)
from dseq.program import registry
from dseq.program.naming import snake_case
from dseq.program.serialization import deserialize_keras_object, serialize_keras_object

# Keras' other names of the same classes.
constant = Constant
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
identity = IdentityInitializer = Identity
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
ones = Ones
orthogonal = OrthogonalInitializer = Orthogonal
random_normal = RandomNormal
random_uniform = RandomUniform
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
zeros = Zeros

_classes = (Constant, GlorotNormal, GlorotUniform, HeNormal, HeUniform, Identity, LecunNormal, LecunUniform, Ones)
_classes += (Orthogonal, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling, Zeros)
_by_name = {kind.__name__: kind for kind in _classes}
_by_name |= {snake_case(name): kind for name, kind in _by_name.items()}
_by_name |= {"IdentityInitializer": Identity, "OrthogonalInitializer": Orthogonal}
_by_name |= {"uniform": RandomUniform, "normal": RandomNormal, "zero": Zeros, "one": Ones}
MODULE = "keras.initializers"
registry.provide(MODULE, _by_name)


def get(identifier):
    """An initializer for whatever a layer's `kernel_initializer=` may be.

    Args:
        identifier: Name of a class (`"GlorotUniform"`, `"glorot_uniform"`), configuration, object, class, function
            `(shape, dtype)`, array of the weight's shape, or None.

    Returns:
        A callable `(shape, dtype=None)`; a fresh object for a name. None for None.

    Raises:
        ValueError: If it is none of these.
    """
    if identifier is None:
        return None
    if isinstance(identifier, str):
        return deserialize({"class_name": identifier, "config": {}})
    if isinstance(identifier, dict):
        identifier = deserialize(identifier)
    if isinstance(identifier, np.ndarray | np.generic):
        return _from_array(np.array(identifier))
    if inspect.isclass(identifier) and issubclass(identifier, Initializer):
        return identifier()
    if callable(identifier):
        return identifier
    raise ValueError(f"Could not interpret initializer identifier: {identifier!r}")


def serialize(initializer):
    """An initializer as plain data for `deserialize`: its configuration, or the name of a function."""
    return serialize_keras_object(initializer)


def deserialize(config, custom_objects=None):
    """The initializer that `serialize` described.

    Args:
        config: A dict with `class_name` and `config`, or a name.
        custom_objects: Classes and functions of your own, by name; registered ones are known anyway.

    Raises:
        ValueError: If the class is not known, or does not take such a configuration.
    """
    if config is None:
        return None
    if isinstance(config, str):
        config = {"class_name": config, "config": {}}
    name = config.get("class_name")
    if name in ("__numpy__", "__tensor__"):
        return deserialize_keras_object(config)
    found = registry.find(MODULE, config, custom_objects)
    if found is None:
        shown = name if set(config) == {"class_name", "config"} and not config["config"] else config
        raise ValueError(
            f"Could not interpret initializer identifier: {shown!r}. Known names: "
            f"{', '.join(sorted(name for name in _by_name if name.islower()))}. A class of your own must be decorated "
            "with `@dseq.saving.register_keras_serializable()`."
        )
    if not inspect.isclass(found):
        return found
    try:
        with registry.CustomObjectScope(custom_objects):
            return found.from_config(config.get("config") or {})
    except TypeError as error:
        raise ValueError(
            f"Initializer {name!r} does not take this configuration. Received: {config!r} ({error})"
        ) from None


def _from_array(values):
    """The initializer that gives the values of an array, for a weight of its shape."""

    def initialize(shape, dtype=None):
        shape, dtype = standardize(shape, dtype)
        if shape != values.shape:
            raise ValueError(
                f"An array as initializer must have the weight's shape {shape}. "
                f"Received: an array of shape {values.shape}"
            )
        return values.astype(dtype)

    initialize.keras_config = lambda: values
    return initialize


__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomInitializer",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "compute_fans",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]

"""What makes a layer plain data and plain data a layer again."""

import inspect

from dseq.program.serialization import (
    deserialize_keras_object,
    dtype_policy,
    for_constructor,
    serialize_keras_object,
    writing,
)

BASIC = ("name", "trainable", "dtype")


class Configured:
    """The part of a layer that knows its configuration: the arguments of its constructor.

    A class of the user's own needs no `get_config` if each argument of its constructor is plain data or an object that
    has a configuration, layers among them. With a `get_config` of its own, `super().get_config()` gives what the
    class above takes, as in Keras.
    """

    def get_config(self) -> dict:
        """The constructor's arguments as plain data, from which `from_config` makes an equal layer.

        Raises:
            NotImplementedError: If an argument can't be written down.
        """
        config = {"name": self.name, "trainable": self.trainable, "dtype": dtype_policy(self.dtype)}
        with writing() as finish:
            for argument in _arguments(self):
                value = getattr(self, argument) if hasattr(self, argument) else self._given.get(argument)
                if argument in BASIC or (not hasattr(self, argument) and argument not in self._given):
                    continue
                try:
                    config[argument] = serialize_keras_object(value)
                except (TypeError, ValueError) as error:
                    raise NotImplementedError(
                        f"Layer {self.name!r} of class {type(self).__name__} must implement `get_config()`, and "
                        f"`from_config()` if need be: its argument `{argument}` can't be written down. {error}"
                    ) from error
            if self.activity_regularizer is not None:
                config["activity_regularizer"] = serialize_keras_object(self.activity_regularizer)
            return finish(config)

    @classmethod
    def from_config(cls, config):
        """A layer with this configuration; its weights are fresh.

        Args:
            config: What `get_config` of dseq or Keras gave.
        """
        if "batch_input_shape" in config:  # as Keras 2 wrote it
            return _from_keras_2(cls, dict(config))
        if cls.__module__.startswith("dseq."):
            return cls(**for_constructor(cls, config))
        if _overriding(cls) is None:  # written by `get_config` above, so read here too
            config = {k: v if k == "dtype" else deserialize_keras_object(v) for k, v in config.items()}
        return cls(**config)

    def get_build_config(self):
        """The shapes for which the layer was built, as plain data; None if it was not."""
        args, kwargs = vars(self).get("_build_shapes") or ((), {})
        if kwargs:
            return {"shapes_dict": dict(kwargs)}
        if not args:
            return None
        return {"input_shape": args[0] if len(args) == 1 else list(args)}

    def build_from_config(self, config) -> None:
        """Makes the weights for the shapes of a configuration.

        Args:
            config: What `get_build_config` gave.
        """
        if config.get("input_shape") is not None:
            self.build(_shapes(config["input_shape"]))
        elif config.get("shapes_dict") is not None:
            self.build(**{name: _shapes(shape) for name, shape in config["shapes_dict"].items()})


def _from_keras_2(cls, config):
    shape = config.pop("batch_input_shape")
    if cls.is_input:
        return cls.from_config({**config, "batch_shape": shape})
    layer = cls.from_config(config)
    layer.first_input_shape = tuple(shape[1:])
    return layer


def _arguments(layer):
    """The arguments that belong into the configuration."""
    mro, below = type(layer).__mro__, _overriding(type(layer))
    # `get_config` of the user's own adds what its class takes: asked of here is only what the class above takes.
    above = mro if below is None else mro[mro.index(below) + 1 :]
    kind = next(base for base in above if "__init__" in vars(base))
    if _is_base(kind):
        return []
    parameters = inspect.signature(kind.__init__).parameters.values()
    return [p.name for p in parameters if p.name != "self" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def _is_base(kind):
    """Whether it is the base class of all layers, whose arguments are in every configuration anyway."""
    return not any("__init__" in vars(base) and base.__module__ == "dseq.layers.layer" for base in kind.__mro__[1:])


def _overriding(cls):
    """The last class of the user's own in the line of bases that has a `get_config`; None if there is none."""
    found = [kind for kind in cls.__mro__ if "get_config" in vars(kind) and not kind.__module__.startswith("dseq.")]
    return found[-1] if found else None


def _shapes(structure):
    """Shapes from plain data: lists of sizes are tuples."""
    if isinstance(structure, dict):
        return {key: _shapes(part) for key, part in structure.items()}
    if isinstance(structure, list | tuple):
        if all(n is None or isinstance(n, int) for n in structure):
            return tuple(structure)
        return [_shapes(part) for part in structure]
    return structure

"""Models as plain data and back, in Keras' form; what configurations may name is told here."""

import inspect
import json

from dseq import activations, initializers, layers, losses, metrics, optimizers
from dseq.models.graph_configuration import layer_from, map_places
from dseq.program import registry
from dseq.program.serialization import (
    deserialize_keras_object,
    dtype_policy,
    reading,
    serialize_keras_object,
    writing,
)
from dseq.program.structure import flatten


def _public(module):
    """Classes and functions of a module that may be part of a model; those that read configurations may not."""
    return {
        name: value
        for name, value in vars(module).items()
        if name[0] != "_" and name not in ("deserialize", "get", "serialize")
        if inspect.isclass(value) or inspect.isfunction(value)
    }


for _name, _module in {
    "keras.layers": layers,
    "keras.activations": activations,
    "keras.initializers": initializers,
    "keras.losses": losses,
    "keras.metrics": metrics,
    "keras.optimizers": optimizers,
}.items():
    registry.provide(_name, activations.NAMES if _module is activations else _public(_module))


# Stacks.


def sequential_config(model) -> dict:
    """The configuration of a Sequential model."""
    with writing() as finish:
        entries = [serialize_keras_object(layer) for layer in model._stack]
        config = {"name": model.name, "trainable": model.trainable, "dtype": dtype_policy(model.dtype)}
        config["layers"] = entries
        if model._functional is not None:
            config["build_input_shape"] = list(model._stack[0].batch_shape)
        return finish(config)


def sequential_from_config(kind, config, custom_objects=None):
    """The Sequential model that a configuration describes.

    Args:
        kind: Class of the model.
        config: What `sequential_config` or Keras wrote.
        custom_objects: Dict of classes and functions of your own, by name.

    Raises:
        ValueError: If it has no layers.
    """
    if "layers" not in config:
        raise ValueError(
            "A Sequential model configuration must be a dictionary containing the 'name' and 'layers' keys. "
            f"Received keys: {sorted(config)}"
        )
    with reading(), registry.CustomObjectScope(custom_objects):
        made = [layer_from(entry) for entry in config["layers"]]
    for layer in made:
        if not hasattr(layer, "_inbound_nodes"):
            raise ValueError(f"A Sequential model is made of layers. Received: an object of {type(layer).__name__}")
    options = {"name": config.get("name")}
    if config.get("trainable") is False:
        options["trainable"] = False
    model = kind(made, **options)
    shape = config.get("build_input_shape")
    if model.layers and not model.built and isinstance(shape, list | tuple) and shape:
        model.build(tuple(shape))
    return model


# Text.


def to_json(model, **kwargs) -> str:
    """A model's structure, and how it was compiled, as JSON that `model_from_json` of dseq and Keras reads.

    Args:
        model: The model.
        **kwargs: For `json.dumps`.
    """
    return json.dumps(serialize_keras_object(model), **kwargs)


def model_from_json(json_string, custom_objects=None):
    """The model that a JSON text describes, with fresh weights.

    Args:
        json_string: What `Model.to_json` of dseq or Keras gave.
        custom_objects: Dict of classes and functions of your own, by name.

    Returns:
        A model.

    Raises:
        ValueError: If it is no JSON, or describes no model.
        TypeError: If it names a class that is not known.

    Example:
        >>> again = dseq.models.model_from_json(model.to_json())
    """
    try:
        config = json.loads(json_string)
    except (TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"`json_string` must be the text that `Model.to_json` gives. {error}") from None
    model = deserialize_keras_object(config, custom_objects, module="keras.models")
    if not hasattr(model, "predict"):
        raise ValueError(f"The JSON text must describe a model. Received: one of {type(model).__name__}")
    return model


# How a model was built and compiled.


def build_config(model):
    """The shapes for which a model written as `call` was built; None if it was not, or takes more than one argument."""
    arguments = model.call_arguments
    if arguments is None or len(arguments[0]) != 1 or flatten(arguments[1]):
        return None
    return {"input_shape": map_places(lambda leaf: list(leaf.shape), arguments[0][0])}


def compile_config(model):
    """The arguments of `compile` as plain data, an empty dict for a model that is not compiled."""
    if not model.compiled:
        return {}
    compiled = model._compiled
    return serialize_keras_object(
        {
            "optimizer": compiled.optimizer,
            "loss": compiled.loss,
            "loss_weights": compiled.loss_weights,
            "metrics": compiled.metrics,
            "weighted_metrics": compiled.weighted_metrics,
            "run_eagerly": model.run_eagerly,
            "steps_per_execution": model.steps_per_execution,
            "jit_compile": model.jit_compile,
        }
    )


def compile_from_config(model, config) -> None:
    """Compiles a model as a configuration says.

    Args:
        model: The model.
        config: What `compile_config` or Keras wrote.
    """
    if not config:
        return
    known = ("optimizer", "loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly", "steps_per_execution")
    model.compile(**{key: deserialize_keras_object(config[key]) for key in known if key in config})

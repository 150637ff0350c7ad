"""How much memory a model takes on one rank."""

from math import prod

import numpy as np

from dseq import config
from dseq.parallel import communicator, engine


def memory_use(model) -> tuple[str, int, dict]:
    """The memory of a model on each rank, as far as it is known by now.

    Args:
        model: The model, compiled or not.

    Returns:
        `(engine, ranks, sizes)`: sizes in bytes by part. Gradients and optimizer slots are there if the model is
        compiled, activations and their gradients if a step is bound to data; they are those of the last one.
    """
    world = communicator.get()
    sessions = [kept[1] if isinstance(kept, tuple) else kept for kept in getattr(model, "_sessions", {}).values()]
    training = next((s for s in reversed(sessions) if getattr(s, "parameters", None) is not None), None)
    name = engine.expected(config.engine, world)
    trained = getattr(model, "trainable_variables", [])
    sizes = {"parameters": _bytes(model.variables)}
    if getattr(model, "compiled", False):
        sizes["gradients"] = _bytes(trained)
        if model.optimizer is not None:
            sizes["optimizer slots"] = _slots(model.optimizer, trained)
    if training is not None:
        name = training.engine.name
        arena = {id(v) for v in training.parameters.variables}
        elsewhere = _bytes(v for v in model.variables if id(v) not in arena)
        # What the ranks of a node have once, each has a part of.
        part = world.local_size if training.parameters.shared else 1
        sizes["parameters"] = training.parameters.params.nbytes // part + elsewhere
        sizes["gradients"] = training.parameters.shards.nbytes
        if "optimizer slots" in sizes:
            sizes["optimizer slots"] //= part
    bound = training or (sessions[-1] if sessions else None)
    if bound is not None:
        sizes["activations"] = bound.step.activation_bytes
    return name, world.size, {part: size for part, size in sizes.items() if size or part == "parameters"}


def _bytes(variables):
    unique = {id(v): v for v in variables}.values()
    return sum(prod(v.shape) * np.dtype(v.dtype).itemsize for v in unique)


def _slots(optimizer, trained):
    """The optimizer's state; before it is built what it will be."""
    slots = getattr(optimizer, "slots", None)
    if slots:
        return sum(array.nbytes for array in slots.values())
    return _bytes(trained) * sum(len(group) for group in getattr(optimizer, "groups", ()))

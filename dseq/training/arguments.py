"""The arguments of `fit`, `evaluate` and `predict`: checked, completed, and compared over ranks."""

import numpy as np

from dseq import config
from dseq.callbacks import CallbackList, ProgbarLogger


def positive(value, name, default=None) -> int:
    """The value, if it is a positive integer; the default for None."""
    if value is None:
        return default
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
    return int(value)


def whole(value, name) -> int:
    """The value, if it is an integer of at least 0."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 0:
        raise ValueError(f"`{name}` must be an integer of at least 0. Received: {name}={value!r}")
    return int(value)


def callback_names(callbacks) -> str:
    """The classes of the callbacks, but the progress bar, which only rank 0 has.

    Hooks on some ranks only would break ranks apart.
    """
    listed = CallbackList(callbacks).callbacks
    return ", ".join(type(callback).__name__ for callback in listed if not isinstance(callback, ProgbarLogger))


def agree(world, section, model, source, held_out=None, **more):
    """Raises the same error on every rank if the ranks' models, data or arguments differ.

    Args:
        world: The communicator.
        section: Name of the method.
        model: The model.
        source: Where the batches come from.
        held_out: The source of batches for validation, or None.
        **more: Further arguments that must be equal.
    """
    if world.size == 1:
        return
    state = model.graph_state, id(model._compiled), tuple(map(id, model.trainable_variables))
    known = model._agreed == state and section != "fit"  # describing a model takes as long as a small step
    facts = [("model", "as before")] if known else model.facts()
    facts += [("the number of shards of strict mode", model.strict_shards), *config.COMMON]
    facts += source.facts()
    if section == "fit":
        facts += held_out.facts("validation ") if held_out else [("validation x", "0 arrays")]
    world.agree(section, [(label, str(value)) for label, value in [*facts, *more.items()]])
    model._agreed = state


def is_due(epoch, frequency):
    """Whether to validate after this epoch: every so many, or those in a list that counts from 1."""
    if isinstance(frequency, int | np.integer):
        return (epoch + 1) % positive(frequency, "validation_freq") == 0
    return epoch + 1 in frequency

"""Where ranks meet after the hooks of callbacks: what differs becomes the same, and who is elsewhere is told apart."""

from dseq.callbacks.rates import learning_rate
from dseq.optimizers.slots import innermost
from dseq.program.memory import equalise
from dseq.program.variable import Variable

STOP, RATE, WEIGHTS = "stop", "learning rate", "weights"


def meet(world, model, hook) -> bool:
    """Brings all ranks together after a hook.

    All stop if one has set `stop_training`. If learning rates differ, or some rank has set weights, all take rank 0's.

    Args:
        world: The communicator, of more than one rank.
        model: The model of the run.
        hook: Name of the hook.

    Returns:
        Whether all stop. A signal handler may set `stop_training` on one rank right after this, so only this counts.

    Raises:
        ValueError: If a rank is in another method, because a hook calls it on some ranks only; on every rank.
    """
    variable, rate = _rate(model)
    stop = bool(model.stop_training)
    slots = getattr(innermost(getattr(model, "optimizer", None)), "home", None)
    touched = any(not v.synchronised or v.strayed for v in model.variables) or (slots is not None and slots.strayed)
    facts = [(STOP, str(stop)), (RATE, rate), (WEIGHTS, "set" if touched else "")]
    found = [dict(pairs) for pairs in world.compare(f"the callbacks, after {hook}", facts)]
    if found:
        stop = any(one[STOP] == "True" for one in found)
        touched = any(one[WEIGHTS] for one in found)
        rates = [one[RATE] for one in found]
        if rates.count(rates[0]) < len(rates):
            if "schedule" in rates:
                raise ValueError(
                    "All ranks must have the same kind of learning rate. "
                    f"Received: {', '.join(rates)} on ranks 0 to {world.size - 1} after {hook}. "
                    "Set it on every rank, or on rank 0 to a number."
                )
            world.broadcast(variable.array)
    if touched:
        equalise(world, model.variables)
        if slots is not None:
            slots.adopt()
    if stop:
        model.stop_training = True
    return stop


def _rate(model):
    """The learning rate's variable, or None, and its value as text."""
    optimizer = getattr(model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    rate = getattr(optimizer, "learning_rate", None)
    if isinstance(rate, Variable):
        return rate, repr(learning_rate(optimizer))
    return None, "none" if optimizer is None else "schedule"

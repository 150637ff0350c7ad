"""Where a training model's weights, gradients and slots lie, and who updates which: engine and optimizer meet."""

from dseq import config
from dseq.optimizers.slots import Slots
from dseq.parallel import current, engine
from dseq.program.memory import Parameters
from dseq.training.flags import Flags


def bind(model, plan, trainable, world, division) -> tuple:
    """Gives a model the memory it is trained in, and writes its optimizer's update into the plan.

    Args:
        model: The model, compiled.
        plan: The plan, complete but for the update.
        trainable: List of the variables that are trained.
        world: The communicator.
        division: The `Division` of batches.

    Returns:
        `(engine, parameters, slots)`.
    """
    optimizer, variables = model.optimizer, model.variables
    known = {id(v) for v in trainable}
    frozen = [v for v in variables if id(v) not in known]
    optimizer.build_once(trainable)  # before weights move: it may find that they are not those it knows

    def with_engine(chosen):
        chosen.check(plan, optimizer, trainable, variables)
        tail = plan.tail_size + Flags.width(world)
        alone = chosen.alone if chosen.shared else None
        parameters = Parameters(trainable, frozen, tail, plan.dtype, chosen.allocate, alone, chosen.gradients)
        slots = Slots.of(optimizer, chosen.allocate, alone)
        chosen.expect_sums(parameters.ranges(plan.summed))
        whole, total = optimizer.needs_whole_weights, parameters.trainable_size
        cuts = [lo for lo, _ in parameters.bounds] + [total]
        chosen.factor(plan, parameters, optimizer)
        for lo, hi in chosen.pieces(*chosen.owned(total, cuts if whole else None), whole):
            gradients = chosen.gather(plan, parameters.grads, lo, hi)
            optimizer.lower(plan, parameters.params, parameters.grads, lo, hi, chosen.exchange, gradients)
        return chosen, parameters, slots

    exchange = getattr(current.get(), "exchange", None)
    if exchange is not None and world.size > 1:
        return with_engine(engine.of_exchange(exchange, world, division))
    return engine.first_possible(config.engine, world, division, with_engine)


def common_lines(plan, shared) -> list[str]:
    """The calls of a plan that are the same on all ranks, as text.

    Args:
        plan: The plan.
        shared: Whether each rank updates another slice of the weights.
    """
    lines = plan.lines()
    if shared:
        behind = len(plan.settle_calls)
        before = len(lines) - behind - len(plan.update_calls)
        lines[before : len(lines) - behind] = []
    return lines

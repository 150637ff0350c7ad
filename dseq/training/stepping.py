"""A plan's step for one rank: the shards it holds, the threads that compute them, and how they are summed."""

from dseq.parallel import cores
from dseq.parallel.tree import Exchange, own_nodes
from dseq.program.plan import CLOCK
from dseq.program.step import Step


def is_summed(optimizer, division) -> bool:
    """Whether the gradients of a fixed number of shards are summed in every step, as `Plan.strict` says.

    Sums of shards that first wait for those of other steps, each for itself, have other bits than sums of sums.

    Args:
        optimizer: The model's optimizer.
        division: The `Division` of batches.
    """
    return division.strict and (optimizer.gradient_accumulation_steps or 1) == 1


def step_of(plan, parameters, runner, keep, world, division) -> Step:
    """The step of a plan.

    Args:
        plan: The plan, complete and rewritten.
        parameters: The arenas of a training model, or None.
        runner: `"table"`, `"calls"` or `"python"`.
        keep: Operands that are read after the step.
        world: The communicator.
        division: The `Division` of batches.
    """
    held = division.last - division.first
    workers = min(cores.threads(world), held)
    threads = cores.side_by_side(workers) if workers > 1 else None
    step = Step(plan, parameters, runner, keep, held, own_nodes(division), threads, workers)
    step.clocks[:, CLOCK.index("shard")] = range(division.first, division.last)
    step.clocks[:, CLOCK.index("shards")] = division.shards
    if division.strict:
        step.exchange = Exchange(world, division)
    elif world.size > 1:
        step.exchange = lambda arrays: world.allreduce_sum(arrays[0])
    return step

"""When the ranks' copies of the weights have become different: where, on which ranks, and what to do about it."""

from collections import Counter

import numpy as np

from dseq import config
from dseq.kernels.checksum import checksum
from dseq.parallel import abort
from dseq.parallel.agreement import ranks_text
from dseq.program.memory import equalise

DIFFER = 87  # exit code of a job whose ranks' weights have become different


class ReplicasDiffer(RuntimeError):
    """The ranks' copies of the weights, or of what the optimizer remembers, have become different.

    Raised on all ranks. If nobody catches it, the job ends with the exit code `exit_code`.
    """

    exit_code = DIFFER


def settle(session) -> bool:
    """Finds what differs between ranks; called by all of them.

    Weights that a script has set on some ranks become rank 0's, as they do after callbacks. What differs for no reason
    ends the job, or becomes that of most ranks with `DSEQ_DESYNC=restore`.

    Args:
        session: The training session.

    Returns:
        Whether weights have changed.

    Raises:
        ReplicasDiffer: On all ranks, naming weight, ranks and hosts.
    """
    world, variables = session.world, session.model.variables
    if any(world.allgather_object(any(not v.synchronised for v in variables))):
        equalise(world, variables)
        session.slots.adopt()
        return True
    blocks = list(_blocks(session.parameters, session.slots))
    differing = _differing(world, blocks)
    if not differing:  # it was in what is between the weights, or has gone: nothing that training uses
        return False
    name, array, root, ranks = differing[0]
    text = _text(world, session, name, array, root, ranks, len(differing))
    if config.desync == "end":
        raise ReplicasDiffer(f"{text} {_remedy(world)}")
    if world.rank == 0:
        abort.say(f"{text} All ranks take what rank {root} has.")
    for _, array, root, _ in differing:
        values = world.broadcast(array.copy(), root)
        session.engine.alone(lambda array=array, values=values: np.copyto(array, values))
    return True


def _blocks(parameters, slots):
    """`(name, array)` of each weight, then of what the optimizer remembers of each, as vectors."""
    for variable in parameters.variables:
        yield variable.path, parameters.view(variable).reshape(-1)
    for number, block in enumerate(slots.blocks):
        flat = block.reshape(-1)
        if flat.size != parameters.trainable_size:
            yield f"array {number} of the optimizer", flat
            continue
        for variable, (lo, hi) in zip(parameters.trainable, parameters.bounds, strict=True):
            yield f"slot {number} of the optimizer for {variable.path}", flat[lo:hi]


def _differing(world, blocks):
    """`(name, array, root, ranks)` of what differs: a rank that has it as most, and the ranks that do not."""
    sums = [checksum(a.view(f"i{a.itemsize}"), 0, a.size) if a.itemsize in (4, 8) else 0 for _, a in blocks]
    sums = [int(total) & (2**64 - 1) for total in sums]
    found = []
    for (name, array), column in zip(blocks, zip(*world.allgather_object(sums), strict=True), strict=True):
        counts = Counter(column)
        if len(counts) > 1:
            most = max(counts.values())
            right = next(total for total in column if counts[total] == most)  # rank 0's, if as many have another
            found.append((name, array, column.index(right), [r for r, total in enumerate(column) if total != right]))
    return found


def _text(world, session, name, array, root, ranks, count):
    """What is wrong, the same on all ranks."""
    right = world.broadcast(array.copy(), root)
    kind = f"u{array.itemsize}"
    places = np.flatnonzero(array.view(kind) != right.view(kind))
    mine = None
    if len(places):
        at = places[0]
        bits = [f"{int(a.view(kind)[at]):#0{2 * array.itemsize + 2}x}" for a in (array, right)]
        mine = len(places), int(at), f"{array[at]!s} ({bits[0]})", f"{right[at]!s} ({bits[1]})"
    facts = world.allgather_object((world.host, mine))
    hosts = ", ".join(sorted({facts[rank][0] for rank in ranks}))
    text = (
        f"All ranks must have the same weights, of which each has a copy. Received: before step "
        f"{session.model.optimizer.step_count + 1}, {name!r} on {ranks_text(ranks)} ({hosts}) differs"
    )
    seen = facts[ranks[0]][1]
    if seen is not None:
        number, at, own, other = seen
        text += (
            f" in {number} of {array.size} elements, at {at} it is {own}, and {other} on rank {root} ({facts[root][0]})"
        )
    if 2 * len(ranks) >= world.size:
        text += "; which of them is right cannot be told"
    return text + ("." if count == 1 else f"; {count - 1} more arrays differ.")


def _remedy(world):
    return (
        "One flipped bit is a fault of that host's memory or processor: leave it out. Otherwise set weights on every "
        "rank alike, and use nodes of one kind: others compute other last bits. Go on from the last checkpoint, or "
        "set DSEQ_DESYNC=restore to take the weights that most ranks have."
    )

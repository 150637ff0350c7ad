"""What all ranks do when one of them has raised a flag in a step (`dseq.training.flags`), all at the same place."""

from dseq.parallel import abort
from dseq.training import replicas
from dseq.training.flags import BAD, DIFFERS, STOPS, STRAYED


def heed(session, found, batch) -> bool:
    """Does what flags ask for; called by all ranks, between the reduction and the update.

    Args:
        session: The training session.
        found: What `Flags.read` found, not 0.
        batch: The batch, as `session.train` got it.

    Returns:
        Whether the step must be computed anew: with the weights that all ranks have now, or to look more closely.

    Raises:
        ReplicasDiffer: If ranks have different weights, and `DSEQ_DESYNC` does not say to restore them.
    """
    if found & STOPS:
        session.stopped = True
    if found & (STRAYED | DIFFERS) and session.repeatable:
        session.engine.drop()  # these sums are not wanted
    if found & STRAYED:  # weights were set where ranks do not meet, as while data are made
        session.recall()
        return True
    if found & DIFFERS:
        return replicas.settle(session)
    if found & BAD and not session.pointed:
        if session.repeatable and not session.flags.looked:
            session.flags.must_look = True
            session.engine.drop()
            return True
        session.pointed = True
        _point_at_bad(session, batch)
    return False


def _point_at_bad(session, batch):
    """Says whose rows made the first loss or gradient that is not finite: after this step all weights are spoilt."""
    world = session.world
    first, behind = session.division.rows(batch[3] - batch[2])
    found = world.allgather_object((session.flags.bad, world.host, first, behind - 1))
    guilty = [rank for rank, (bad, *_) in enumerate(found) if bad]
    if world.rank == 0 and guilty:
        where = ", ".join(
            f"rows {found[r][2]} to {found[r][3]} of the batch (rank {r}, {found[r][1]})" for r in guilty[:8]
        )
        abort.say(
            f"Step {session.model.optimizer.step_count + 1}: a loss, a metric or a gradient is not finite, for the "
            f"first time in this run; it comes from {where}{' and more' if len(guilty) > 8 else ''}."
        )

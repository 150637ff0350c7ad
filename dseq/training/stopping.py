"""How `fit` ends when a signal has asked a rank to stop: saved where that is possible, with a code that says so.

After SIGTERM or SIGUSR1 to any rank, all ranks finish the same step. The state of training goes where the
`BackupAndRestore` of this `fit` keeps it or, if it has none, to the folder `DSEQ_EMERGENCY`; a `BackupAndRestore` of
that folder then goes on from exactly there. The program ends by `SystemExit`: with the exit code 85 if the state was
saved, else with 128 and the signal's number. SIGINT becomes a `KeyboardInterrupt` after the same steps; a second one
interrupts at once. What comes during a validation is heeded after the next step.

| exit code | a job that ended because of | start it again? |
|---|---|---|
| 85 | a signal, and it saved the state of training | yes, it goes on |
| 86 | a rank that was missing for `DSEQ_TIMEOUT` seconds | yes, maybe without that host |
| 87 | ranks whose weights have become different | from a checkpoint, maybe without that host |
| 130 | SIGINT | as you like |
| 138, 143 | SIGUSR1, SIGTERM, and there was no place to save | yes, from the beginning |
"""

import signal
import sys
from contextlib import contextmanager

from dseq import config
from dseq.callbacks import BackupAndRestore
from dseq.parallel import signals, whereabouts


def stop(world, model, position, callbacks) -> None:
    """Saves the state of training and ends the program, on all ranks together.

    Args:
        world: The communicator.
        model: The model.
        position: Where its training is.
        callbacks: The `CallbackList` of the run.

    Raises:
        SystemExit: After SIGTERM or SIGUSR1.
        KeyboardInterrupt: After SIGINT.
    """
    asked = world.allgather_object((signals.asked, world.host))
    signals.asked = 0
    rank = next(rank for rank, (number, _) in enumerate(asked) if number)
    number, host = asked[rank]
    folders = [backup.save_now() for backup in rescuers(model, callbacks)]
    code = signals.exit_code(number, bool(folders))
    if world.rank == 0:
        who = f"rank {rank} ({host})" if world.size > 1 else "this process"
        kept = f"the state of training is in {' and '.join(folders)}"
        print(
            f"dseq: {signal.Signals(number).name} came to {who}: training stops after batch {position.batch} of epoch "
            f"{position.epoch + 1}, {kept if folders else 'and nothing was saved'} (exit code {code}).",
            file=sys.stderr,
            flush=True,
        )
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(code)


@contextmanager
def rescue():
    """While the block runs, the watchdog can save the state of training.

    Gives a function `(model, callbacks)` to be called when training begins.
    """
    before = whereabouts.rescue

    def ready(model, callbacks):
        able = rescuers(model, callbacks)
        if able:
            whereabouts.rescue = lambda: " and ".join(backup.save_here() for backup in able)

    try:
        yield ready
    finally:
        whereabouts.rescue = before


def rescuers(model, callbacks) -> list:
    """The `BackupAndRestore` callbacks that can save the state of training at once.

    Args:
        model: The model.
        callbacks: The `CallbackList` of the run.

    Returns:
        Those of the run or, if it has none, one of the folder `DSEQ_EMERGENCY`; else none.
    """
    if callbacks.backups or not config.emergency:
        return callbacks.backups
    rescuer = BackupAndRestore(config.emergency)
    rescuer.set_model(model)
    rescuer.attend(callbacks.callbacks)
    return [rescuer]

"""What callbacks tell the user: once, not once for every rank."""

from dseq.callbacks.progress import interactive
from dseq.parallel.communicator import print_once


def announce(message, after_bar=False) -> None:
    """Prints a line on rank 0.

    Args:
        message: The text.
        after_bar: Whether a progress bar may stand unfinished in the current line of a terminal.
    """
    print_once(f"\n{message}" if after_bar and interactive() else message)

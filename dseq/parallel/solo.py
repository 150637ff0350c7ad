"""One rank: nothing to sum, nothing to send."""

from dseq.parallel.engine import Engine


class Solo(Engine):
    """The engine of a job of one rank."""

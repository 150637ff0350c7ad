"""Which ranks work together here and now: all of the job, unless a `dseq.distribution` is in force."""

from contextlib import contextmanager
from contextvars import ContextVar

_scope = ContextVar("dseq.distribution", default=None)  # of this thread: another one may train on other ranks
_everywhere = None


def get():
    """The distribution in force, that of the innermost scope or else the one that was set; None if there is none."""
    return _scope.get() or _everywhere


def put(distribution) -> None:
    """Sets the distribution in force outside of all scopes.

    Args:
        distribution: The distribution, or None for all ranks of the job.
    """
    global _everywhere
    _everywhere = distribution


@contextmanager
def using(distribution):
    """A context in which a distribution is in force.

    Args:
        distribution: The distribution; None leaves the one that is.
    """
    token = _scope.set(distribution or _scope.get())
    try:
        yield distribution
    finally:
        _scope.reset(token)

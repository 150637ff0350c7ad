"""Rewrites of a finished plan: fewer passes over memory, and fewer blocks, for the same numbers.

Layers write what they mean, call by call, and know nothing of their neighbours. Here calls that stand side by side
become one. `print(plan)` shows the result. A rewrite fires only where nobody else reads what goes away.
"""

from contextlib import contextmanager

from dseq.program.rewriting.convolved import pool_while_convolving
from dseq.program.rewriting.draft import Draft
from dseq.program.rewriting.epilogues import fuse_activations
from dseq.program.rewriting.folding import fold_normalizations, hoist
from dseq.program.rewriting.gradients import add_in_place, zero_late
from dseq.program.rewriting.maxima import normalize_maxima
from dseq.program.rewriting.normalizations import fuse_backward
from dseq.program.rewriting.padding import normalize_into_margins, share_padding
from dseq.program.rewriting.pooling import gate_pooling
from dseq.program.rewriting.sums import sum_by_tree
from dseq.program.rewriting.unread import drop_unread
from dseq.program.rewriting.winograd import convolve_by_tiles

REWRITES = {
    "unread": drop_unread,
    "padding": share_padding,
    "activation": fuse_activations,
    "folding": fold_normalizations,
    "normalization": fuse_backward,
    "maxima": normalize_maxima,
    "pooling": gate_pooling,
    "convolved": pool_while_convolving,
    "margins": normalize_into_margins,
    "gradients": add_in_place,
    "zeros": zero_late,
    "sums": sum_by_tree,
    "tiles": convolve_by_tiles,
    "once": hoist,
}
_active = tuple(REWRITES)


def rewrite(plan, keep) -> None:
    """Rewrites a plan in place.

    Args:
        plan: A `Plan`, complete but for the update.
        keep: Operands that are read after the step.
    """
    draft = Draft(plan, keep)
    for name in _active:
        REWRITES[name](draft)
    draft.finish()


@contextmanager
def limited_to(*names):
    """Inside, plans are rewritten by these rewrites only; by none without names.

    Args:
        *names: Keys of `REWRITES`.

    Raises:
        ValueError: If there is none of that name.

    Example:
        >>> with limited_to("activation"):
        ...     model.predict(x)
    """
    global _active
    unknown = set(names) - set(REWRITES)
    if unknown:
        raise ValueError(f"The rewrites are {', '.join(REWRITES)}. Received: {', '.join(sorted(unknown))}")
    before, _active = _active, tuple(name for name in REWRITES if name in names)
    try:
        yield
    finally:
        _active = before

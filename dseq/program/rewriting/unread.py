"""Calls whose results nobody reads."""

from dseq.program.rewriting.draft import is_pure


def drop_unread(draft) -> None:
    """Takes away calls that fill blocks nobody else sees, from the last to the first.

    A second block that a call fills has no earlier writer: if others see it, the call stays.

    Args:
        draft: The `Draft`.
    """
    for call in reversed(draft.forward + draft.backward):
        if call.kernel and is_pure(call) and not any(_is_read(draft, call, block) for block in _filled(draft, call)):
            draft.remove(call)


def _filled(draft, call):
    """The blocks a call may fill: its target, and those that nobody has filled before."""
    for block in call.blocks():
        if block is call.target or (draft.is_free(block) and draft.users(block)[0] is call):
            yield block


def _is_read(draft, call, block):
    """Whether anybody sees a block but calls that only add to it or write it."""
    return not draft.is_free(block) or any(
        other is not call and any(a is not other.args[0] and getattr(a, "block", None) is block for a in other.args)
        for other in draft.users(block)
    )

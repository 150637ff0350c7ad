"""The gradient of an activation is taken from the fewer values that were pooled from its result."""

from dseq.kernels.epilogue import NONE
from dseq.kernels.pool import max_backward, max_write
from dseq.kernels.rectifier import clipped_line_backward, relu_backward
from dseq.program.rewriting.epilogues import code_of
from dseq.program.rewriting.gradients import can_be_one


def gate_pooling(draft) -> None:
    """Where only maxima are taken of an activation's result, a value has a slope where it is the maximum and has one.

    Args:
        draft: The `Draft`.
    """
    for call in draft.backward:
        if call.kernel in (relu_backward, clipped_line_backward):
            _gate(draft, call, code_of(call.kernel, call.args[4:]))


def _gate(draft, call, code):
    to, given, _, y = call.args[:4]
    inner, outer = to.block, given.block
    *pools, last = draft.users(outer)
    if code == NONE or last is not call or any(c.kernel is not max_backward for c in pools) or not pools:
        return
    if any(c.args[0].block is not outer or c.args[3].block is not y.block or c.args[-1] != NONE for c in pools):
        return
    if not can_be_one(draft, call):
        return
    for pool in pools:
        draft.replace(pool, max_backward, (*pool.args[:-1], code), max_write)
    draft.remove(call)
    draft.move(inner, outer)

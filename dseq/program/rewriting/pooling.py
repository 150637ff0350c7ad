"""The gradient of an activation, and of a bias before it, is taken from the fewer values pooled from its result."""

from math import prod

from dseq.kernels.dense import dense_backward_bias
from dseq.kernels.epilogue import NONE
from dseq.kernels.pool import max_places, places_backward, places_bias
from dseq.kernels.rectifier import clipped_line_backward, relu_backward
from dseq.program.operand import matrix
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
    *backs, last = draft.users(outer)
    if code == NONE or last is not call or any(c.kernel is not places_backward for c in backs) or not backs:
        return
    pools = [draft.users(c.args[2].block)[0] for c in backs]
    if any(p.kernel is not max_places or p.args[2].block is not y.block or p.args[-1] != NONE for p in pools):
        return
    if any(c.args[0].block is not outer for c in backs) or not can_be_one(draft, call):
        return
    for pool in pools:
        draft.replace(pool, max_places, (*pool.args[:-1], code))
    draft.remove(call)
    draft.move(inner, outer)
    if draft.writers(outer) == backs[:1]:  # the gradient of what the bias is added to is that of the maxima alone
        _, dy, places, *window = backs[0].args[:6]
        for user in draft.users(outer):
            if user.kernel is dense_backward_bias:
                draft.replace(user, places_bias, (user.args[0], matrix(dy), matrix(places), prod(window)))

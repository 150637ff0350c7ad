"""The gradient of an activation, and of a bias before it, is taken from the fewer values pooled from its result."""

from dseq.kernels.dense import dense_backward_bias
from dseq.kernels.epilogue import NONE
from dseq.kernels.pool import max_backward, max_backward_bias, max_write
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
    if len(pools) == 1:
        _, dy, y, *_ = pools[0].args
        for user in draft.users(outer):
            if user.kernel is dense_backward_bias:
                draft.replace(user, max_backward_bias, (user.args[0], matrix(dy), matrix(y), code))

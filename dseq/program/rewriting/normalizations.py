"""The gradient of an activation behind a normalisation is taken where that of the normalisation is."""

from dseq.kernels.batch_norm import column_slopes, columns_backward, columns_write, normalize_columns
from dseq.kernels.epilogue import NONE
from dseq.kernels.rectifier import clipped_line_backward, relu_backward
from dseq.program.rewriting.draft import covers, seen_in
from dseq.program.rewriting.epilogues import code_of


def fuse_backward(draft) -> None:
    """Where a normalisation applies an activation, its backward calls take the activation's gradient on the way.

    They tell it from what they read anyhow: the result of the normalisation is made again from its input.

    Args:
        draft: The `Draft`.
    """
    for call in draft.backward:
        if call.kernel in (relu_backward, clipped_line_backward):
            _fuse(draft, call, code_of(call.kernel, call.args[4:]))


def _fuse(draft, call, code):
    inner, outer, _, y = call.args[:4]
    forward = [c for c in draft.writers(y.block) if c.kernel is normalize_columns]
    users = [c for c in draft.users(inner.block) if c is not call]
    kernels = [c.kernel for c in users]
    if kernels not in ([column_slopes], [column_slopes, columns_backward]) or len(forward) != 1 or code == NONE:
        return
    _, x, table, applied = forward[0].args
    if applied != code or any(c.args[2].block is not x.block or c.args[3].block is not table.block for c in users):
        return
    if any(c.args[1].block is not inner.block or c.args[-1] != NONE for c in users) or not draft.is_free(inner.block):
        return
    if not (covers(inner) and covers(outer)) or draft.writers(inner.block) != [call]:
        return
    draft.remove(call)
    for user in users:
        to, slope, *rest, _ = user.args
        first = columns_write if user.kernel is columns_backward else None
        draft.replace(user, user.kernel, (to, seen_in(slope, outer.block), *rest, code), first)

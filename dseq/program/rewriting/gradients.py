"""A gradient is changed where it lies, if nobody reads it any more before the change."""

from dseq.kernels.batch_norm import columns_backward, columns_in_place
from dseq.kernels.merge import accumulate
from dseq.kernels.rectifier import (
    clipped_line_backward,
    clipped_line_in_place,
    relu_backward,
    relu_general_backward,
    relu_general_in_place,
    relu_in_place,
)
from dseq.program.rewriting.draft import covers

# Called (dx, dy, ...) with a dx of zeros; the twin is called the same way where dx lies where dy does. None: nothing
# is left to do.
IN_PLACE = {
    accumulate: None,
    clipped_line_backward: clipped_line_in_place,
    columns_backward: columns_in_place,
    relu_backward: relu_in_place,
    relu_general_backward: relu_general_in_place,
}


def add_in_place(draft) -> None:
    """One block is two gradients where the second is made of the first by element, and the first is not needed then.

    Args:
        draft: The `Draft`.
    """
    for call in draft.backward:
        if call.kernel in IN_PLACE:
            _merge(draft, call)


def _merge(draft, call):
    to, given = call.args[:2]
    inner, outer = to.block, given.block
    if not (draft.is_free(inner) and draft.is_free(outer)) or inner.arena != outer.arena or inner is outer:
        return
    if not (covers(to) and covers(given)) or inner.size != outer.size or inner.dtype != outer.dtype:
        return
    if draft.users(inner)[0] is not call or draft.users(outer)[-1] is not call:
        return
    kernel = IN_PLACE[call.kernel]
    draft.replace(call, kernel or call.kernel, call.args)
    draft.move(inner, outer)
    if kernel is None:
        draft.remove(call)

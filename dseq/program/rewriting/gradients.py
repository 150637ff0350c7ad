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
    if can_be_one(draft, call):
        kernel, inner, outer = IN_PLACE[call.kernel], *(a.block for a in call.args[:2])
        draft.replace(call, kernel or call.kernel, call.args)
        draft.move(inner, outer)
        if kernel is None:
            draft.remove(call)


def can_be_one(draft, call) -> bool:
    """Whether the gradient that a call makes of another by element may lie where the other does.

    Args:
        draft: The `Draft`.
        call: A call (dx, dy, ...) of the backward pass.
    """
    to, given = call.args[:2]
    inner, outer = to.block, given.block
    free = draft.is_free(inner) and draft.is_free(outer) and inner.arena == outer.arena and inner is not outer
    same = covers(to) and covers(given) and inner.size == outer.size and inner.dtype == outer.dtype
    return free and same and draft.users(inner)[0] is call and draft.users(outer)[-1] is call


def zero_late(draft) -> None:
    """Gradients of activations are zeroed where the backward pass comes to them: memory may be lent to them until then.

    Args:
        draft: The `Draft`.
    """
    draft.plan.zeroes = True

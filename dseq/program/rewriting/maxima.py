"""Where only maxima are taken of normalised values, these are not kept: the maxima are told from what is normalised."""

from dseq.kernels.batch_norm import column_slopes, columns_backward, normalize_columns
from dseq.kernels.epilogue import NONE
from dseq.kernels.normalized_pool import max_columns_backward, max_columns_write, max_slopes, normalize_max
from dseq.kernels.pool import max_backward, max_forward
from dseq.program.rewriting.draft import covers, seen_in


def normalize_maxima(draft) -> None:
    """A normalisation of which only maxima of windows side by side are read becomes one call with them.

    Its backward calls take the gradient of the maxima as it is, and find on the way which pixel of a window has it.

    Args:
        draft: The `Draft`.
    """
    for call in draft.forward:
        if call.kernel is max_forward:
            _join(draft, call)


def _join(draft, pool):
    y, image, *where = pool.args
    value = image.block
    made, *others = draft.users(value)
    if made.kernel is not normalize_columns or made.target is not value or others[:1] != [pool]:
        return
    _, x, table, activation = made.args
    if not draft.is_free(value) or not (covers(image) and covers(x) and covers(y)) or not _side_by_side(image, where):
        return
    if draft.users(y.block)[0] is not pool or any(c.number > made.number for c in draft.writers(x.block)):
        return
    slopes = _backward(draft, others[1:], made, y, activation) if len(others) > 1 else []
    if slopes is None:
        return
    window, pixels = where[:3], seen_in(image, x.block)
    for call in slopes:
        to, _, _, *rest, _ = call.args
        given = others[1].args[1]
        if call.kernel is column_slopes:
            draft.replace(call, max_slopes, (to, given, pixels, *rest, *window, activation))
        else:
            args = seen_in(image, to.block), given, pixels, *rest, *window, activation
            draft.replace(call, max_columns_backward, args, max_columns_write)
    if slopes:
        draft.remove(others[1])
    draft.remove(made)
    draft.replace(pool, normalize_max, (y, pixels, table, *window, 0, 0, 0, activation))


def _side_by_side(image, where):
    """Whether windows have no margins, do not overlap, and leave nothing out."""
    window, strides, before = where[:3], where[3:6], where[6:9]
    whole = all(size % step == 0 for size, step in zip(image.shape, window, strict=False))
    return window == strides and not any(before) and whole


def _backward(draft, calls, made, y, activation):
    """The calls that read the gradient of the normalised values; None if they are others than expected."""
    _, x, table, _ = made.args
    back, *more = calls
    if more or back.kernel is not max_backward or back.args[-1] != NONE or back.args[2].block is not y.block:
        return None
    gradient = back.args[0].block
    if draft.writers(gradient) != [back] or not draft.is_free(gradient) or not covers(back.args[1]):
        return None
    slopes = [call for call in draft.users(gradient) if call is not back]
    if [call.kernel for call in slopes] not in ([column_slopes], [column_slopes, columns_backward]):
        return None
    if any(c.args[1].block is not gradient or c.args[2].block is not x.block for c in slopes):
        return None
    if any(c.args[3].block is not table.block or c.args[-1] != activation or not covers(c.args[1]) for c in slopes):
        return None
    return slopes

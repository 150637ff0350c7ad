"""Where only maxima are taken of normalised values, these are not kept: the maxima are told from what is normalised."""

from dseq.kernels.batch_norm import column_slopes, columns_backward, normalize_columns
from dseq.kernels.epilogue import NONE
from dseq.kernels.normalized_pool import max_columns_backward, max_columns_write, max_slopes, normalize_max
from dseq.kernels.pool import max_forward, max_places, places_backward
from dseq.program.rewriting.draft import covers, seen_in


def normalize_maxima(draft) -> None:
    """A normalisation of which only maxima of windows side by side are read becomes one call with them.

    Its backward calls take the gradient of the maxima as it is, and hand it out on the way.

    Args:
        draft: The `Draft`.
    """
    for call in draft.forward:
        if call.kernel in (max_forward, max_places):
            _join(draft, call, *maxima_of(call))


def maxima_of(call):
    """`(y, places, x, where)` of a call that takes maxima of windows; places are None where it tells none."""
    if call.kernel is max_places:
        y, places, x, *where, _ = call.args
        return y, places, x, where
    y, x, *where = call.args
    return y, None, x, where


def side_by_side(y, image, where) -> bool:
    """Whether windows lie in the image side by side, without margins; they may leave pixels out at its ends.

    Args:
        y: Operand of what is made of the windows.
        image: Operand of what they are in.
        where: Windows, strides and margins as the kernels take them.
    """
    inside = all(n * step <= size for n, step, size in zip(y.shape, where, image.shape, strict=False))
    return where[:3] == where[3:6] and not any(where[6:9]) and inside


def _join(draft, pool, y, places, image, where):
    value = image.block
    made, *others = draft.users(value)
    if made.kernel is not normalize_columns or made.target is not value or others[:1] != [pool]:
        return
    _, x, table, activation = made.args
    if not draft.is_free(value) or not (covers(image) and covers(x) and covers(y)):
        return
    if not side_by_side(y, image, where) or any(size % step for size, step in zip(image.shape, where, strict=False)):
        return
    if pool.kernel is max_places and pool.args[-1] != NONE:
        return
    if draft.users(y.block)[0] is not pool or any(c.number > made.number for c in draft.writers(x.block)):
        return
    back, slopes = _backward(draft, pool, places, made, activation) if places is not None else (None, [])
    if slopes is None or others[1:]:
        return
    window, pixels = where[:3], seen_in(image, x.block)
    for call in slopes:
        to, _, _, *rest, _ = call.args
        given = back.args[1]
        if call.kernel is column_slopes:
            draft.replace(call, max_slopes, (to, given, places, pixels, *rest, *window))
        else:
            args = seen_in(image, to.block), given, places, pixels, *rest, *window
            draft.replace(call, max_columns_backward, args, max_columns_write)
    if slopes:
        draft.remove(back)
    draft.remove(made)
    draft.replace(pool, normalize_max, (y, places, pixels, table, *window, 0, 0, 0, activation))


def _backward(draft, pool, places, made, activation):
    """What hands the maxima's gradient out, and the calls that read it then; None if they are others than expected."""
    _, x, table, _ = made.args
    back, *more = [call for call in draft.users(places.block) if call is not pool] or [None]
    if back is None or more or back.kernel is not places_backward or not covers(back.args[1]):
        return back, None
    gradient = back.args[0].block
    if draft.writers(gradient) != [back] or not draft.is_free(gradient):
        return back, None
    slopes = [call for call in draft.users(gradient) if call is not back]
    if [call.kernel for call in slopes] not in ([column_slopes], [column_slopes, columns_backward]):
        return back, None
    if any(c.args[1].block is not gradient or c.args[2].block is not x.block for c in slopes):
        return back, None
    if any(c.args[3].block is not table.block or c.args[-1] != activation or not covers(c.args[1]) for c in slopes):
        return back, None
    return back, slopes

"""An image that several convolutions read is padded once, and where it is made if nobody reads it without margins."""

from dseq.kernels.batch_norm import normalize_columns, normalize_padded
from dseq.kernels.conv import pad_forward
from dseq.kernels.normalized_pool import normalize_max
from dseq.program.rewriting.draft import covers, seen_in


def share_padding(draft) -> None:
    """Convolutions with the same margins read one padded copy of an image.

    Args:
        draft: The `Draft`.
    """
    known = {}
    for call in draft.forward:
        if call.kernel is pad_forward:
            y, x, *before = call.args
            key = (id(x.block), x.shape, y.shape, *before)
            if key not in known:
                known[key] = call
            elif draft.is_free(y.block):
                _share(draft, known[key], call)


def _share(draft, first, second):
    kept, block = first.args[0].block, second.args[0].block
    if draft.writers(block) != [second] or draft.writers(kept) != [first]:
        return
    draft.remove(second)
    draft.move(block, kept)


def normalize_into_margins(draft) -> None:
    """A normalisation, or the maxima of one, whose result is only read with margins around it writes it there.

    Args:
        draft: The `Draft`.
    """
    for call in draft.forward:
        if call.kernel is pad_forward:
            y, image, *before = call.args
            value, users = image.block, draft.users(image.block)
            if len(users) != 2 or not draft.is_free(value) or draft.users(y.block)[0] is not call:
                continue
            made, args = users[0], users[0].args
            if made.kernel is normalize_columns:
                _, x, table, activation = args
                if covers(image) and covers(x) and image.shape[-1] == x.shape[-1]:
                    draft.remove(call)
                    args = y, seen_in(image, x.block), table, *before, activation
                    draft.replace(made, normalize_padded, args)
            elif made.kernel is normalize_max and args[0].shape == image.shape:
                draft.remove(call)
                draft.replace(made, normalize_max, (y, *args[1:7], *before, args[-1]))

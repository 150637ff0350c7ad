"""An image that several convolutions read is padded once, and where it is made if nobody reads it without margins."""

from dseq.kernels.batch_norm import normalize_columns, normalize_padded
from dseq.kernels.conv import pad_backward, pad_forward
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
    grads = [_gradient(draft, b) for b in (kept, block)]
    if (grads[0] is None) != (grads[1] is None):
        return
    draft.remove(second)
    draft.move(block, kept)
    if grads[0] is not None:
        # Backward runs from the last to the first: what the second adds is there when the first is carried on.
        draft.remove(next(c for c in draft.users(grads[1]) if c.kernel is pad_backward))
        draft.move(grads[1], grads[0])


def _gradient(draft, block):
    """The block of a padded image's gradient, or None."""
    return block.grad.block if block.grad is not None else None


def normalize_into_margins(draft) -> None:
    """A normalisation whose result is only read with margins around it writes it there.

    Args:
        draft: The `Draft`.
    """
    for call in draft.forward:
        if call.kernel is pad_forward:
            y, image, *before = call.args
            value, users = image.block, draft.users(image.block)
            if len(users) != 2 or users[0].kernel is not normalize_columns or not draft.is_free(value):
                continue
            made, (_, x, table, activation) = users[0], users[0].args
            if draft.users(y.block)[0] is call and covers(image) and covers(x) and image.shape[-1] == x.shape[-1]:
                draft.remove(call)
                args = y, seen_in(image, x.block), table, *before, activation
                draft.replace(made, normalize_padded, args)

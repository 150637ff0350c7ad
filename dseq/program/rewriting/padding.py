"""An image that several convolutions read is padded once."""

from dseq.kernels.conv import pad_backward, pad_forward


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

"""Where only maxima are taken of a convolution of few channels, its result is not kept: it would be all the work."""

import numpy as np

from dseq.kernels.conv import conv_backward_kernel, conv_forward
from dseq.kernels.conv_pool import conv_max, conv_max_kernel, conv_max_write_kernel
from dseq.kernels.dense import dense_backward_bias
from dseq.kernels.pool import max_forward, max_places, places_backward, places_bias
from dseq.program.operand import matrix
from dseq.program.rewriting.draft import covers
from dseq.program.rewriting.maxima import maxima_of, side_by_side

FEW = 4  # channels: gray or coloured images, and those with another layer
SCRATCH = 96 << 10  # bytes of rows that stay in L2 beside what they are made of


def pool_while_convolving(draft) -> None:
    """A convolution of which only maxima of windows side by side are read becomes one call with them, row by row.

    So does the gradient of its kernel, if the input needs none.

    Args:
        draft: The `Draft`.
    """
    for call in draft.forward:
        if call.kernel in (max_forward, max_places):
            _join(draft, call, *maxima_of(call))


def _join(draft, pool, y, places, image, where):
    conv, *others = draft.users(image.block)
    if conv.kernel is not conv_forward or conv.target is not image.block or not draft.is_free(image.block):
        return
    made, x, w, b, _, sh, sw, _, dh, dw, groups, activation = conv.args
    applied = pool.args[-1] if places is not None else activation
    if others != [pool] or applied != activation or groups != 1 or w.shape[3] > FEW:
        return
    if max(w.shape[0], x.shape[0], where[0]) > 1 or not side_by_side(y, image, where) or made.shape != image.shape:
        return
    if not (covers(made) and covers(image)) or any(c.number > conv.number for c in draft.writers(x.block)):
        return
    _, kh, kw = where[:3]
    row = kh * image.shape[2] * image.shape[3]
    rows = kh * min(y.shape[1], SCRATCH // (row * np.dtype(image.dtype).itemsize))
    if rows == 0:
        return
    shape, how = (1, rows, *image.shape[2:]), (sh, sw, dh, dw, kh, kw)
    scratch = draft.block(f"{image.label}/rows", shape, image.dtype)
    draft.remove(conv)
    draft.replace(pool, conv_max, (y, places, scratch, x, w, b, *how, activation))
    if places is not None:
        _join_backward(draft, pool, places, shape, x, how)


def _join_backward(draft, pool, places, shape, x, how):
    known = [call for call in draft.users(places.block) if call is not pool]
    handing = [call for call in known if call.kernel is not places_bias]
    if len(handing) != 1:
        return
    (back,) = handing
    to, given = back.args[:2]
    users = [call for call in draft.users(to.block) if call is not back]
    expected = {conv_backward_kernel: 2, dense_backward_bias: 1}  # and which of their arguments is the gradient
    if back.kernel is not places_backward or any(call.kernel not in expected for call in users):
        return
    if any(call.args[expected[call.kernel]].block is not to.block for call in users) or not draft.is_free(to.block):
        return
    if any(call.number > back.number for call in draft.writers(given.block)):
        return
    kernels = [call for call in users if call.kernel is conv_backward_kernel]
    biases = [call for call in known if call.kernel is places_bias]
    for call in users:
        if call.kernel is dense_backward_bias:
            draft.replace(call, places_bias, (call.args[0], matrix(given), matrix(places), how[-2] * how[-1]))
            biases.append(call)
    draft.remove(back)
    for kernel in kernels:
        scratch, bias = draft.block(f"{to.label}/rows", shape, to.dtype), None
        if len(biases) == 1 == len(kernels) and len(draft.users(biases[0].target)) == 1:  # or others might write it
            bias = biases[0].args[0]
            draft.remove(biases[0])
        args = kernel.args[0], bias, scratch, x, given, places, *how
        draft.replace(kernel, conv_max_kernel, args, conv_max_write_kernel)

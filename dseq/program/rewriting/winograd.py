"""Convolutions of 3 x 3 taps are made of fewer multiplications where that pays for the sums around them.

The pixels of a tile are mixed before they are multiplied: a result may have a rounding error of the size that fits the
largest of 4 x 4 pixels, though only 3 x 3 belong to it, and a pixel that is no number spoils its whole tile.
"""

from math import prod

import numpy as np

from dseq import config
from dseq.kernels.conv import (
    conv_backward_input,
    conv_backward_kernel,
    conv_forward,
    conv_transpose_kernel,
)
from dseq.kernels.winograd import (
    PLANES,
    scratch_size,
    winograd_backward_input,
    winograd_backward_kernel,
    winograd_forward,
    winograd_kernel,
    winograd_write_input,
    winograd_write_kernel,
)

CHANNELS = 32  # from so many on the products outweigh the tiles' sums
VECTOR = 16  # elements of the longest vectors
SAVED = 1.4  # multiplications without tiles for each that remains
OFTEN = 1 << 16  # elements of the transformed kernel for each tile of a sample: beyond, it costs more than it saves


def convolve_by_tiles(draft) -> None:
    """Convolutions, and their gradients, by Winograd's tiles.

    Which ones depends on the layer alone, not on the number of rows: all ranks have the same roundings.

    Args:
        draft: The `Draft`.
    """
    if config.convolution == "direct":
        return
    for call in [*draft.forward, *draft.backward]:
        if call.kernel is conv_forward:
            _forward(draft, call)
        elif call.kernel is conv_backward_input:
            _input(draft, call)
        elif call.kernel is conv_backward_kernel:
            _kernel(draft, call)


def pays(result, image, taps, how) -> bool:
    """Whether a convolution of `image`, or the gradient of one, with a `result` of as many tiles should be one of them.

    Args:
        result: Shape (d, h, w, o) of what is made of tiles of 2 x 2 pixels.
        image: Shape (d, h, w, c) of what is multiplied by all taps, without margins.
        taps: Shape of the kernel.
        how: Strides, dilations and groups.
    """
    channels = taps[3:]
    if tuple(taps[:3]) != (1, 3, 3) or any(n != 1 for n in how) or result[0] != 1:
        return False
    tiles = prod((n + 1) // 2 for n in result[1:3])
    direct = 9 * min(prod(result[1:3]), prod(image[1:3]))
    return (
        min(channels) >= CHANNELS
        and all(n % VECTOR == 0 for n in channels)
        and direct >= SAVED * PLANES * tiles
        and PLANES * prod(channels) <= OFTEN * tiles
    )


def _memory(draft, call, c, o, width, sums=False):
    size = scratch_size(c, o, width, np.dtype(draft.plan.dtype).itemsize, sums)
    return draft.block(f"{call.args[0].label}/tiles", (size,))


def _planes(draft, call, taps, name):
    """The transformed kernel, made right before the call."""
    planes = draft.block(name, (PLANES, *taps.shape[3:]))
    draft.insert(winograd_kernel, (planes, taps), call)
    return planes


def _forward(draft, call):
    y, x, taps, bias, *how, activation = call.args
    if not pays(y.shape, y.shape, taps.shape, how):
        return
    planes = _planes(draft, call, taps, f"{y.label}/planes")
    memory = _memory(draft, call, *taps.shape[3:], x.shape[2])
    draft.replace(call, winograd_forward, (y, x, planes, bias, memory, 0, 0, activation))


def _input(draft, call):
    dx, dy, turned, *how, before_d, before_h, before_w = call.args
    made = [c.kernel for c in draft.writers(turned.block)]
    if made != [conv_transpose_kernel] or not pays(dx.shape, dy.shape, turned.shape, how):
        return
    if before_d or max(before_h, before_w) > 2:
        return
    planes = _planes(draft, call, turned, f"{turned.label}/planes")
    memory = _memory(draft, call, *turned.shape[3:], max(dx.shape[2], dy.shape[2]))
    args = dx, dy, planes, memory, before_h, before_w
    draft.replace(call, winograd_backward_input, args, winograd_write_input)


def _kernel(draft, call):
    dw, x, dy, *how = call.args
    if not pays(dy.shape, dy.shape, dw.shape, how):
        return
    memory = _memory(draft, call, *dw.shape[3:], x.shape[2], sums=True)
    draft.replace(call, winograd_backward_kernel, (dw, x, dy, memory), winograd_write_kernel)

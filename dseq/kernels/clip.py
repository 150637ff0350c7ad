"""What stands before and behind an update: gradients are checked, accumulated and measured, weights are averaged.

An update has a gate for each stretch of weights, `clip = [go, factor, limit]`, and one `control` for all, float64:
control[0] 1 if gradients may be used; [1] 1 if this step updates weights, 0 if it only accumulates; [2] what gradients
are multiplied by before anything else; [3] steps that make one update; [4] the norm gradients are clipped to; [5] what
the moving average keeps of itself; [6] 1 if it replaces the weights now.
"""

import math

import numpy as np

from dseq.kernels.base import kernel
from dseq.kernels.optimizer import clipped

LANES = 64  # sums side by side, whatever the vectors of the machine: the order of a sum is part of the result


@kernel(fastmath={"reassoc"})
def check_finite(flag, g):
    # flag (1,): 0, or NaN if any element of g (n,) is not finite; the same in any order
    zero = g.dtype.type(0)
    total = zero
    for i in range(g.size):
        total += g[i] * zero
    flag[0] = total


@kernel
def all_finite(control, clips, flags):
    # clips (k, 3), flags (n,) of check_finite: all gates shut if any of them is not 0
    total = 0.0
    for i in range(flags.size):
        total += flags[i]
    control[0] = 1.0 if total == 0.0 else 0.0
    if total != 0.0:
        for k in range(clips.shape[0]):
            clips[k, 0] = 0.0


@kernel
def accumulate(a, g, control):
    # a (n,) sum of gradients since the last update; in a step that updates, g becomes their mean and a zero
    if control[0] == 0:
        return
    scale, steps, zero = g.dtype.type(control[2]), g.dtype.type(control[3]), g.dtype.type(0)
    if control[1] == 0:
        for i in range(g.size):
            a[i] += g[i] * scale
    else:
        for i in range(g.size):
            g[i] = (g[i] * scale + a[i]) / steps
            a[i] = zero


@kernel
def square_sum(total, x, lanes):
    # total (1,) = sum of squares of x (n,); lanes (LANES,) is scratch; both are float64
    for j in range(LANES):
        lanes[j] = 0.0
    full = x.size // LANES
    rows = x[: full * LANES].reshape(full, LANES)
    for i in range(full):
        row = rows[i]
        for j in range(LANES):
            value = np.float64(row[j])
            lanes[j] += value * value
    rest = x[full * LANES :]
    for j in range(rest.size):
        value = np.float64(rest[j])
        lanes[j] += value * value
    result = 0.0
    for j in range(LANES):
        result += lanes[j]
    total[0] = result


@kernel
def clip_to_norm(clip, squares, control, whole):
    # squares (n,) of square_sum; whole: the norm of all weights, which makes all NaN if it is not finite
    total = 0.0
    for i in range(squares.size):
        total += squares[i]
    norm, most = math.sqrt(total) * clip[1], control[4]
    largest = most if norm < most else norm
    clip[1] *= most / largest
    if whole != 0:
        clip[1] += norm - norm


@kernel
def moving_average(a, p, control):
    # a (n,) average of p (n,), which takes p's place every so many steps
    if control[0] == 0:
        return
    keep, rest = p.dtype.type(control[5]), p.dtype.type(1 - control[5])
    if control[6] == 0:
        for i in range(p.size):
            a[i] = keep * a[i] + rest * p[i]
    else:
        for i in range(p.size):
            a[i] = keep * a[i] + rest * p[i]
            p[i] = a[i]


@kernel
def clear(x):
    for i in range(x.size):
        x[i] = 0.0


@kernel
def decay(p, hyper, clip):
    # weights (n,) shrink; for updates written in Python
    if clip[0] == 0:
        return
    share = p.dtype.type(hyper[0])
    for i in range(p.size):
        p[i] -= p[i] * share


@kernel
def clip_into(x, g, clip):
    # x (n,) = the gradient g as it counts
    if clip[0] == 0:
        return
    factor, limit = x.dtype.type(clip[1]), x.dtype.type(clip[2])
    for i in range(x.size):
        x[i] = clipped(g[i], factor, limit)

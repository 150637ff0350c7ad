"""Activations made of straight lines, element by element: relu and its relatives, shrinking, thresholds.

Every pair is `name_forward(y, x, ...)` and `name_backward(dx, dy, x, y, ...)` on arrays of one dimension; real
parameters are arrays of one element. `name_in_place` is the backward kernel where dx and dy are one block.
Comparisons are written so that NaN comes out as NaN.
"""

from dseq.kernels.base import kernel


@kernel
def relu_forward(y, x):
    zero = x.dtype.type(0)
    for i in range(x.size):
        y[i] = zero if x[i] <= zero else x[i]


@kernel
def relu_backward(dx, dy, x, y):
    zero = x.dtype.type(0)
    for i in range(x.size):
        dx[i] += zero if y[i] <= zero else dy[i]


@kernel
def relu_in_place(dx, dy, x, y):
    # dx lies where dy does
    zero = dx.dtype.type(0)
    for i in range(dx.size):
        dx[i] = zero if y[i] <= zero else dx[i]


@kernel
def relu_general_forward(y, x, slope, maximum, threshold):
    # slope (x - threshold) up to the threshold, then x, at most the maximum
    a, high, low = slope[0], maximum[0], threshold[0]
    for i in range(x.size):
        above = high if x[i] > high else x[i]
        y[i] = a * (x[i] - low) if x[i] <= low else above


@kernel
def relu_general_backward(dx, dy, x, y, slope, maximum, threshold):
    a, high, low = slope[0], maximum[0], threshold[0]
    zero = x.dtype.type(0)
    for i in range(x.size):
        above = zero if x[i] >= high else dy[i]
        dx[i] += a * dy[i] if x[i] <= low else above


@kernel
def relu_general_in_place(dx, dy, x, y, slope, maximum, threshold):
    # dx lies where dy does
    a, high, low = slope[0], maximum[0], threshold[0]
    zero = x.dtype.type(0)
    for i in range(x.size):
        above = zero if x[i] >= high else dx[i]
        dx[i] = a * dx[i] if x[i] <= low else above


@kernel
def clipped_line_forward(y, x, slope, offset, low, high):
    # relu6, hard_tanh, hard_sigmoid and sparse_sigmoid: slope x + offset within [low, high]
    a, b, bottom, top = slope[0], offset[0], low[0], high[0]
    for i in range(x.size):
        line = a * x[i] + b
        line = bottom if line < bottom else line
        y[i] = top if line > top else line


@kernel
def clipped_line_backward(dx, dy, x, y, slope, offset, low, high):
    a, bottom, top = slope[0], low[0], high[0]
    zero = x.dtype.type(0)
    for i in range(x.size):
        dx[i] += zero if y[i] <= bottom or y[i] >= top else a * dy[i]


@kernel
def clipped_line_in_place(dx, dy, x, y, slope, offset, low, high):
    # dx lies where dy does
    a, bottom, top = slope[0], low[0], high[0]
    zero = dx.dtype.type(0)
    for i in range(dx.size):
        dx[i] = zero if y[i] <= bottom or y[i] >= top else a * dx[i]


@kernel
def hard_silu_forward(y, x):
    zero, one, half, sixth = x.dtype.type(0), x.dtype.type(1), x.dtype.type(0.5), x.dtype.type(1 / 6)
    for i in range(x.size):
        gate = x[i] * sixth + half
        gate = zero if gate < zero else gate
        y[i] = x[i] * (one if gate > one else gate)


@kernel
def hard_silu_backward(dx, dy, x, y):
    zero, one, half, third = x.dtype.type(0), x.dtype.type(1), x.dtype.type(0.5), x.dtype.type(1 / 3)
    three = x.dtype.type(3)
    for i in range(x.size):
        slope = x[i] * third + half
        slope = zero if x[i] <= -three else slope
        dx[i] += dy[i] * (one if x[i] >= three else slope)


@kernel
def soft_shrink_forward(y, x, threshold):
    zero, t = x.dtype.type(0), threshold[0]
    for i in range(x.size):
        outside = x[i] - t if x[i] > t else x[i] + t
        y[i] = zero if abs(x[i]) <= t else outside


@kernel
def hard_shrink_forward(y, x, threshold):
    zero, t = x.dtype.type(0), threshold[0]
    for i in range(x.size):
        y[i] = zero if abs(x[i]) <= t else x[i]


@kernel
def shrink_backward(dx, dy, x, y, threshold):
    # of soft_shrink and hard_shrink
    zero, t = x.dtype.type(0), threshold[0]
    for i in range(x.size):
        dx[i] += zero if abs(x[i]) <= t else dy[i]


@kernel
def threshold_forward(y, x, threshold, value):
    t, v = threshold[0], value[0]
    for i in range(x.size):
        y[i] = v if x[i] <= t else x[i]


@kernel
def threshold_backward(dx, dy, x, y, threshold, value):
    zero, t = x.dtype.type(0), threshold[0]
    for i in range(x.size):
        dx[i] += zero if x[i] <= t else dy[i]

"""What a product of matrices does to finished rows of its output while they are in a cache: an activation, by a code.

NONE is code 0; a kernel with an argument `activation` takes one of these numbers. The others are activations whose
gradient can be told from y, in `dseq.kernels.rectifier`: RELU's is `relu_backward`, RELU6's `clipped_line_backward`.
"""

from numpy import inf, nan

from dseq.kernels.base import inlined, kernel

NONE, RELU, RELU6 = range(3)


@kernel
def activate(y, activation):
    # y (n,), in place; comparisons keep NaN
    zero, six = y.dtype.type(0), y.dtype.type(6)
    if activation == RELU:
        for i in range(y.size):
            y[i] = zero if y[i] <= zero else y[i]
    elif activation == RELU6:
        for i in range(y.size):
            positive = zero if y[i] <= zero else y[i]
            y[i] = six if positive > six else positive


@inlined
def bounds(x, activation):
    """Between which values an activation has the slope 1, in the type of array x; at them and outside it is flat.

    Without one they are NaN: nothing compares with that, so that infinity has a slope too.
    """
    bottom = x.dtype.type(0) if activation != NONE else x.dtype.type(nan)
    top = x.dtype.type(6) if activation == RELU6 else x.dtype.type(inf if activation != NONE else nan)
    return bottom, top

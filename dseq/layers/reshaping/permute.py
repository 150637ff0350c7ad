"""The axes of a sample in another order."""

from math import prod

from dseq.kernels.reshape import transpose_backward, transpose_forward
from dseq.layers.layer import Layer
from dseq.program.operand import flat

MOST_AXES = 4


class Permute(Layer):
    """Puts the axes of each sample in another order.

    Args:
        dims: The order: `dims[i]` is the input's axis that becomes axis i + 1; axes count from 1, without the batch.
        **kwargs: `name`, `dtype`, as for every layer.

    Example:
        >>> dseq.layers.Permute((2, 1)).compute_output_shape((None, 10, 64))
        (None, 64, 10)
    """

    def __init__(self, dims, **kwargs):
        if sorted(dims) != list(range(1, len(dims) + 1)):
            raise ValueError(
                "Invalid permutation argument `dims` for Permute Layer. The set of indices in `dims` must be "
                f"consecutive and start from 1. Received: dims={dims}"
            )
        if len(dims) > MOST_AXES:
            raise ValueError(f"`dims` of Permute may have {MOST_AXES} axes at most. Received: dims={dims}")
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        self.require(ndim=len(dims) + 1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *(input_shape[d] for d in self.dims))

    def lower(self, plan, x):
        return permuted(plan, x, self.dims)


def permuted(plan, x, dims):
    """Writes a permutation of an operand's axes into a plan; the axes count from 1."""
    strides = [prod(x.shape[d:]) for d in dims]
    sizes = [x.shape[d - 1] for d in dims]
    y = plan.value("permuted", sizes)
    missing = MOST_AXES - len(dims)
    layout = [1] * missing + sizes + [0] * missing + strides
    plan.forward(transpose_forward, flat(y), flat(x), *layout)
    plan.backward(transpose_backward, flat(x.grad), flat(y.grad), *layout)
    return y

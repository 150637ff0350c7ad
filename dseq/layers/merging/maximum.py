"""The largest of several tensors."""

from dseq.kernels.merge import choice_backward, maximum_forward
from dseq.layers.merging.merge import Merge
from dseq.program.operand import flat


class Maximum(Merge):
    """Takes the largest value of a list of inputs, element by element.

    Where two are equal, each gets half of the gradient.

    Args:
        **kwargs: `name`, `dtype`, as for every layer.
    """

    def pair(self, plan, a, b):
        y = plan.value("y", a.shape)
        plan.forward(maximum_forward, flat(y), flat(a), flat(b))
        plan.backward(choice_backward, flat(a.grad), flat(y.grad), flat(a), flat(b))
        plan.backward(choice_backward, flat(b.grad), flat(y.grad), flat(b), flat(a))
        return y


def maximum(inputs, **kwargs):
    """The largest of a list of tensors: `Maximum(**kwargs)(inputs)`.

    Args:
        inputs: List of symbolic tensors or arrays.
        **kwargs: Arguments of the layer.

    Returns:
        A symbolic tensor, or an array.
    """
    return Maximum(**kwargs)(inputs)

"""The product of several tensors."""

from dseq.kernels.merge import multiply_backward, multiply_forward
from dseq.layers.merging.merge import Merge
from dseq.program.operand import flat


class Multiply(Merge):
    """Multiplies a list of inputs, element by element.

    Args:
        **kwargs: `name`, `dtype`, as for every layer.
    """

    def pair(self, plan, a, b):
        y = plan.value("y", a.shape)
        plan.forward(multiply_forward, flat(y), flat(a), flat(b))
        plan.backward(multiply_backward, flat(a.grad), flat(y.grad), flat(b))
        plan.backward(multiply_backward, flat(b.grad), flat(y.grad), flat(a))
        return y


def multiply(inputs, **kwargs):
    """The product of a list of tensors: `Multiply(**kwargs)(inputs)`.

    Args:
        inputs: List of symbolic tensors or arrays.
        **kwargs: Arguments of the layer.

    Returns:
        A symbolic tensor, or an array.
    """
    return Multiply(**kwargs)(inputs)

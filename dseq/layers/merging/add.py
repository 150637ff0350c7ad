"""The sum of several tensors."""

from dseq.kernels.epilogue import NONE
from dseq.kernels.merge import accumulate, add_forward, assign
from dseq.layers.merging.merge import Merge
from dseq.program.operand import flat


class Add(Merge):
    """Adds a list of inputs, element by element.

    Args:
        **kwargs: `name`, `dtype`, as for every layer.

    Example:
        >>> dseq.layers.Add()([np.ones((2, 3)), np.ones((2, 3))])[0]
        array([2., 2., 2.], dtype=float32)
    """

    def combine(self, plan, inputs):
        if len(inputs) == 1:
            return inputs[0]
        y = total(plan, inputs)
        for x in inputs:
            plan.backward(accumulate, flat(x.grad), flat(y.grad), first=assign)
        return y


def total(plan, inputs):
    """Writes the sum of two or more operands of one shape into a plan, from left to right, without its gradient."""
    y = plan.value("y", inputs[0].shape)
    plan.forward(add_forward, flat(y), flat(inputs[0]), flat(inputs[1]), NONE)
    for x in inputs[2:]:
        plan.forward(accumulate, flat(y), flat(x))
    return y


def add(inputs, **kwargs):
    """The sum of a list of tensors: `Add(**kwargs)(inputs)`.

    Args:
        inputs: List of symbolic tensors or arrays.
        **kwargs: Arguments of the layer.

    Returns:
        A symbolic tensor, or an array.
    """
    return Add(**kwargs)(inputs)

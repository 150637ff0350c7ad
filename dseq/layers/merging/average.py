"""The mean of several tensors."""

from dseq.kernels.merge import divide, divide_backward
from dseq.layers.merging.add import total
from dseq.layers.merging.merge import Merge
from dseq.program.operand import flat


class Average(Merge):
    """Averages a list of inputs, element by element.

    Args:
        **kwargs: `name`, `dtype`, as for every layer.
    """

    def combine(self, plan, inputs):
        if len(inputs) == 1:
            return inputs[0]
        y = total(plan, inputs)
        count = plan.constant(float(len(inputs)))
        plan.forward(divide, flat(y), count)
        for x in inputs:
            plan.backward(divide_backward, flat(x.grad), flat(y.grad), count)
        return y


def average(inputs, **kwargs):
    """The mean of a list of tensors: `Average(**kwargs)(inputs)`.

    Args:
        inputs: List of symbolic tensors or arrays.
        **kwargs: Arguments of the layer.

    Returns:
        A symbolic tensor, or an array.
    """
    return Average(**kwargs)(inputs)

"""The difference of two tensors."""

from dseq.kernels.merge import accumulate, subtract_backward, subtract_forward
from dseq.layers.merging.merge import Merge
from dseq.program.operand import flat


class Subtract(Merge):
    """Subtracts the second of two inputs from the first, element by element.

    Args:
        **kwargs: `name`, `dtype`, as for every layer.
    """

    def check_number(self, shapes):
        if len(shapes) != 2:
            raise ValueError(f"A `Subtract` layer should be called on exactly 2 inputs. Received: input_shape={shapes}")

    def pair(self, plan, a, b):
        y = plan.value("y", a.shape)
        plan.forward(subtract_forward, flat(y), flat(a), flat(b))
        plan.backward(accumulate, flat(a.grad), flat(y.grad))
        plan.backward(subtract_backward, flat(b.grad), flat(y.grad))
        return y


def subtract(inputs, **kwargs):
    """The difference of two tensors: `Subtract(**kwargs)(inputs)`.

    Args:
        inputs: List of two symbolic tensors or arrays.
        **kwargs: Arguments of the layer.

    Returns:
        A symbolic tensor, or an array.
    """
    return Subtract(**kwargs)(inputs)

"""Several tensors side by side."""

from math import prod

from dseq.kernels.merge import columns_backward, columns_forward
from dseq.layers.merging.merge import Merge, common_batch, listed
from dseq.program.operand import matrix


class Concatenate(Merge):
    """Puts a list of inputs side by side along one axis; along all others they have the same size.

    Args:
        axis: Axis, counted with the batch axis, which itself cannot be taken.
        **kwargs: `name`, `dtype`, as for every layer.

    Example:
        >>> dseq.layers.Concatenate(axis=1).compute_output_shape((None, 2, 5), (None, 1, 5))
        (None, 3, 5)
    """

    call_rule = "A `Concatenate` layer should be called on a list of at least 1 input."

    def __init__(self, axis=-1, **kwargs):
        if not isinstance(axis, int) or isinstance(axis, bool) or axis == 0:
            raise ValueError(
                f"`axis` of Concatenate must be an integer and not 0, the axis of the samples. Received: axis={axis!r}"
            )
        super().__init__(**kwargs)
        self.axis = axis

    def compute_output_shape(self, *input_shapes):
        shapes = listed(input_shapes)
        if not shapes:
            raise ValueError(f"{self.call_rule} Received 0 inputs.")
        batch = common_batch(shapes)
        ranks = {len(shape) for shape in shapes}
        rank = len(shapes[0])
        axis = self.axis % rank
        if not -rank <= self.axis < rank or axis == 0:
            raise ValueError(
                f"`axis` of Concatenate must be an axis of the inputs other than the first. "
                f"Received: axis={self.axis}, input_shape={shapes}"
            )
        others = [shape[1:axis] + shape[axis + 1 :] for shape in shapes]
        if len(ranks) > 1 or any(len(set(sizes) - {None}) > 1 for sizes in zip(*others, strict=True)):
            raise ValueError(
                "A `Concatenate` layer requires inputs with matching shapes except for the concatenation axis. "
                f"Received: input_shape={shapes}"
            )
        sizes = [shape[axis] for shape in shapes]
        size = None if None in sizes else sum(sizes)
        return (batch, *shapes[0][1:axis], size, *shapes[0][axis + 1 :])

    def lower(self, plan, *inputs):
        shape = self.compute_output_shape(*((None, *x.shape) for x in inputs))[1:]
        if len(inputs) == 1:
            return inputs[0]
        y = plan.value("y", shape)
        axis = self.axis - 1 if self.axis > 0 else self.axis % (len(shape) + 1) - 1
        outer = prod(shape[:axis])

        def columns(operand):
            """All up to the axis as rows, the axis and all behind it as columns."""
            return matrix(operand and operand.reshape((outer, prod(operand.shape[axis:]))))

        first = 0
        for x in inputs:
            if x.size:
                plan.forward(columns_forward, columns(y), columns(x), first)
                plan.backward(columns_backward, columns(x.grad), columns(y.grad), first)
                first += prod(x.shape[axis:])
        return y


def concatenate(inputs, axis=-1, **kwargs):
    """A list of tensors side by side: `Concatenate(axis, **kwargs)(inputs)`.

    Args:
        inputs: List of symbolic tensors or arrays.
        axis: Axis, counted with the batch axis.
        **kwargs: Further arguments of the layer.

    Returns:
        A symbolic tensor, or an array.
    """
    return Concatenate(axis=axis, **kwargs)(inputs)

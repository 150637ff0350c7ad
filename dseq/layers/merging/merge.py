"""The base of layers that make one tensor of several, and the broadcasting between them."""

from math import prod

import numpy as np

from dseq.kernels.merge import spread_backward, spread_forward
from dseq.layers.layer import Layer
from dseq.program.tensor import Tensor


class Merge(Layer):
    """Makes one tensor of a list of tensors, element by element.

    Per sample, shapes broadcast as in NumPy: an axis of 1, or one that is missing in front, serves all.

    A layer implements `pair`, which is applied from left to right, or `combine`.

    Args:
        **kwargs: `name`, `dtype`, as for every layer.
    """

    call_rule = "A merge layer should be called on a list of inputs."

    def __call__(self, *inputs, training=None, mask=None):
        """Applies the layer to a list of symbolic tensors or arrays."""
        if len(inputs) == 1 and isinstance(inputs[0], dict):
            inputs = [list(inputs[0].values())]
        if len(inputs) == 1:
            if not isinstance(inputs[0], list | tuple):
                shape = getattr(inputs[0], "shape", None) or np.shape(inputs[0])
                raise ValueError(f"{self.call_rule} Received: input_shape={tuple(shape)} (not a list of shapes)")
            inputs = inputs[0]
        if not inputs:
            self.check_number([])
        inputs = [x if isinstance(x, Tensor) else np.asarray(x) for x in inputs]
        return super().__call__(inputs, training=training, mask=mask)

    def _build_for(self, arguments, shapes):
        self.build(*shapes)  # nothing is kept of the shapes, so each call is checked
        super()._build_for(arguments, shapes)

    def build(self, *input_shapes):
        """Checks that inputs of these shapes fit together."""
        self.compute_output_shape(*input_shapes)

    def compute_output_shape(self, *input_shapes):
        """The shape the layer gives for inputs of these shapes, or of a list of them, all with the batch axis."""
        shapes = listed(input_shapes)
        self.check_number(shapes)
        batch = common_batch(shapes)
        sample = shapes[0][1:]
        for shape in shapes[1:]:
            sample = broadcast(sample, shape[1:])
        return (batch, *sample)

    def check_number(self, shapes):
        """Raises if the layer does not take this number of inputs."""
        if not shapes:
            raise ValueError("A merge layer should be called on a list of at least 1 input. Received 0 inputs.")

    def lower(self, plan, *inputs):
        shape = self.compute_output_shape(*((None, *x.shape) for x in inputs))[1:]
        return self.combine(plan, [spread(plan, x, shape) for x in inputs])

    def combine(self, plan, inputs):
        """Appends the kernels for operands of one shape; returns the output's operand."""
        y = inputs[0]
        for x in inputs[1:]:
            y = self.pair(plan, y, x)
        return y

    def pair(self, plan, a, b):
        """Appends the kernels for two operands of one shape; returns the output's operand."""
        raise TypeError(f"Layer {type(self).__name__} must implement `pair(self, plan, a, b)`.")


def listed(input_shapes):
    """Shapes given one by one or as one list, as a list of tuples."""
    if len(input_shapes) == 1 and input_shapes[0] and isinstance(input_shapes[0][0], list | tuple):
        input_shapes = input_shapes[0]
    return [tuple(shape) for shape in input_shapes]


def common_batch(shapes):
    """The batch size of all shapes, None if none has one.

    Raises:
        ValueError: If there are several.
    """
    sizes = {shape[0] for shape in shapes} - {None}
    if len(sizes) > 1:
        raise ValueError(f"Cannot merge tensors with different batch sizes. Received tensors with shapes {shapes}")
    return sizes.pop() if sizes else None


def broadcast(a, b):
    """The shape that two shapes without the batch axis broadcast to; None for a size that is not known yet."""
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    shape = list(longer)
    for axis in range(-len(shorter), 0):
        i, j = longer[axis], shorter[axis]
        if i != j and None not in (i, j) and 1 not in (i, j):
            raise ValueError(f"Inputs have incompatible shapes. Received shapes {tuple(a)} and {tuple(b)}")
        shape[axis] = None if i is None or j is None else (j if i == 1 else i)
    return tuple(shape)


def spread(plan, x, shape):
    """An operand broadcast to a shape: the operand itself or a view of it if no value is needed twice."""
    if prod(x.shape) == prod(shape):
        return x if x.shape == tuple(shape) else x.reshape(shape)
    places = np.arange(prod(x.shape)).reshape(x.shape)
    places = np.broadcast_to(places, shape).ravel()
    length, step = runs((1,) * (len(shape) - len(x.shape)) + x.shape, shape)
    index = plan.constant(places[::length].copy(), "int64")
    y = plan.value("spread", shape)
    row_x, row_y = x.reshape((prod(x.shape),)), y.reshape((prod(y.shape),))
    plan.forward(spread_forward, row_y, row_x, index, length, step)
    plan.backward(spread_backward, row_x.grad, row_y.grad, index, length, step)
    return y


def runs(x_shape, y_shape):
    """`(length, step)` of the runs of y, along its last axes, that step through x (1) or stay at one value (0)."""
    length, step = 1, None
    for size, wanted in zip(reversed(x_shape), reversed(y_shape), strict=True):
        if wanted != 1:
            kind = int(size == wanted)
            if step not in (None, kind):
                break
            length, step = length * wanted, kind
    return max(length, 1), 1 if step is None else step

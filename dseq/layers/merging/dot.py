"""Dot products of two tensors, sample by sample."""

from math import prod

from dseq.kernels.dot import inner_backward, inner_forward, normalize_backward, normalize_forward, products
from dseq.layers.merging.merge import Merge, common_batch, listed
from dseq.layers.reshaping.permute import permuted
from dseq.program.floatx import epsilon


class Dot(Merge):
    """Multiplies two inputs and adds up along an axis of each, sample by sample.

    Args:
        axes: The axis of both inputs, or a pair with one for each, counted with the batch axis, which itself cannot
            be taken.
        normalize: Whether vectors along the axes are scaled to length 1 first; the product is then their cosine.
        **kwargs: `name`, `dtype`, as for every layer.

    Output shape:
        `(batch, ...)` with the other axes of the first input, then those of the second; `(batch, 1)` if there are none.

    Example:
        >>> dseq.layers.Dot(axes=(1, 2)).compute_output_shape((None, 3, 5), (None, 10, 3))
        (None, 5, 10)
    """

    call_rule = "A `Dot` layer should be called on a list of 2 inputs."

    def __init__(self, axes, normalize=False, **kwargs):
        if not isinstance(axes, int):
            if not isinstance(axes, list | tuple):
                raise TypeError(
                    f"Invalid type for argument `axes`: it should be a list or an int. Received: axes={axes}"
                )
            if len(axes) != 2:
                raise ValueError(
                    f"Invalid format for argument `axes`: it should contain two elements. Received: axes={axes}"
                )
            if not all(isinstance(axis, int) for axis in axes):
                raise ValueError(
                    f"Invalid format for argument `axes`: list elements should be integers. Received: axes={axes}"
                )
        super().__init__(**kwargs)
        self.axes = axes
        self.normalize = bool(normalize)

    def _positive_axes(self, shapes):
        """The axis of each input, counted from the batch axis."""
        given = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        for shape in shapes:
            if len(shape) < 2:
                raise ValueError(
                    "Cannot do batch_dot on inputs with rank < 2. "
                    f"Received inputs with shapes {shapes[0]} and {shapes[1]}."
                )
        if any(not -len(shape) <= axis < len(shape) for axis, shape in zip(given, shapes, strict=True)):
            raise ValueError(f"`axes` of Dot must be axes of the inputs. Received: axes={self.axes}, shapes {shapes}")
        axes = [axis % len(shape) for axis, shape in zip(given, shapes, strict=True)]
        if 0 in axes:
            raise ValueError(f"Cannot perform batch_dot over axis 0, that of the samples. Received: axes={self.axes}")
        return axes

    def compute_output_shape(self, *input_shapes):
        shapes = listed(input_shapes)
        if len(shapes) != 2:
            raise ValueError(f"{self.call_rule} Received: input_shape={shapes}")
        batch = common_batch(shapes)
        axes = self._positive_axes(shapes)
        sizes = [shape[axis] for shape, axis in zip(shapes, axes, strict=True)]
        if None not in sizes and sizes[0] != sizes[1]:
            raise ValueError(
                f"Incompatible input shapes: axis values {sizes[0]} (at axis {axes[0]}) != {sizes[1]} (at axis "
                f"{axes[1]}). Full input shapes: {shapes[0]}, {shapes[1]}"
            )
        rest = [n for shape, axis in zip(shapes, axes, strict=True) for n in shape[1:axis] + shape[axis + 1 :]]
        return (batch, *(rest or [1]))

    def lower(self, plan, x, y):
        shapes = [(None, *x.shape), (None, *y.shape)]
        shape = self.compute_output_shape(*shapes)[1:]
        x_axis, y_axis = (axis - 1 for axis in self._positive_axes(shapes))
        if self.normalize:
            x, y = normalized(plan, x, x_axis), normalized(plan, y, y_axis)
        z = plan.value("y", shape)
        if len(x.shape) == len(y.shape) == 1:
            plan.forward(inner_forward, z, x, y)
            plan.backward(inner_backward, x.grad, z.grad, y)
            plan.backward(inner_backward, y.grad, z.grad, x)
            return z
        # As matrices z (p, m) = x (p, k) @ y (k, m), where x or y may lie in memory transposed.
        x, x_first = as_matrix(plan, x, x_axis)
        y, y_first = as_matrix(plan, y, y_axis)
        x_last, y_last = 1 - x_first, 1 - y_first
        c = z.reshape((x.shape[x_first], y.shape[y_first]))
        plan.forward(products, c, x, y, x_first, y_last, 0)
        if x_last:
            plan.backward(products, x.grad, c.grad, y, 0, y_first, 1)
        else:
            plan.backward(products, x.grad, y, c.grad, y_last, 1, 1)
        if y_last:
            plan.backward(products, y.grad, c.grad, x, 1, x_first, 1)
        else:
            plan.backward(products, y.grad, x, c.grad, x_last, 0, 1)
        return z


def as_matrix(plan, x, axis):
    """An operand as a matrix with this axis first or last, and 1 if it is first; nothing is copied if it can be."""
    before, size, behind = prod(x.shape[:axis]), x.shape[axis], prod(x.shape[axis + 1 :])
    if behind == 1:
        return x.reshape((before, size)), 0
    if before == 1:
        return x.reshape((size, behind)), 1
    moved = permuted(plan, x.reshape((before, size, behind)), (1, 3, 2))
    return moved.reshape((before * behind, size)), 0


def normalized(plan, x, axis):
    """Writes an operand into a plan with its vectors along an axis scaled to length 1."""
    before, behind = prod(x.shape[:axis]), prod(x.shape[axis + 1 :])
    view = (before, x.shape[axis], behind)
    y = plan.value("normalized", x.shape)
    inverse = plan.value("inverse", (before, behind), plan.dtype)
    least = plan.constant(epsilon())
    long_x, long_y = x.reshape(view), y.reshape(view)
    plan.forward(normalize_forward, long_y, inverse, long_x, least)
    plan.backward(normalize_backward, long_x.grad, long_y.grad, long_y, inverse, least)
    return y


def dot(inputs, axes=-1, **kwargs):
    """Dot products of two tensors: `Dot(axes, **kwargs)(inputs)`.

    Args:
        inputs: List of two symbolic tensors or arrays.
        axes: The axis of both inputs, or a pair with one for each.
        **kwargs: Further arguments of the layer, such as `normalize`.

    Returns:
        A symbolic tensor, or an array.
    """
    return Dot(axes=axes, **kwargs)(inputs)

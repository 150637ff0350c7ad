"""Vectors of length 1."""

from math import prod

from dseq.kernels.dot import normalize_backward, normalize_forward
from dseq.layers.layer import Layer
from dseq.layers.normalization.affine import check_axes, sample_axes, with_axes_last


class UnitNormalization(Layer):
    """Scales each sample's vectors to length 1.

    Args:
        axis: Axis, or list of axes, of the vectors, counted with the batch axis.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        TypeError: If `axis` is no integer and no list of them.

    Example:
        >>> dseq.layers.UnitNormalization()(np.array([[3.0, 4.0]])).round(3).tolist()
        [[0.6, 0.8]]
    """

    supports_masking = True

    def __init__(self, axis=-1, **kwargs):
        if not isinstance(axis, int | list | tuple):
            raise TypeError(
                f"Invalid value for `axis` argument: expected an int or a list/tuple of ints. Received: axis={axis}"
            )
        super().__init__(**kwargs)
        self.axis = axis if isinstance(axis, int) else list(axis)

    def compute_output_shape(self, input_shape):
        check_axes(self, self.axis, input_shape)
        return tuple(input_shape)

    def lower(self, plan, x):
        axes = sample_axes(self, self.axis, x.shape)
        if axes[-1] - axes[0] + 1 != len(axes):  # they do not lie side by side
            return with_axes_last(plan, x, axes, lambda x: self._lower_along(plan, x, len(x.shape) - len(axes), None))
        return self._lower_along(plan, x, axes[0], axes[-1] + 1)

    def _lower_along(self, plan, x, first, last):
        """The layer for vectors along the axes from first to last."""
        last = len(x.shape) if last is None else last
        view = prod(x.shape[:first]), prod(x.shape[first:last]), prod(x.shape[last:])
        y = plan.value("y", x.shape)
        inverse = plan.value("inverse", (view[0], view[2]), plan.dtype)
        long_x, long_y = x.reshape(view), y.reshape(view)
        least = plan.constant(1e-12)
        plan.forward(normalize_forward, long_y, inverse, long_x, least)
        plan.backward(normalize_backward, long_x.grad, long_y.grad, long_y, inverse, least)
        return y

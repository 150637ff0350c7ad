"""Scale and offset of the data."""

import numpy as np

from dseq.kernels.rescale import rescale_backward, rescale_forward
from dseq.layers.layer import Layer
from dseq.program.floatx import image_data_format
from dseq.program.graph import Graph
from dseq.program.operand import flat
from dseq.program.tensor import Tensor, tracing


class Rescaling(Layer):
    """`x * scale + offset`, e.g. `Rescaling(1 / 255)` for images.

    Args:
        scale: Number to multiply by, or an array or list that broadcasts to the input: one number for each channel.
        offset: Number to add, or an array or list likewise.
        **kwargs: `name`, `dtype`, as for every layer.
    """

    def __init__(self, scale, offset=0.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale.tolist() if isinstance(scale, np.ndarray) else scale
        self.offset = offset.tolist() if isinstance(offset, np.ndarray) else offset

    def lower(self, plan, x):
        if np.ndim(self.scale) or np.ndim(self.offset):
            return self._lower_broadcast(plan, x)
        y = plan.value("y", x.shape)
        scale, offset = plan.constant(float(self.scale)), plan.constant(float(self.offset))
        plan.forward(rescale_forward, flat(y), flat(x), scale, offset)
        plan.backward(rescale_backward, flat(x.grad), flat(y.grad), scale)
        return y

    def _lower_broadcast(self, plan, x):
        given = Tensor((None, *x.shape), x.dtype)
        with tracing():
            made = given * self._along(self.scale, x) + self._along(self.offset, x)
        if made.shape != given.shape:
            raise ValueError(
                f"`scale` and `offset` of {self.name!r} must broadcast to the input. Received: scale={self.scale!r}, "
                f"offset={self.offset!r} for samples of shape {x.shape}"
            )
        return Graph([given], [made]).lower(plan, [x])[0]

    def _along(self, value, x):
        """An array as it broadcasts: its last axis to the channels, wherever these are."""
        array = np.asarray(value, x.dtype)
        first = array.ndim > 0 and image_data_format() == "channels_first"
        return array.reshape(array.shape + (1,) * (len(x.shape) - array.ndim)) if first else array

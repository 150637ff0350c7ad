"""Scale and offset of the data."""

from dseq.kernels.rescale import rescale_backward, rescale_forward
from dseq.layers.layer import Layer
from dseq.program.operand import flat


class Rescaling(Layer):
    """`x * scale + offset`, e.g. `Rescaling(1 / 255)` for images.

    Args:
        scale: Number to multiply by.
        offset: Number to add.
        **kwargs: `name`, `dtype`, as for every layer.
    """

    def __init__(self, scale, offset=0.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset

    def lower(self, plan, x):
        y = plan.value("y", x.shape)
        scale, offset = plan.constant(float(self.scale)), plan.constant(float(self.offset))
        plan.forward(rescale_forward, flat(y), flat(x), scale, offset)
        plan.backward(rescale_backward, flat(x.grad), flat(y.grad), scale)
        return y

"""Steps that do not count."""

from dseq.kernels.noise import apply_mask, apply_mask_backward, find_mask
from dseq.layers.layer import Layer
from dseq.program.operand import flat, matrix


class Masking(Layer):
    """Marks steps whose features are all one value: layers behind it that know masks skip them, losses do not count
    them.

    Args:
        mask_value: The value.
        **kwargs: `name`, `dtype`, as for every layer.

    Input shape:
        `(batch, ..., features)`; the mask has the shape of all axes but the last.
    """

    supports_masking = True

    def __init__(self, mask_value=0.0, **kwargs):
        super().__init__(**kwargs)
        self.mask_value = mask_value
        self.require(min_ndim=2)

    def lower(self, plan, x):
        y = plan.value("y", x.shape)
        y.mask = plan.value("mask", x.shape[:-1], "uint8")
        mask = flat(y.mask)
        plan.forward(find_mask, mask, matrix(x), plan.constant(float(self.mask_value)))
        plan.forward(apply_mask, matrix(y), matrix(x), mask)
        plan.backward(apply_mask_backward, matrix(x.grad), matrix(y.grad), mask)
        return y

"""A penalty on what passes through."""

from dseq import regularizers
from dseq.layers.layer import Layer


class ActivityRegularization(Layer):
    """Gives its input back, and adds `l1 * sum(abs(x)) + l2 * sum(square(x))`, divided by the batch size, to the loss.

    Args:
        l1: Factor of the sum of absolute values, >= 0.
        l2: Factor of the sum of squares, >= 0.
        **kwargs: `name`, `dtype`, as for every layer.
    """

    supports_masking = True

    def __init__(self, l1=0.0, l2=0.0, **kwargs):
        super().__init__(activity_regularizer=regularizers.L1L2(l1, l2), **kwargs)
        self.l1 = l1
        self.l2 = l2

    def lower(self, plan, x):
        return x

    def get_config(self):
        config = super().get_config()
        config.pop("activity_regularizer", None)
        return config

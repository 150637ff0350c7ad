"""The leaky rectifier as a layer."""

from dseq import activations
from dseq.layers.layer import Layer


class LeakyReLU(Layer):
    """Leaky rectifier: `x` for positive x, `negative_slope * x` below.

    Args:
        negative_slope: Slope below zero, at least 0.
        **kwargs: `name`, `dtype`, as for every layer.
    """

    def __init__(self, negative_slope=0.3, **kwargs):
        if negative_slope is None or negative_slope < 0:
            raise ValueError(
                f"`negative_slope` of a LeakyReLU layer cannot be negative. Received: negative_slope={negative_slope}"
            )
        super().__init__(**kwargs)
        self.negative_slope = negative_slope

    def lower(self, plan, x):
        return activations.lower(plan, activations.leaky_relu.with_parameters(self.negative_slope), x)

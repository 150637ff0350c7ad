"""The exponential linear unit as a layer."""

from dseq import activations
from dseq.layers.layer import Layer


class ELU(Layer):
    """Exponential linear unit: `x` for positive x, `alpha * (exp(x) - 1)` below.

    Args:
        alpha: Scale of the negative part.
        **kwargs: `name`, `dtype`, as for every layer.
    """

    def __init__(self, alpha=1.0, **kwargs):
        super().__init__(**kwargs)
        self.alpha = alpha

    def lower(self, plan, x):
        return activations.lower(plan, activations.elu.with_parameters(self.alpha), x)

"""An activation as a layer."""

from dseq import activations
from dseq.layers.layer import Layer


class Activation(Layer):
    """Applies an activation to its input.

    Args:
        activation: Name of an activation, or an activation.
        **kwargs: `name`, `dtype`, as for every layer.
    """

    def __init__(self, activation, **kwargs):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def lower(self, plan, x):
        return activations.lower(plan, self.activation, x)

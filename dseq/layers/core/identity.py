"""The layer that gives back its input."""

from dseq.layers.layer import Layer


class Identity(Layer):
    """Gives back its input: a place-holder.

    Args:
        **kwargs: `name`, `dtype`, as for every layer.
    """

    def lower(self, plan, x):
        return x

"""The base of layers around one other layer."""

from dseq.layers.building import name_scope
from dseq.layers.layer import Layer
from dseq.program.graph import Arguments
from dseq.program.tensor import Tensor


class Wrapper(Layer):
    """Holds one layer, whose weights are its own. Subclasses say what is done with it, in `call`.

    Args:
        layer: The layer inside.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If `layer` is no layer.
    """

    def __init__(self, layer, **kwargs):
        if not isinstance(layer, Layer):
            raise ValueError(
                f"{type(self).__name__} wraps a layer. Received: layer={layer!r} of type {type(layer).__name__}"
            )
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape=None):
        """Builds the layer inside for the same shape."""
        self.build_inside(input_shape)

    def build_inside(self, input_shape):
        """Builds the layer inside for inputs of a full shape, or checks that they fit."""
        arguments = Arguments((Tensor(input_shape, self.layer.dtype),), {})
        with name_scope(self.name, self):
            self.layer._build_for(arguments, [tuple(input_shape)])

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """A wrapper with this configuration; the layer inside is made anew."""
        from dseq.program.serialization import deserialize_keras_object

        config = dict(config)
        if isinstance(config["layer"], dict):
            config["layer"] = deserialize_keras_object(config["layer"], custom_objects=custom_objects)
        return cls(**config)

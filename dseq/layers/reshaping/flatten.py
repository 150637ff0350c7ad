"""All axes of a sample as one."""

from math import prod

from dseq.layers.layer import Layer


class Flatten(Layer):
    """Flattens each sample to a vector, row by row; a scalar becomes a vector of one.

    Args:
        data_format: None or `"channels_last"`.
        **kwargs: `name`, `dtype`, as for every layer.
    """

    def __init__(self, data_format=None, **kwargs):
        if data_format not in (None, "channels_last"):
            raise ValueError(f"`data_format` of Flatten must be 'channels_last'. Received: data_format={data_format!r}")
        super().__init__(**kwargs)
        self.data_format = data_format

    def compute_output_shape(self, input_shape):
        sizes = input_shape[1:]
        return (input_shape[0], None if None in sizes else prod(sizes))

    def lower(self, plan, x):
        return x.reshape((prod(x.shape),))

"""All axes of a sample as one."""

from math import prod

from dseq.layers.convolutional.geometry import data_format as data_format_of
from dseq.layers.layer import Layer
from dseq.layers.reshaping.permute import permuted


class Flatten(Layer):
    """Flattens each sample to a vector, row by row; a scalar becomes a vector of one.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`. The vector has the
            channels of each place side by side in either case.
        **kwargs: `name`, `dtype`, as for every layer.
    """

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = data_format_of(data_format)

    def compute_output_shape(self, input_shape):
        sizes = input_shape[1:]
        return (input_shape[0], None if None in sizes else prod(sizes))

    def lower(self, plan, x):
        if self.data_format == "channels_first" and len(x.shape) > 1:
            x = permuted(plan, x, (*range(2, len(x.shape) + 1), 1))
        return x.reshape((prod(x.shape),))

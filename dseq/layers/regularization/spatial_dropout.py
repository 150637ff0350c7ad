"""Dropout of whole feature maps."""

from dseq.layers.regularization.dropout import Dropout

FORMATS = ("channels_last", "channels_first")


class _SpatialDropout(Dropout):
    """A dropout with one decision for each channel of a sample."""

    places = 1  # axes besides those of samples and channels

    def __init__(self, rate, data_format=None, seed=None, **kwargs):
        if data_format not in (None, *FORMATS):
            raise ValueError(
                f"The `data_format` argument must be one of {FORMATS}. Received: data_format={data_format}"
            )
        data_format = data_format or "channels_last"
        single = [1] * self.places
        noise = (None, *single, None) if data_format == "channels_last" else (None, None, *single)
        super().__init__(rate, noise_shape=noise, seed=seed, **kwargs)
        self.data_format = data_format
        self.require(ndim=self.places + 2)


class SpatialDropout1D(_SpatialDropout):
    """Sets a random share of the channels of each sample to zero while training, and scales the rest by 1 / (1 - rate).

    Args:
        rate: Share to drop, in [0, 1].
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        name: Name, unique in a model.
        dtype: Float type.

    Input shape:
        `(batch, steps, channels)`.
    """

    def __init__(self, rate, seed=None, name=None, dtype=None):
        super().__init__(rate, seed=seed, name=name, dtype=dtype)

    def get_config(self):
        return {name: getattr(self, name) for name in ("rate", "seed", "name", "dtype")}


class SpatialDropout2D(_SpatialDropout):
    """Sets a random share of the channels of each sample to zero while training, and scales the rest by 1 / (1 - rate).

    Args:
        rate: Share to drop, in [0, 1].
        data_format: `"channels_last"`, the default, or `"channels_first"`.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        name: Name, unique in a model.
        dtype: Float type.

    Input shape:
        `(batch, rows, columns, channels)`, or `(batch, channels, rows, columns)`.
    """

    places = 2

    def __init__(self, rate, data_format=None, seed=None, name=None, dtype=None):
        super().__init__(rate, data_format, seed, name=name, dtype=dtype)

    def get_config(self):
        return {name: getattr(self, name) for name in ("rate", "seed", "name", "dtype", "data_format")}


class SpatialDropout3D(SpatialDropout2D):
    """Sets a random share of the channels of each sample to zero while training, and scales the rest by 1 / (1 - rate).

    Args:
        rate: Share to drop, in [0, 1].
        data_format: `"channels_last"`, the default, or `"channels_first"`.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        name: Name, unique in a model.
        dtype: Float type.

    Input shape:
        `(batch, depth, rows, columns, channels)`, or `(batch, channels, depth, rows, columns)`.
    """

    places = 3

"""Brightness, contrast, saturation and hue of images changed at random."""

from dseq.layers.preprocessing.image.image_layer import RandomImageLayer, value_range_of
from dseq.layers.preprocessing.image.random_brightness import RandomBrightness
from dseq.layers.preprocessing.image.random_contrast import RandomContrast
from dseq.layers.preprocessing.image.random_hue import RandomHue
from dseq.layers.preprocessing.image.random_saturation import RandomSaturation


class RandomColorJitter(RandomImageLayer):
    """Changes brightness, contrast, saturation and hue of each image, in this order, in training only.

    Args:
        value_range: The least and the largest value of images.
        brightness_factor: As for `RandomBrightness`; None to leave it.
        contrast_factor: As for `RandomContrast`; None to leave it.
        saturation_factor: As for `RandomSaturation`; None to leave it.
        hue_factor: As for `RandomHue`; None to leave it.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If a factor or `value_range` is something else.

    Input shape:
        `(batch, height, width, 3)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(
        self,
        value_range=(0, 255),
        brightness_factor=None,
        contrast_factor=None,
        saturation_factor=None,
        hue_factor=None,
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(seed, data_format, **kwargs)
        self.value_range = value_range_of(value_range)
        self.brightness_factor, self.contrast_factor = brightness_factor, contrast_factor
        self.saturation_factor, self.hue_factor = saturation_factor, hue_factor
        chosen = {
            RandomBrightness: brightness_factor,
            RandomContrast: contrast_factor,
            RandomSaturation: saturation_factor,
            RandomHue: hue_factor,
        }
        how = {"value_range": self.value_range, "data_format": self.data_format, "dtype": self.dtype}
        given = ((kind, factor) for kind, factor in chosen.items() if factor is not None)
        # Seeded layers draw alike: each gets a seed of its own.
        self._steps = [
            kind(factor, seed=None if seed is None else seed + number, **how)
            for number, (kind, factor) in enumerate(given)
        ]

    def call(self, images, training=None):
        for layer in self._steps:
            images = layer(images, training=True)
        return images

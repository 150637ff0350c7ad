"""Images sheared at random."""

from dseq.kernels.affine import draw_shears
from dseq.layers.preprocessing.image.image_layer import RandomTransform, within


class RandomShear(RandomTransform):
    """Shears each image by factors of its own in training, and leaves it alone in inference.

    Both factors of an image change their sign together with a chance of a half.

    Args:
        x_factor: Pixels along x for each along y: two numbers in [0, 1] between which the factor is drawn, or one, f,
            for (-f, f).
        y_factor: Pixels along y for each along x, likewise.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: What lies outside: `"reflect"` (the image mirrored), `"wrap"` (the image again), `"constant"`
            (`fill_value`) or `"nearest"` (the last pixel).
        fill_value: The value for `"constant"`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        NotImplementedError: If there is no such mode or interpolation.
        ValueError: If a factor is something else.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(
        self,
        x_factor=0.0,
        y_factor=0.0,
        interpolation="bilinear",
        fill_mode="reflect",
        fill_value=0.0,
        data_format=None,
        seed=None,
        **kwargs,
    ):
        factors = _factor(x_factor, "x_factor"), _factor(y_factor, "y_factor")
        super().__init__(interpolation, fill_mode, fill_value, seed, data_format, **kwargs)
        self.x_factor, self.y_factor = factors

    def place(self, plan, transforms, height, width):
        bounds = plan.constant([*self.x_factor, *self.y_factor])
        plan.forward(draw_shears, transforms, self.draws(plan, 3), bounds)


def _factor(factor, name):
    if isinstance(factor, tuple | list) and len(factor) == 2 and factor[0] == -factor[1]:
        factor = factor[1]  # as a configuration has it
    low, high = within(factor, name, 0.0, 1.0)
    return (low, high) if isinstance(factor, tuple | list) else (-high, high)

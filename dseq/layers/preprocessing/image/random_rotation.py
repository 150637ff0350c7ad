"""Images turned at random."""

from math import pi

from dseq.kernels.affine import draw_rotations
from dseq.layers.preprocessing.image.image_layer import RandomTransform, within


class RandomRotation(RandomTransform):
    """Turns each image by an angle of its own in training, and leaves it alone in inference.

    Args:
        factor: Shares of a full turn, counter-clockwise: two numbers in [-1, 1] between which the angle is drawn, or
            one, f, for (-f, f).
        fill_mode: What lies outside: `"reflect"` (the image mirrored), `"wrap"` (the image again), `"constant"`
            (`fill_value`) or `"nearest"` (the last pixel).
        interpolation: `"bilinear"` or `"nearest"`.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        fill_value: The value for `"constant"`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        NotImplementedError: If there is no such mode or interpolation.
        ValueError: If `factor` is something else.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(
        self,
        factor,
        fill_mode="reflect",
        interpolation="bilinear",
        seed=None,
        fill_value=0.0,
        data_format=None,
        **kwargs,
    ):
        factor = within(factor, "factor", -1, 1)
        super().__init__(interpolation, fill_mode, fill_value, seed, data_format, **kwargs)
        self.factor = factor

    def place(self, plan, transforms, height, width):
        angles = plan.constant([2 * pi * share for share in self.factor])
        plan.forward(draw_rotations, transforms, self.draws(plan, 1), angles, height, width)

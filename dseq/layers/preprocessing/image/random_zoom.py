"""Images zoomed at random."""

from dseq.kernels.affine import draw_zooms
from dseq.layers.preprocessing.image.image_layer import RandomTransform, within


class RandomZoom(RandomTransform):
    """Zooms each image by factors of its own in training, and leaves it alone in inference.

    Args:
        height_factor: By how much more of the height is seen: two numbers in (-1, 1] between which the share is drawn,
            or one, f, for (-f, f). Positive shares zoom out, negative ones in.
        width_factor: The same for the width; None for what is drawn for the height, which keeps the ratio.
        fill_mode: What lies outside: `"reflect"` (the image mirrored), `"wrap"` (the image again), `"constant"`
            (`fill_value`) or `"nearest"` (the last pixel).
        interpolation: `"bilinear"` or `"nearest"`.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        fill_value: The value for `"constant"`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        NotImplementedError: If there is no such mode or interpolation.
        ValueError: If a factor is something else.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(
        self,
        height_factor,
        width_factor=None,
        fill_mode="reflect",
        interpolation="bilinear",
        seed=None,
        fill_value=0.0,
        data_format=None,
        **kwargs,
    ):
        bounds = within(height_factor, "height_factor", -1.0, 1.0, open_below=True)
        if width_factor is None:
            bounds = *bounds, 0.0, 0.0
        else:
            bounds = *bounds, *within(width_factor, "width_factor", -1.0, 1.0, open_below=True)
        super().__init__(interpolation, fill_mode, fill_value, seed, data_format, **kwargs)
        self.height_factor, self.width_factor = height_factor, width_factor
        self._bounds = bounds

    def place(self, plan, transforms, height, width):
        alike = int(self.width_factor is None)
        bounds = plan.constant(self._bounds)
        plan.forward(draw_zooms, transforms, self.draws(plan, 2), bounds, alike, height, width)

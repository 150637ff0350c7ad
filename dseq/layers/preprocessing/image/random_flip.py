"""Images flipped at random."""

from dseq.kernels.affine import draw_flips
from dseq.layers.preprocessing.image.image_layer import RandomTransform

MODES = ("horizontal", "vertical", "horizontal_and_vertical")


class RandomFlip(RandomTransform):
    """Flips each image with a chance of a half in training, and leaves it alone in inference.

    Args:
        mode: `"horizontal"` exchanges left and right, `"vertical"` top and bottom; `"horizontal_and_vertical"` both
            at once, as in Keras. For flips that do not know of each other take two layers.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If there is no such mode.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(self, mode="horizontal_and_vertical", seed=None, data_format=None, **kwargs):
        if mode not in MODES:
            raise ValueError(f"The `mode` argument of RandomFlip must be one of {MODES}. Received: mode={mode!r}")
        super().__init__("nearest", "nearest", 0.0, seed, data_format, **kwargs)
        self.mode = mode

    def place(self, plan, transforms, height, width):
        sides = int("horizontal" in self.mode), int("vertical" in self.mode)
        plan.forward(draw_flips, transforms, self.draws(plan, 1), *sides, height, width)

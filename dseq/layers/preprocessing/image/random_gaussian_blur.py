"""Images blurred at random."""

from dseq.layers.preprocessing.image.image_layer import RandomImageLayer, value_range_of, within
from dseq.ops.arithmetic import add, divide, less, multiply
from dseq.ops.casting import cast
from dseq.ops.elementwise import exp, square
from dseq.ops.function import Function
from dseq.ops.image.framing import framed
from dseq.ops.selection import clip, where


class RandomGaussianBlur(RandomImageLayer):
    """Blurs images with a chance of each one's own in training, and leaves them alone in inference.

    The weights are those of normal distributions along both axes, with widths of each image's own; beyond the border
    pixels are 0. (Keras draws the widths once for all images of a batch.)

    Args:
        factor: Two numbers in [0, 1] between which an image's chance is drawn, or one, f, for (0, f).
        kernel_size: How many pixels count along x and along y: an odd integer, or two.
        sigma: Two numbers in [0, 1] between which the widths are drawn, in pixels, or one, s, for (0, s).
        value_range: The least and the largest value of images; results stay within.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If an argument is something else.

    Input shape:
        `(batch, height, width, channels)`, for `"channels_first"` the channels behind the batch.
    """

    def __init__(
        self, factor=1.0, kernel_size=3, sigma=1.0, value_range=(0, 255), data_format=None, seed=None, **kwargs
    ):
        sizes = tuple(kernel_size) if isinstance(kernel_size, tuple | list) else (kernel_size,) * 2
        if len(sizes) != 2 or not all(isinstance(n, int) and n > 0 and n % 2 for n in sizes):
            raise ValueError(
                "The `kernel_size` argument of RandomGaussianBlur must be an odd number, or two of them. "
                f"Received: kernel_size={kernel_size!r}"
            )
        factor, sigma = within(factor, "factor", 0, 1), within(sigma, "sigma", 0, 1)
        value_range = value_range_of(value_range)
        super().__init__(seed, data_format, **kwargs)
        self.factor, self.kernel_size, self.sigma, self.value_range = factor, sizes, sigma, value_range

    def call(self, images, training=None):
        images = cast(images, self.dtype)
        across, down = self.kernel_size
        blurred = self._along(self._along(images, 1, across), 0, down)
        chosen = less(self.drawn_between((0, 1)), self.drawn_between(self.factor))
        return clip(where(chosen, blurred, images), *map(float, self.value_range))

    def _along(self, images, axis, count):
        """Images blurred along rows (axis 0) or columns."""
        sigma = add(self.drawn_between(self.sigma), 1e-6)
        result = total = None
        for offset in range(-(count // 2), count // 2 + 1):
            weight = exp(multiply(square(divide(float(offset), sigma)), -0.5))
            part = multiply(_Shifted(offset=offset, axis=axis, order=self.data_format)(images), weight)
            result, total = (part, weight) if total is None else (add(result, part), add(total, weight))
        return divide(result, total)


class _Shifted(Function):
    """Images moved by whole pixels, zeros behind them."""

    defaults = {"offset": 0, "axis": 0, "order": "channels_last"}

    def infer(self, images):
        return images

    def write(self, plan, images):
        sizes = images.shape[1:] if self.order == "channels_first" else images.shape[:-1]
        before = [-self.offset if axis == self.axis else 0 for axis in (0, 1)]
        return framed(plan, images, before, sizes, self.order)

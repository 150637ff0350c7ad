"""What layers of images share: their shapes, and when and what random ones draw."""

import numpy as np

from dseq.kernels.random import uniform
from dseq.layers.layer import Layer
from dseq.layers.regularization.noise import Noise, samples
from dseq.ops.arithmetic import add, multiply
from dseq.ops.drawing import drawn
from dseq.ops.image.formats import data_format as data_format_of
from dseq.ops.image.formats import sizes_of, with_sizes
from dseq.ops.image.transforming import check_modes, transformed
from dseq.program.tensor import Tensor

FILL_MODES = ("reflect", "wrap", "constant", "nearest")


class ImageLayer(Layer):
    """A layer of images, `(batch, height, width, channels)`; called on an array, also of a single image.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        **kwargs: `name`, `dtype`, as for every layer.
    """

    supports_masking = False

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = data_format_of(data_format)
        self.require(ndim=4)

    def __call__(self, *args, **kwargs):
        """Applies the layer; arguments as for every layer."""
        if args and not isinstance(args[0], Tensor) and np.ndim(args[0]) == 3:
            return super().__call__(np.asarray(args[0])[None], *args[1:], **kwargs)[0]
        return super().__call__(*args, **kwargs)

    def get_config(self) -> dict:
        """The constructor's arguments as plain data."""
        return {**super().get_config(), "data_format": self.data_format}


class SizedImageLayer(ImageLayer):
    """A layer that gives images one size.

    Args:
        height: Positive integer, their height.
        width: Positive integer, their width.
        data_format: As for `ImageLayer`.
        **kwargs: `name`, `dtype`, as for every layer.
    """

    def __init__(self, height, width, data_format=None, **kwargs):
        for name, value in (("height", height), ("width", width)):
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value <= 0:
                raise ValueError(
                    f"`{name}` of {type(self).__name__} must be a positive integer. Received: {name}={value!r}"
                )
        super().__init__(data_format, **kwargs)
        self.height, self.width = int(height), int(width)

    def compute_output_shape(self, input_shape):
        return with_sizes(tuple(input_shape), (self.height, self.width), self.data_format)


class RandomImageLayer(ImageLayer):
    """A layer that changes images at random, each in its own way.

    It does so in training, and, as in Keras, when it is called on arrays and nothing says `training=False`. What it
    draws is a function of seed, step, layer and the sample's place in the global batch: the number of ranks does not
    change it.

    Args:
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        data_format: As for `ImageLayer`.
        **kwargs: `name`, `dtype`, as for every layer.
    """

    stream = Noise.stream

    def __init__(self, seed=None, data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        self.seed = seed

    def lower_into(self, plan, operands, arguments=None):
        explicit = arguments[1].get("training") if arguments else None
        if plan.augments if explicit is None else explicit:
            return super().lower_into(plan, operands, arguments)
        before = plan.enter(self.name, (), operands)
        y = self.at_rest(plan, *map(plan.floats, operands))
        plan.leave(before)
        return [y]

    def at_rest(self, plan, x):
        """What the layer does to images where it draws nothing: nothing.

        Args:
            plan: The plan.
            x: Operand of the images.
        """
        return x

    def draws(self, plan, count):
        """The operand of so many random numbers in [0, 1) for each sample."""
        numbers = plan.value("draws", (count,), plan.dtype)
        plan.forward(uniform, samples(numbers), plan.clock, self.stream(plan))
        return numbers

    def drawn_between(self, bounds):
        """The same for a layer that has a `call`: a tensor `(None, 1, 1, 1)` of numbers within bounds."""
        low, high = map(float, bounds)
        return add(multiply(drawn("uniform", (None, 1, 1, 1), self.seed, self.dtype), high - low), low)


class RandomTransform(RandomImageLayer):
    """A random layer that sees images through a transformation of each one's own. A subclass implements `place`.

    Args:
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode: What lies outside: one of `FILL_MODES`.
        fill_value: The value for `"constant"`.
        seed: As for `RandomImageLayer`.
        data_format: As for `ImageLayer`.
        **kwargs: `name`, `dtype`, as for every layer.
    """

    def __init__(self, interpolation, fill_mode, fill_value, seed=None, data_format=None, **kwargs):
        check_modes(interpolation, fill_mode, FILL_MODES, NotImplementedError)
        super().__init__(seed, data_format, **kwargs)
        self.interpolation, self.fill_mode, self.fill_value = interpolation, fill_mode, fill_value

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def lower(self, plan, x):
        transforms = plan.value("transforms", (8,), plan.dtype)
        self.place(plan, transforms, *sizes_of(x.shape, self.data_format))
        how = self.interpolation, self.fill_mode, self.fill_value, self.data_format
        return transformed(plan, x, transforms, *how)

    def place(self, plan, transforms, height, width):
        """Appends the call that writes the transformations.

        Args:
            plan: The plan.
            transforms: Operand of eight numbers for each sample, see `dseq.kernels.affine`.
            height: Height of the images.
            width: Their width.
        """
        raise NotImplementedError


def within(factor, name, low, high, symmetric=True, open_below=False) -> tuple:
    """A factor as bounds `(least, largest)`.

    Args:
        factor: What the user gave: a number for (-number, number), or two numbers.
        name: Name of the argument, for messages.
        low: What is allowed at least.
        high: What is allowed at most.
        symmetric: Whether a number stands for (-number, number), as far as that is allowed; else for (low, number).
        open_below: Whether `low` itself is not allowed.

    Raises:
        ValueError: If it is something else, or beyond what is allowed.
    """
    single = isinstance(factor, int | float | np.number) and not isinstance(factor, bool)
    values = (factor,) if single else factor
    valid = isinstance(values, tuple | list) and len(values) == (1 if single else 2)
    valid = valid and all(isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in values)
    if not valid or any(v > high or v < low or (open_below and v <= low) for v in values):
        raise ValueError(
            f"The `{name}` argument should be a number (or a list of two numbers) in the range "
            f"{'(' if open_below else '['}{low}, {high}]. Received: {name}={factor!r}"
        )
    if single:
        return (max(-abs(factor), low) if symmetric else low), abs(factor)
    return tuple(sorted(values))


def value_range_of(value_range) -> list:
    """The least and the largest value of images.

    Raises:
        ValueError: If it is not two numbers.
    """
    if not isinstance(value_range, tuple | list) or len(value_range) != 2:
        raise ValueError(
            f"The `value_range` argument should be a list of two numbers. Received: value_range={value_range!r}"
        )
    return sorted(value_range)

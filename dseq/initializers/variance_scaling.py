"""Initializers whose width follows from the weight's shape: variance = scale / n, n the number of inputs or outputs."""

from math import prod, sqrt

import numpy as np

from dseq.initializers.distributions import truncated_normal
from dseq.initializers.initializer import RandomInitializer, cast, standardize

MODES = ("fan_in", "fan_out", "fan_avg")
DISTRIBUTIONS = ("uniform", "truncated_normal", "untruncated_normal")
PIECE = 1 << 14  # elements that stay in the cache
# The standard deviation of a standard normal cut at 2.
TRUNCATED_STDDEV = 0.87962566103423978


class VarianceScaling(RandomInitializer):
    """Values of variance `scale / n`, which keeps signals of one size from layer to layer.

    Args:
        scale: Positive number.
        mode: What n is: `"fan_in"` inputs of a unit, `"fan_out"` outputs, `"fan_avg"` their mean.
        distribution: `"truncated_normal"`, `"untruncated_normal"` or `"uniform"`.
        seed: Integer, or None for fresh values in each object.
        input_axes: Axes of the weight that count as inputs, with `output_axes`; guessed from the shape if None.
        output_axes: Axes that count as outputs.

    Raises:
        ValueError: If an argument is none of these.
    """

    def __init__(
        self,
        scale=1.0,
        mode="fan_in",
        distribution="truncated_normal",
        seed=None,
        input_axes=None,
        output_axes=None,
    ):
        if scale <= 0.0:
            raise ValueError(f"Argument `scale` must be positive float. Received: scale={scale!r}")
        if mode not in MODES:
            raise ValueError(f"Invalid `mode` argument: {mode}. Please use one of {MODES}")
        distribution = str(distribution).lower()
        distribution = "truncated_normal" if distribution == "normal" else distribution
        if distribution not in DISTRIBUTIONS:
            raise ValueError(f"Invalid `distribution` argument: {distribution}. Please use one of {DISTRIBUTIONS}")
        super().__init__(seed)
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = input_axes
        self.output_axes = output_axes

    def __call__(self, shape, dtype=None):
        shape, dtype = standardize(shape, dtype)
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        stddev = sqrt(self.scale / max(1.0, n))
        generator = self.generator()
        if self.distribution == "uniform":
            return uniform(generator, sqrt(3) * stddev, shape, dtype)
        if self.distribution == "untruncated_normal":
            values = stddev * generator.standard_normal(shape)
        else:
            values = stddev / TRUNCATED_STDDEV * truncated_normal(generator, shape)
        return cast(np.asarray(values), shape, dtype)

    def get_config(self):
        return {
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            **super().get_config(),
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


def uniform(generator, limit, shape, dtype):
    """Values between -limit and limit, drawn in float64 and cast piece by piece: large weights need no second array."""
    values = np.empty(prod(shape), dtype)
    for start in range(0, values.size, PIECE):
        piece = values[start : start + PIECE]
        piece[:] = generator.uniform(-limit, limit, piece.size)
    return values.reshape(shape)


class _Named(VarianceScaling):
    """A `VarianceScaling` with fixed scale, mode and distribution."""

    fixed = ()

    def __init__(self, seed=None, input_axes=None, output_axes=None):
        super().__init__(*self.fixed, seed=seed, input_axes=input_axes, output_axes=output_axes)

    def get_config(self):
        config = super().get_config()
        return {name: config[name] for name in ("seed", "input_axes", "output_axes")}


class GlorotUniform(_Named):
    """Uniform in ±sqrt(6 / (inputs + outputs)), the default of most layers (Glorot & Bengio, 2010).

    Args:
        seed: Integer, or None for fresh values in each object.
        input_axes: Axes of the weight that count as inputs, with `output_axes`.
        output_axes: Axes that count as outputs.
    """

    fixed = 1.0, "fan_avg", "uniform"


class GlorotNormal(_Named):
    """Truncated normal of standard deviation sqrt(2 / (inputs + outputs)); arguments as `GlorotUniform`."""

    fixed = 1.0, "fan_avg", "truncated_normal"


class HeUniform(_Named):
    """Uniform in ±sqrt(6 / inputs), for ReLU networks (He et al., 2015); arguments as `GlorotUniform`."""

    fixed = 2.0, "fan_in", "uniform"


class HeNormal(_Named):
    """Truncated normal of standard deviation sqrt(2 / inputs); arguments as `GlorotUniform`."""

    fixed = 2.0, "fan_in", "truncated_normal"


class LecunUniform(_Named):
    """Uniform in ±sqrt(3 / inputs) (LeCun et al., 1998); arguments as `GlorotUniform`."""

    fixed = 1.0, "fan_in", "uniform"


class LecunNormal(_Named):
    """Truncated normal of standard deviation sqrt(1 / inputs); arguments as `GlorotUniform`."""

    fixed = 1.0, "fan_in", "truncated_normal"


def compute_fans(shape, input_axes=None, output_axes=None) -> tuple:
    """How many inputs and outputs a unit has, read off the shape of its weight.

    Args:
        shape: Shape of the weight; convolution kernels are `(..., inputs, outputs)`.
        input_axes: Axes that count as inputs; used when both are given.
        output_axes: Axes that count as outputs.

    Returns:
        `(fan_in, fan_out)`.

    Example:
        >>> compute_fans((3, 3, 16, 32))
        (144, 288)
    """
    shape = tuple(shape)
    if input_axes is not None and output_axes is not None:
        return prod(shape[axis] for axis in input_axes), prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        return prod(shape), prod(shape)
    window = prod(shape[:-2])
    return window * shape[-2], window * shape[-1]

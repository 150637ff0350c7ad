"""Keras' random numbers: of arrays at once, and in a layer's `call` anew in each step.

In a `call`, numbers are a function of the run's seed, the step, and the place in the program; if the shape begins with
None, as `ops.shape(x)` does, also of a sample's place in the global batch. The number of ranks changes none of them.
"""

import numpy as np

from dseq import ops
from dseq.initializers.distributions import truncated_normal as _truncated
from dseq.ops.drawing import drawn, is_per_sample
from dseq.ops.types import standard
from dseq.program import seeds
from dseq.program.floatx import floatx
from dseq.program.tensor import Tensor, is_tracing


class SeedGenerator:
    """Hands out seeds: each draw that is given the generator gets another one.

    Args:
        seed: Integer, or None to draw one from `dseq.utils.set_random_seed`'s generator.
        name: A name; kept only.
        **kwargs: Must be empty.

    Raises:
        ValueError: If `seed` is no integer.

    Example:
        >>> generator = dseq.random.SeedGenerator(1337)
        >>> first = dseq.random.normal((2,), seed=generator)
        >>> second = dseq.random.normal((2,), seed=generator)  # other numbers
    """

    def __init__(self, seed=None, name=None, **kwargs):
        if kwargs:
            raise ValueError(f"Unrecognized keyword arguments: {kwargs}")
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int | np.integer)):
            raise ValueError(f"Argument `seed` must be an integer. Received: seed={seed!r}")
        self.name = name
        self.seed = seeds.next_seed() if seed is None else int(seed)
        self.count = 0

    def next(self, ordered=True) -> np.ndarray:
        """The next seed, two integers.

        Args:
            ordered: Accepted as in Keras.
        """
        self.count += 1
        return np.array([self.seed % 2**32, self.count - 1], np.uint32)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {"seed": self.seed}

    @classmethod
    def from_config(cls, config) -> "SeedGenerator":
        """A generator with this configuration."""
        return cls(**config)


def _generator(seed) -> np.random.Generator:
    """Where arrays' random numbers come from, for what Keras allows as `seed`."""
    if seed is None:
        return np.random.default_rng(seeds.next_seed())
    if isinstance(seed, SeedGenerator):
        return np.random.default_rng(seed.next())
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer | np.ndarray | list | tuple):
        raise ValueError(
            "Argument `seed` must be either an integer or an instance of `SeedGenerator`. "
            f"Received: seed={seed!r} (of type {type(seed)})"
        )
    return np.random.default_rng(np.asarray(seed, np.int64) % 2**32)


def _number(seed):
    """The part of a seed that picks a stream in a program."""
    if seed is None or isinstance(seed, SeedGenerator):
        return None if seed is None else seed.seed
    return int(_generator(seed).integers(2**31))


def _float_type(dtype):
    kind = standard(dtype or floatx())
    if np.dtype(kind).kind != "f":
        raise ValueError(f"`dtype` must be a float type. Received: dtype={dtype!r}")
    return kind


def _only_arrays(function, shape):
    if is_tracing() or is_per_sample(shape):
        raise ValueError(
            f"`dseq.random.{function}` draws arrays only; in a layer's `call` use `normal`, `uniform`, `randint`, "
            f"`categorical` or `dropout`. Received: shape={shape}"
        )


def normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Normal numbers.

    Args:
        shape: Their shape; in a layer's `call` the first size may be None, for a row for each sample.
        mean: Their mean.
        stddev: Their standard deviation.
        dtype: Their type, one of floats; the default float type if None.
        seed: Integer, `SeedGenerator`, or None.

    Example:
        >>> class Sampling(dseq.layers.Layer):
        ...     def call(self, inputs):
        ...         mean, log_variance = inputs
        ...         noise = dseq.random.normal(dseq.ops.shape(mean))
        ...         return mean + dseq.ops.exp(0.5 * log_variance) * noise
    """
    kind = _float_type(dtype)
    if is_tracing() or is_per_sample(shape):
        return drawn("normal", shape, _number(seed), kind) * stddev + mean
    return _generator(seed).normal(mean, stddev, shape).astype(kind)


def uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    """Numbers that are equally likely anywhere in an interval.

    Args:
        shape: Their shape; in a layer's `call` the first size may be None, for a row for each sample.
        minval: Its lower end.
        maxval: Its upper end, left out.
        dtype: Their type, one of floats; the default float type if None.
        seed: Integer, `SeedGenerator`, or None.
    """
    kind = _float_type(dtype)
    if is_tracing() or is_per_sample(shape):
        return drawn("uniform", shape, _number(seed), kind) * (maxval - minval) + minval
    return _generator(seed).uniform(minval, maxval, shape).astype(kind)


def randint(shape, minval, maxval, dtype="int32", seed=None):
    """Integers that are equally likely.

    Args:
        shape: Their shape; in a layer's `call` the first size may be None, for a row for each sample.
        minval: The least.
        maxval: The upper end, left out.
        dtype: Their type, one of integers.
        seed: Integer, `SeedGenerator`, or None.
    """
    kind = standard(dtype)
    if np.dtype(kind).kind not in "iu":
        raise ValueError(f"`dtype` must be an integer type. Received: dtype={dtype!r}")
    if is_tracing() or is_per_sample(shape):
        steps = ops.floor(drawn("uniform", shape, _number(seed)) * (maxval - minval))
        return ops.cast(ops.minimum(steps, maxval - minval - 1) + minval, kind)
    return _generator(seed).integers(minval, maxval, shape).astype(kind)


def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Normal numbers without those further than two standard deviations from the mean; of arrays only.

    Args:
        shape: Their shape.
        mean: Mean before truncation.
        stddev: Standard deviation before truncation.
        dtype: Their type, one of floats; the default float type if None.
        seed: Integer, `SeedGenerator`, or None.
    """
    _only_arrays("truncated_normal", shape)
    values = np.reshape(_truncated(_generator(seed), np.atleast_1d(shape)), shape)
    return (mean + stddev * values).astype(_float_type(dtype))


def categorical(logits, num_samples, dtype="int32", seed=None):
    """Numbers of classes, drawn with given probabilities.

    Args:
        logits: Logarithms of the unscaled probabilities, of shape (batch, classes).
        num_samples: How many to draw for each row.
        dtype: Their type, one of integers.
        seed: Integer, `SeedGenerator`, or None.

    Returns:
        Of shape (batch, `num_samples`).
    """
    symbolic = isinstance(logits, Tensor)
    size = ops.shape(logits) if symbolic else np.shape(logits)
    chance = uniform((size[0], num_samples, size[1]), seed=seed)
    # The largest of logits with Gumbel noise has the probabilities of the softmax.
    noise = -ops.log(-ops.log(ops.maximum(chance, 1e-20)) + 1e-20)
    return ops.cast(ops.argmax(ops.expand_dims(logits, 1) + noise, axis=-1), dtype)


def dropout(inputs, rate, noise_shape=None, seed=None):
    """Sets a share of the values to zero and scales the others up, so that the sum is expected to stay.

    Args:
        inputs: Symbolic tensor or array.
        rate: The share, in [0, 1).
        noise_shape: Shape of the decisions; along an axis of 1, one decision serves all. The shape of `inputs` if None.
        seed: Integer, `SeedGenerator`, or None.
    """
    shape = ops.shape(inputs)
    if noise_shape is not None:
        shape = tuple(n if m is None else m for n, m in zip(shape, noise_shape, strict=True))
    kept = ops.cast(uniform(shape, seed=seed) >= rate, floatx())
    return inputs * kept / (1 - rate)


def shuffle(x, axis=0, seed=None):
    """An array with its entries along an axis in random order.

    Args:
        x: Array.
        axis: The axis.
        seed: Integer, `SeedGenerator`, or None.
    """
    _only_arrays("shuffle", np.shape(x))
    return _generator(seed).permutation(np.asarray(x), axis=axis)


def gamma(shape, alpha, dtype=None, seed=None):
    """Numbers of the gamma distribution, of arrays only.

    Args:
        shape: Their shape.
        alpha: Parameter of the shape of the distribution, a number or an array.
        dtype: Their type, one of floats; the default float type if None.
        seed: Integer, `SeedGenerator`, or None.
    """
    _only_arrays("gamma", shape)
    return _generator(seed).gamma(alpha, size=shape).astype(_float_type(dtype))


def beta(shape, alpha, beta, dtype=None, seed=None):
    """Numbers of the beta distribution, of arrays only.

    Args:
        shape: Their shape.
        alpha: First parameter, a number or an array.
        beta: Second parameter.
        dtype: Their type, one of floats; the default float type if None.
        seed: Integer, `SeedGenerator`, or None.
    """
    _only_arrays("beta", shape)
    return _generator(seed).beta(alpha, beta, shape).astype(_float_type(dtype))


def binomial(shape, counts, probabilities, dtype=None, seed=None):
    """Numbers of the binomial distribution, of arrays only.

    Args:
        shape: Their shape.
        counts: Numbers of trials, a number or an array.
        probabilities: The chance of success in one trial.
        dtype: Their type, one of floats; the default float type if None.
        seed: Integer, `SeedGenerator`, or None.
    """
    _only_arrays("binomial", shape)
    counts = np.asarray(counts).astype(np.int64)
    return _generator(seed).binomial(counts, probabilities, shape).astype(_float_type(dtype))


__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "gamma",
    "normal",
    "randint",
    "shuffle",
    "truncated_normal",
    "uniform",
]

"""What layers that draw random numbers share."""

from math import prod

import numpy as np

from dseq.layers.layer import Layer


class Noise(Layer):
    """The base of layers that do something random in training and nothing in inference.

    What they draw is a function of seed, step, layer and the sample's place in the global batch: the number of ranks
    does not change it.

    Args:
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        **kwargs: `name`, `dtype`, as for every layer.
    """

    supports_masking = True

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed

    def stream(self, plan) -> int:
        """The number of the layer's stream in a plan; those of seeded layers lie far above those the plan hands out."""
        return plan.stream() if self.seed is None else 2**20 + int(self.seed) % 2**30


def check_share(name, value):
    """Raises if a layer's argument is not a number in [0, 1].

    Args:
        name: Name of the argument.
        value: What the user gave.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value <= 1:
        raise ValueError(
            f"Invalid value received for argument `{name}`. Expected a float value between 0 and 1. "
            f"Received: {name}={value!r}"
        )


def samples(operand):
    """The operand with a row for each sample, whatever makes up the sample; None stays None."""
    return None if operand is None else operand.reshape((operand.size,))


def shared_decisions(layer, noise_shape, x):
    """Which decision each element of a sample obeys, where one decision serves several.

    Args:
        layer: The layer, for the message.
        noise_shape: Shape of the decisions with the batch axis first; along an axis of 1 one decision serves all, None
            stands for the input's own size.
        x: Operand of the input.

    Returns:
        `(index, count)`: for each element the number of its decision, and how many there are.
    """
    shape = x.shape
    fits = len(noise_shape) == len(shape) + 1 and noise_shape[0] is None
    if not fits or not all(n in (None, 1, size) for n, size in zip(noise_shape[1:], shape, strict=True)):
        raise ValueError(
            f"`noise_shape` of {layer.name!r} must begin with None, then have 1, None or the input's size for each "
            f"axis of its input {(None, *shape)}. Received: noise_shape={noise_shape}"
        )
    decisions = tuple(size if n is None else n for n, size in zip(noise_shape[1:], shape, strict=True))
    count = prod(decisions)
    index = np.broadcast_to(np.arange(count).reshape(decisions), shape).ravel()
    steps = x.size // prod(shape) if prod(shape) else 1  # rows that one sample makes decide each for itself
    return (index + count * np.arange(steps)[:, None]).ravel(), count * steps

"""Dropout."""

from math import prod

import numpy as np

from dseq.kernels.dropout import (
    dropout_backward,
    dropout_forward,
    dropout_shared_backward,
    dropout_shared_forward,
)
from dseq.layers.layer import Layer


class Dropout(Layer):
    """Sets a random share of its input to zero while training, and scales the rest by 1 / (1 - rate).

    What is dropped is a function of seed, step, layer and the sample's place in the global batch: the number of ranks
    does not change it.

    Args:
        rate: Share to drop, in [0, 1].
        noise_shape: Shape of the decisions with the batch axis first; along an axis of 1 one decision serves all.
            None stands for the input's own size.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        **kwargs: `name`, `dtype`, as for every layer.
    """

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        if isinstance(rate, bool) or not isinstance(rate, int | float | np.number) or not 0 <= rate <= 1:
            raise ValueError(f"`rate` of Dropout must be a number in the range [0, 1]. Received: rate={rate!r}")
        super().__init__(**kwargs)
        self.rate = rate
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)
        self.seed = seed

    def lower(self, plan, x):
        if not plan.training or self.rate == 0:
            return x
        y = plan.value("y", x.shape)
        rows = (x.size,)
        row_x, row_y, dx, dy = x.reshape(rows), y.reshape(rows), None, None
        if y.grad is not None:
            dx, dy = x.grad and x.grad.reshape(rows), y.grad.reshape(rows)
        rate = plan.constant(float(self.rate))
        # Streams of seeded layers lie far above those the plan hands out.
        stream = plan.stream() if self.seed is None else 2**20 + int(self.seed) % 2**30
        if self.noise_shape is None:
            plan.forward(dropout_forward, row_y, row_x, rate, plan.clock, stream)
            plan.backward(dropout_backward, dx, dy, rate, plan.clock, stream)
            return y
        # A sample may be several rows, each with decisions of its own.
        shape = (x.rows_per_sample, *self._decisions(x.shape))
        index = np.broadcast_to(np.arange(prod(shape)).reshape(shape), (x.rows_per_sample, *x.shape)).ravel()
        which = plan.constant(index, "int64")
        plan.forward(dropout_shared_forward, row_y, row_x, which, rate, plan.clock, stream, prod(shape))
        plan.backward(dropout_shared_backward, dx, dy, which, rate, plan.clock, stream, prod(shape))
        return y

    def _decisions(self, shape):
        """The noise shape of one sample."""
        noise = self.noise_shape
        fits = len(noise) == len(shape) + 1 and noise[0] is None
        fits = fits and all(n in (None, 1, size) for n, size in zip(noise[1:], shape, strict=True))
        if not fits:
            raise ValueError(
                f"`noise_shape` of {self.name!r} must begin with None, then have 1, None or the input's size for each "
                f"axis of its input {(None, *shape)}. Received: noise_shape={noise}"
            )
        return tuple(size if n is None else n for n, size in zip(noise[1:], shape, strict=True))

"""Multiplicative noise."""

from math import sqrt

from dseq.kernels.noise import scale_noise, scale_noise_backward
from dseq.layers.regularization.noise import Noise, check_share, samples


class GaussianDropout(Noise):
    """Multiplies by normal numbers of mean 1 in training.

    Args:
        rate: A share as in `Dropout`, in [0, 1]: the standard deviation is `sqrt(rate / (1 - rate))`.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If `rate` is not in [0, 1]; if it is 1, when the layer is trained.
    """

    def __init__(self, rate, seed=None, **kwargs):
        check_share("rate", rate)
        super().__init__(seed, **kwargs)
        self.rate = rate

    def lower(self, plan, x):
        if not plan.training or self.rate == 0:
            return x
        below_one(self)
        y = plan.value("y", x.shape)
        stddev, stream = plan.constant(sqrt(self.rate / (1 - self.rate))), self.stream(plan)
        plan.forward(scale_noise, samples(y), samples(x), stddev, plan.clock, stream)
        plan.backward(scale_noise_backward, samples(x.grad), samples(y.grad), stddev, plan.clock, stream)
        return y


def below_one(layer):
    """Raises if nothing would be left of a layer's input."""
    if layer.rate >= 1:
        raise ValueError(
            f"`rate` of {type(layer).__name__} must be below 1 to train. Received: rate={layer.rate} in {layer.name!r}"
        )

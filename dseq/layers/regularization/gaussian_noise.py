"""Additive noise."""

from dseq.kernels.noise import add_noise, pass_on
from dseq.layers.regularization.noise import Noise, check_share, samples
from dseq.program.operand import flat


class GaussianNoise(Noise):
    """Adds normal numbers of mean 0 in training.

    Args:
        stddev: Their standard deviation, in [0, 1].
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If `stddev` is not in [0, 1].
    """

    def __init__(self, stddev, seed=None, **kwargs):
        check_share("stddev", stddev)
        super().__init__(seed, **kwargs)
        self.stddev = stddev

    def lower(self, plan, x):
        if not plan.training or self.stddev == 0:
            return x
        y = plan.value("y", x.shape)
        stddev = plan.constant(float(self.stddev))
        plan.forward(add_noise, samples(y), samples(x), stddev, plan.clock, self.stream(plan))
        plan.backward(pass_on, flat(x.grad), flat(y.grad))
        return y

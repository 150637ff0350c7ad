"""Dropout that keeps mean and variance, for self-normalising networks."""

from dseq.kernels.noise import (
    alpha_dropout_backward,
    alpha_dropout_forward,
    alpha_dropout_shared_backward,
    alpha_dropout_shared_forward,
)
from dseq.layers.regularization.gaussian_dropout import below_one
from dseq.layers.regularization.noise import Noise, check_share, samples, shared_decisions

LOWEST = -1.6732632423543772848170429916717 * 1.0507009873554804934193349852946  # of selu


class AlphaDropout(Noise):
    """Sets a random share of its input to the lowest value of `selu` in training, and scales and shifts all.

    Mean 0 and variance 1 stay what they are (Klambauer et al., 2017).

    Args:
        rate: Share to drop, in [0, 1].
        noise_shape: Shape of the decisions with the batch axis first; along an axis of 1 one decision serves all.
            None stands for the input's own size.
        seed: Integer that picks the layer's stream of random numbers; the run's seed is `dseq.utils.set_random_seed`.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If `rate` is not in [0, 1]; if it is 1, when the layer is trained.
    """

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        check_share("rate", rate)
        super().__init__(seed, **kwargs)
        self.rate = rate
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)

    def lower(self, plan, x):
        if not plan.training or self.rate == 0:
            return x
        below_one(self)
        y = plan.value("y", x.shape)
        a = ((1 - self.rate) * (1 + self.rate * LOWEST**2)) ** -0.5
        b = -a * LOWEST * self.rate
        rate, kept = plan.constant(float(self.rate)), plan.constant(a)
        forward = rate, kept, plan.constant(a * LOWEST + b), plan.constant(b)
        clock, stream = plan.clock, self.stream(plan)
        rows, slopes = (samples(y), samples(x)), (samples(x.grad), samples(y.grad))
        if self.noise_shape is None:
            plan.forward(alpha_dropout_forward, *rows, *forward, clock, stream)
            plan.backward(alpha_dropout_backward, *slopes, rate, kept, clock, stream)
        else:
            index, count = shared_decisions(self, self.noise_shape, x)
            index = plan.constant(index, "int64")
            plan.forward(alpha_dropout_shared_forward, *rows, index, *forward, clock, stream, count)
            plan.backward(alpha_dropout_shared_backward, *slopes, index, rate, kept, clock, stream, count)
        return y

"""RMSprop: gradients divided by the root of a decaying mean of their squares."""

from dseq.kernels import optimizer as kernels
from dseq.optimizers.optimizer import Optimizer


class RMSprop(Optimizer):
    """RMSprop (Hinton 2012): `v = rho * v + (1 - rho) * g ** 2; w -= rate * g / sqrt(v + epsilon)`.

    Args:
        learning_rate: Float, schedule or function without arguments.
        rho: Decay of the mean, a float in [0, 1).
        momentum: What part of the last step is made again.
        epsilon: Float that keeps divisions finite.
        centered: Whether the square of the gradients' mean is subtracted from v.
        weight_decay: How much of each weight is taken away in a step, times the learning rate; None for nothing.
        clipnorm: Largest norm of each weight's gradient; a longer one is shortened to it.
        clipvalue: Largest size of each element of a gradient.
        global_clipnorm: Largest norm of all gradients together. Only one of the three may be given.
        use_ema: Whether to keep a moving average of the weights, which replaces them at the end of `fit`.
        ema_momentum: What the average keeps of itself in a step, in [0, 1].
        ema_overwrite_frequency: Every so many updates the average replaces the weights; None for at the end only.
        loss_scale_factor: What the loss is multiplied by before gradients are computed, and they divided by after.
        gradient_accumulation_steps: Steps whose mean gradient makes one update, at least 2; None for 1.
        name: Name of the optimizer.
        **kwargs: Nothing else.
    """

    def __init__(
        self,
        learning_rate=0.001,
        rho=0.9,
        momentum=0.0,
        epsilon=1e-7,
        centered=False,
        weight_decay=None,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        use_ema=False,
        ema_momentum=0.99,
        ema_overwrite_frequency=None,
        loss_scale_factor=None,
        gradient_accumulation_steps=None,
        name=None,
        **kwargs,
    ):
        super().__init__(
            learning_rate,
            weight_decay,
            clipnorm,
            clipvalue,
            global_clipnorm,
            use_ema,
            ema_momentum,
            ema_overwrite_frequency,
            loss_scale_factor,
            gradient_accumulation_steps,
            name,
            **kwargs,
        )
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered
        self.groups = (("velocity",),)
        if momentum > 0:
            self.groups += (("momentum",),)
        if centered:
            self.groups += (("average_gradient",),)

    @property
    def kernel(self):
        if self.centered:
            return kernels.rmsprop_centered_momentum if self.momentum > 0 else kernels.rmsprop_centered
        return kernels.rmsprop_momentum if self.momentum > 0 else kernels.rmsprop

    def numbers(self, rate, step):
        return rate, self.rho, self.epsilon, self.momentum

    def get_config(self):
        return {
            **super().get_config(),
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }

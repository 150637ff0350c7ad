"""Adam: steps from decaying means of gradients m and of their squares v."""

import math

from dseq.kernels import optimizer as kernels
from dseq.optimizers.optimizer import Optimizer


class Adam(Optimizer):
    """Adam (Kingma and Ba 2014): `w -= rate * sqrt(1 - beta_2 ** t) / (1 - beta_1 ** t) * m / (sqrt(v) + epsilon)`.

    Args:
        learning_rate: Float, schedule or function without arguments.
        beta_1: Decay of the mean of gradients, a float in [0, 1).
        beta_2: Decay of the mean of their squares, a float in [0, 1).
        epsilon: Float that keeps divisions finite.
        amsgrad: Whether v is replaced by its largest value so far.
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
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        amsgrad=False,
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
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad
        self.groups = (("momentum", "velocity"), ("velocity_hat",)) if amsgrad else (("momentum", "velocity"),)

    @property
    def kernel(self):
        return kernels.adam_amsgrad if self.amsgrad else kernels.adam

    def numbers(self, rate, step):
        corrected = rate * math.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        return corrected, 1 - self.beta_1, 1 - self.beta_2, self.epsilon

    def get_config(self):
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }

"""Adadelta: steps as large as the last ones, by running means of squares of both."""

from dseq.kernels import optimizer as kernels
from dseq.optimizers.optimizer import Optimizer


class Adadelta(Optimizer):
    """Adadelta (Zeiler 2012): `a = rho * a + (1 - rho) * g ** 2; step = sqrt(d + epsilon) / sqrt(a + epsilon) * g`,
    `d = rho * d + (1 - rho) * step ** 2; w -= rate * step`.

    Args:
        learning_rate: Float, schedule or function without arguments.
        rho: Decay of the means, a float in [0, 1).
        epsilon: Float that keeps divisions finite.
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

    groups = (("accumulated_grad", "accumulated_delta_var"),)

    def __init__(
        self,
        learning_rate=0.001,
        rho=0.95,
        epsilon=1e-7,
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
        self.epsilon = epsilon

    @property
    def kernel(self):
        return kernels.adadelta

    def numbers(self, rate, step):
        return rate, self.rho, self.epsilon

    def get_config(self):
        return {
            **super().get_config(),
            "rho": self.rho,
            "epsilon": self.epsilon,
        }

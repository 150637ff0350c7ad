"""Lion: steps of one size, in the direction that gradient and momentum agree on."""

from dseq.kernels import optimizer as kernels
from dseq.optimizers.optimizer import Optimizer


class Lion(Optimizer):
    """Lion (Chen et al. 2023): `w -= rate * sign(beta_1 * m + (1 - beta_1) * g); m = beta_2 * m + (1 - beta_2) * g`.

    Args:
        learning_rate: Float, schedule or function without arguments.
        beta_1: Share of the momentum in the step, a float in (0, 1].
        beta_2: Decay of the momentum, a float in [0, 1).
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

    groups = (("momentum",),)

    def __init__(
        self,
        learning_rate=0.001,
        beta_1=0.9,
        beta_2=0.99,
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
        if beta_1 <= 0 or beta_1 > 1:
            raise ValueError(f"`beta_1` must be in the range (0, 1]. Received: beta_1={beta_1}")
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

    @property
    def kernel(self):
        return kernels.lion

    def numbers(self, rate, step):
        return rate, self.beta_1, self.beta_2

    def get_config(self):
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
        }

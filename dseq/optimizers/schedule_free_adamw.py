"""ScheduleFreeAdamW: Adam without a schedule, by averaging what plain steps lead to."""

from dseq.kernels import optimizer as kernels
from dseq.optimizers.optimizer import Optimizer


class ScheduleFreeAdamW(Optimizer):
    """Schedule-free AdamW (Defazio et al. 2024): plain steps `z -= rate * g / (sqrt(v / (1 - beta_2 ** t)) + epsilon)`,
    their mean x over all steps, and weights `(1 - beta_1) * z + beta_1 * x` between the two. z is saved as `momentum`.

    Args:
        learning_rate: Float, schedule or function without arguments.
        beta_1: Share of the mean in the weights, a float in (0, 1].
        beta_2: Decay of the mean of squares, a float in [0, 1).
        epsilon: Float that keeps divisions finite.
        warmup_steps: Steps over which the rate grows from 0, in a straight line.
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

    groups = (("momentum", "velocity"),)

    def __init__(
        self,
        learning_rate=0.0025,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        warmup_steps=0,
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
        self.warmup_steps = warmup_steps

    @property
    def kernel(self):
        return kernels.schedule_free

    def _make_state(self):
        super()._make_state()
        for variable in self._layout.variables:
            start, stop = self._layout.span(variable)
            self.slots["momentum"][start:stop] = variable.array.reshape(-1)

    def numbers(self, rate, step):
        if self.warmup_steps > 0:
            rate *= min(step / self.warmup_steps, 1.0)
        # In the first step z begins at the weights, which may have been set since the optimizer was built.
        return rate, step == 1, self.beta_1, 1 - self.beta_2, 1 - self.beta_2**step, self.epsilon, 1 / step

    def get_config(self):
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "warmup_steps": self.warmup_steps,
        }

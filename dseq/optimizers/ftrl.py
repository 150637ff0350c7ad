"""FTRL: steps from sums over all gradients, with penalties that make weights exactly zero."""

from dseq.kernels import optimizer as kernels
from dseq.optimizers.optimizer import Optimizer


class Ftrl(Optimizer):
    """FTRL, "follow the regularized leader" (McMahan et al. 2013), for shallow models of many sparse features:
    with `n' = n + g ** 2` and `q = n' ** -power`, `z += g + 2 * shrinkage * w - (q - n ** -power) / rate * w`, then
    `w = (clip(z, -l1, l1) - z) / (q / rate + 2 * (l2 + beta / (2 * rate)))`.

    Args:
        learning_rate: Float, schedule or function without arguments.
        learning_rate_power: The power, a float <= 0; 0 for steps that do not become smaller.
        initial_accumulator_value: What n begins with, a float >= 0.
        l1_regularization_strength: The l1, a float >= 0.
        l2_regularization_strength: The l2, a float >= 0.
        l2_shrinkage_regularization_strength: The shrinkage, a float >= 0: a penalty on the size of weights.
        beta: The paper's beta, a float.
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

    Raises:
        ValueError: If a strength or the initial value is negative, or the power positive.
    """

    groups = (("accumulator", "linear"),)

    def __init__(
        self,
        learning_rate=0.001,
        learning_rate_power=-0.5,
        initial_accumulator_value=0.1,
        l1_regularization_strength=0.0,
        l2_regularization_strength=0.0,
        l2_shrinkage_regularization_strength=0.0,
        beta=0.0,
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
        for argument, value in (
            ("initial_accumulator_value", initial_accumulator_value),
            ("l1_regularization_strength", l1_regularization_strength),
            ("l2_regularization_strength", l2_regularization_strength),
            ("l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength),
        ):
            if value < 0.0:
                raise ValueError(f"`{argument}` needs to be positive or zero. Received: {argument}={value}.")
        if learning_rate_power > 0.0:
            raise ValueError(
                "`learning_rate_power` needs to be negative or zero. Received: "
                f"learning_rate_power={learning_rate_power}."
            )
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
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta

    @property
    def kernel(self):
        return kernels.ftrl if self.learning_rate_power == -0.5 else kernels.ftrl_power

    def first_value(self, slot):
        return self.initial_accumulator_value if slot == "accumulator" else 0.0

    def numbers(self, rate, step):
        # A rate of 0 has no meaning here: as in Keras, NaN comes of it.
        ridge = 2 * (self.l2_regularization_strength + (self.beta / (2 * rate) if rate else 0.0))
        shrink = 2 * self.l2_shrinkage_regularization_strength
        return rate, self.l1_regularization_strength, ridge, shrink, -self.learning_rate_power

    def get_config(self):
        return {
            **super().get_config(),
            "learning_rate_power": self.learning_rate_power,
            "initial_accumulator_value": self.initial_accumulator_value,
            "l1_regularization_strength": self.l1_regularization_strength,
            "l2_regularization_strength": self.l2_regularization_strength,
            "l2_shrinkage_regularization_strength": self.l2_shrinkage_regularization_strength,
            "beta": self.beta,
        }

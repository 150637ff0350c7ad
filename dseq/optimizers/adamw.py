"""AdamW: Adam whose weights also shrink in each step."""

from dseq.optimizers.adam import Adam


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019): first `w -= w * weight_decay * rate`, then Adam.

    Args:
        learning_rate: Float, schedule or function without arguments.
        weight_decay: How much of each weight is taken away in a step, times the learning rate; a float.
        beta_1: Decay of the mean of gradients, a float in [0, 1).
        beta_2: Decay of the mean of their squares, a float in [0, 1).
        epsilon: Float that keeps divisions finite.
        amsgrad: Whether v is replaced by its largest value so far.
        clipnorm: Not supported yet.
        clipvalue: Not supported yet.
        global_clipnorm: Not supported yet.
        use_ema: Not supported yet.
        ema_momentum: For `use_ema`.
        ema_overwrite_frequency: For `use_ema`.
        loss_scale_factor: Not supported yet.
        gradient_accumulation_steps: Not supported yet.
        name: Name of the optimizer.
        **kwargs: Nothing else.

    Raises:
        ValueError: If `weight_decay` is None.
    """

    def __init__(
        self,
        learning_rate=0.001,
        weight_decay=0.004,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        amsgrad=False,
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
        if weight_decay is None:
            raise ValueError("Argument `weight_decay` must be a float. Received: weight_decay=None")
        super().__init__(
            learning_rate,
            beta_1,
            beta_2,
            epsilon,
            amsgrad,
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

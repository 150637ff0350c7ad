"""Gradient descent, plain or with momentum: w -= rate * g, or m = momentum * m - rate * g; w += m."""

from dseq.kernels import optimizer as kernels
from dseq.optimizers.optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent.

    Args:
        learning_rate: Float, schedule or function without arguments.
        momentum: Float in [0, 1]: what part of the last step is made again.
        nesterov: Whether momentum is applied ahead of the gradient: w += momentum * m - rate * g.
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
        learning_rate=0.01,
        momentum=0.0,
        nesterov=False,
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
        if not isinstance(momentum, float) or not 0 <= momentum <= 1:
            raise ValueError(f"`momentum` must be a float between [0, 1]. Received: momentum={momentum}")
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
        self.momentum = momentum
        self.nesterov = nesterov
        self.groups = (("momentum",),) if momentum else ()

    @property
    def kernel(self):
        if not self.momentum:
            return kernels.sgd
        return kernels.nesterov if self.nesterov else kernels.momentum

    def numbers(self, rate, step):
        return rate, self.momentum

    def get_config(self):
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "nesterov": self.nesterov,
        }

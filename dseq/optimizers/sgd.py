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

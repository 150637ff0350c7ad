"""LARS: gradient descent whose step is, for each weight, a part of the weight's length."""

import re

from dseq.kernels import layerwise as kernels
from dseq.kernels.clip import clip_into, square_sum
from dseq.optimizers.layout import CHUNK
from dseq.optimizers.optimizer import Optimizer


class LARS(Optimizer):
    """LARS, layer-wise adaptive rate scaling (You, Gitman and Ginsburg 2017, "Large Batch Training of Convolutional
    Networks"), for large batches. It is dseq's own: Keras has none. For each weight w with gradient g,
    `ratio = trust_coefficient * norm(w) / (norm(g) + weight_decay * norm(w) + epsilon)`, or 1 if a norm is 0;
    `m = momentum * m + rate * ratio * (g + weight_decay * w); w -= m`.

    Weight decay is a part of the gradient here, as in the paper, and not taken from the weight before the update.

    Args:
        learning_rate: Float, schedule or function without arguments.
        momentum: What part of the last step is made again, a float in [0, 1].
        trust_coefficient: How large a step is for the weight it changes.
        epsilon: Float that keeps divisions finite.
        nesterov: Whether momentum is applied ahead of the gradient.
        exclude_from_adaptation: List of regular expressions; weights in whose path one is found have ratio 1. None or
            empty for none, as in the paper; `["bias", "gamma", "beta"]` is common.
        weight_decay: What part of a weight is added to its gradient; None for nothing.
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
        ValueError: If `momentum` is not in [0, 1].
    """

    whole_weights = True
    decays_apart = False
    groups = (("momentum",),)

    def __init__(
        self,
        learning_rate=0.01,
        momentum=0.9,
        trust_coefficient=0.001,
        epsilon=1e-9,
        nesterov=False,
        exclude_from_adaptation=None,
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
        if not 0 <= momentum <= 1:
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
        self.trust_coefficient = trust_coefficient
        self.epsilon = epsilon
        self.nesterov = nesterov
        self.exclude_from_adaptation = list(exclude_from_adaptation or [])

    def kind(self, variable):
        fixed = any(re.search(pattern, variable.path) for pattern in self.exclude_from_adaptation)
        return self._excluded(variable), fixed

    def row(self, kind, rate, step):
        excluded, fixed = kind
        decay = 0.0 if excluded else self.weight_decay or 0.0
        trust = 0.0 if fixed else self.trust_coefficient
        return decay, rate, self.momentum, trust, self.epsilon, float(self.nesterov)

    def weight_calls(self, part):
        memory, found = self.memory, []
        gradient = memory.scratch("direction", min(part.p.size, CHUNK))
        weights, sums = (memory.scratch(name, -(-part.p.size // CHUNK), "float64") for name in ("weights", "steps"))
        ratio = memory.scratch("ratio", 1, "float64")
        for k, piece in enumerate(part.chunks()):
            x = gradient[: piece.p.size]
            found.append((clip_into, (x, piece.g, part.clip)))
            found.append((square_sum, (sums[k : k + 1], x, memory.lanes)))
            found.append((square_sum, (weights[k : k + 1], piece.p, memory.lanes)))
        found.append((kernels.lars_ratio, (ratio, weights, sums, part.hyper)))
        found.append((kernels.lars, (part.p, part.g, part.slots["momentum"], ratio, part.hyper, part.clip)))
        return found

    def get_config(self):
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "trust_coefficient": self.trust_coefficient,
            "epsilon": self.epsilon,
            "nesterov": self.nesterov,
            "exclude_from_adaptation": self.exclude_from_adaptation,
        }

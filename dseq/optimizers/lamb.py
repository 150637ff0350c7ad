"""Lamb: Adam whose step is, for each weight, as long as the weight."""

from dseq.kernels import layerwise as kernels
from dseq.kernels.clip import square_sum
from dseq.optimizers.layout import CHUNK
from dseq.optimizers.optimizer import Optimizer


class Lamb(Optimizer):
    """Lamb (You et al. 2019), for large batches: with Adam's direction r, bias-corrected m over root of v plus
    epsilon, each weight changes by `rate * norm(w) / norm(r) * r`; by `rate * r` if one of the norms is 0.

    Args:
        learning_rate: Float, schedule or function without arguments.
        beta_1: Decay of the mean of gradients, a float in [0, 1).
        beta_2: Decay of the mean of their squares, a float in [0, 1).
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

    whole_weights = True
    groups = (("momentum", "velocity"),)

    def __init__(
        self,
        learning_rate=0.001,
        beta_1=0.9,
        beta_2=0.999,
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
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def numbers(self, rate, step):
        corrections = 1 - self.beta_1**step, 1 - self.beta_2**step
        return rate, 1 - self.beta_1, 1 - self.beta_2, self.epsilon, *corrections

    def weight_calls(self, part):
        memory, found = self.memory, []
        direction = memory.scratch("direction", min(part.p.size, CHUNK))
        weights, steps = (memory.scratch(name, -(-part.p.size // CHUNK), "float64") for name in ("weights", "steps"))
        ratio = memory.scratch("ratio", 1, "float64")
        for k, piece in enumerate(part.chunks()):
            u, slots = direction[: piece.p.size], piece.slots.values()
            found.append((kernels.lamb_direction, (u, piece.g, *slots, part.hyper, part.clip)))
            found.append((square_sum, (steps[k : k + 1], u, memory.lanes)))
            found.append((square_sum, (weights[k : k + 1], piece.p, memory.lanes)))
        found.append((kernels.lamb_ratio, (ratio, weights, steps, part.hyper)))
        found.append((kernels.lamb, (part.p, *part.slots.values(), ratio, part.hyper, part.clip)))
        return found

    def get_config(self):
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }

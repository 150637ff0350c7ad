"""Muon: momentum made orthogonal, for the matrices of hidden layers; Adam for all other weights."""

import math
import re

from dseq.kernels import muon as kernels
from dseq.kernels import optimizer as element_kernels
from dseq.optimizers.optimizer import Optimizer


class Muon(Optimizer):
    """Muon (Jordan 2024; Liu et al. 2025). A matrix changes by `rate * rms_rate * sqrt(max(n, m))` times what five
    Newton-Schulz iterations make of its momentum: a matrix of the same singular vectors with singular values near 1.

    Weights that have not two axes, embeddings, and weights named in `exclude_layers`, best the output layer's, are
    updated by Adam.

    Args:
        learning_rate: Float, schedule or function without arguments.
        adam_beta_1: Adam's decay of the mean of gradients.
        adam_beta_2: Adam's decay of the mean of their squares.
        adam_weight_decay: `weight_decay` of the weights that Adam updates; None for nothing.
        epsilon: Adam's float that keeps divisions finite.
        weight_decay: How much of a matrix is taken away in a step, times the learning rate; None for nothing.
        clipnorm: Largest norm of each weight's gradient; a longer one is shortened to it.
        clipvalue: Largest size of each element of a gradient.
        global_clipnorm: Largest norm of all gradients together. Only one of the three may be given.
        use_ema: Whether to keep a moving average of the weights, which replaces them at the end of `fit`.
        ema_momentum: What the average keeps of itself in a step, in [0, 1].
        ema_overwrite_frequency: Every so many updates the average replaces the weights; None for at the end only.
        loss_scale_factor: What the loss is multiplied by before gradients are computed, and they divided by after.
        gradient_accumulation_steps: Steps whose mean gradient makes one update, at least 2; None for 1.
        name: Name of the optimizer.
        exclude_layers: List of regular expressions; weights in whose path one is found are updated by Adam.
        exclude_embeddings: Whether weights with "embedding" in their path are.
        muon_a: The iteration's factor of x.
        muon_b: The iteration's factor of `x x' x`.
        muon_c: The iteration's factor of `x x' x x' x`.
        adam_lr_ratio: Adam's learning rate over Muon's.
        momentum: What the momentum keeps of itself in a step.
        ns_steps: Number of iterations.
        nesterov: Whether the gradient is added once more.
        rms_rate: Factor that makes rate and decay those of Adam; None for steps without it and without the root.
        **kwargs: Nothing else.

    Example:
        >>> model.compile(dseq.optimizers.Muon(1e-3, exclude_layers=["output"]), "sparse_categorical_crossentropy")
    """

    whole_weights = True
    groups = (("momentum", "velocity"),)

    def __init__(
        self,
        learning_rate=0.001,
        adam_beta_1=0.9,
        adam_beta_2=0.999,
        adam_weight_decay=0.004,
        epsilon=1e-7,
        weight_decay=0.004,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        use_ema=False,
        ema_momentum=0.99,
        ema_overwrite_frequency=None,
        loss_scale_factor=None,
        gradient_accumulation_steps=None,
        name=None,
        exclude_layers=None,
        exclude_embeddings=True,
        muon_a=3.4445,
        muon_b=-4.7750,
        muon_c=2.0315,
        adam_lr_ratio=1,
        momentum=0.95,
        ns_steps=5,
        nesterov=True,
        rms_rate=0.2,
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
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = epsilon
        self.exclude_layers = exclude_layers or []
        self.exclude_embeddings = exclude_embeddings
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate

    def _should_use_adamw(self, variable):
        if len(variable.shape) != 2 or (self.exclude_embeddings and "embedding" in variable.path.lower()):
            return True
        return any(re.search(pattern, variable.path) for pattern in self.exclude_layers)

    def kind(self, variable):
        longest = None if self._should_use_adamw(variable) else max(variable.shape)
        return self._excluded(variable), longest

    def decay(self, kind, rate):
        excluded, longest = kind
        share = self.adam_weight_decay if longest is None else self.weight_decay
        return 0.0 if excluded else rate * (share or 0.0)

    def row(self, kind, rate, step):
        decay, longest = self.decay(kind, rate), kind[1]
        if longest is None:
            first, second = self.adam_beta_1, self.adam_beta_2
            rate *= self.adam_lr_ratio * math.sqrt(1 - second**step) / (1 - first**step)
            return decay, rate, 1 - first, 1 - second, self.epsilon
        if self.rms_rate is not None:
            rate *= math.sqrt(longest) * self.rms_rate
        return decay, rate, self.momentum, float(self.nesterov), self.muon_a, self.muon_b, self.muon_c

    def _slot_variables(self):
        found = []
        for variable in self._layout.variables:
            names = ("momentum", "velocity") if self._should_use_adamw(variable) else ("momentum",)
            found += [self._layout.part(self.slots[slot], variable, slot, self.name) for slot in names]
        return found

    def weight_calls(self, part):
        if self._should_use_adamw(part.variable):
            slots = part.slots["momentum"], part.slots["velocity"]
            return [(element_kernels.adam, (part.p, part.g, *slots, part.hyper, part.clip))]
        memory, shape, hyper, clip = self.memory, part.variable.shape, part.hyper, part.clip
        short, long = min(shape), max(shape)
        flat, y, z = (memory.scratch(name, part.p.size) for name in ("step", "iterate", "product"))
        y, z = y.reshape(short, long), z.reshape(short, long)
        a, b = (memory.scratch(name, short * short).reshape(short, short) for name in ("square", "power"))
        found = [(kernels.muon_momentum, (flat, part.g, part.slots["momentum"], hyper, clip))]
        measuring, squares = memory.square_sums(flat, "steps")
        found += measuring
        found.append((kernels.normalise, (y, flat.reshape(shape), squares, clip)))
        found += [(kernels.newton_schulz, (y, z, a, b, hyper, clip))] * self.ns_steps
        found.append((kernels.muon, (part.p.reshape(shape), y, flat.reshape(shape), hyper, clip)))
        return found

    def get_config(self):
        names = (
            "adam_beta_1", "adam_beta_2", "epsilon", "exclude_layers", "muon_a", "muon_b", "muon_c", "adam_lr_ratio",
            "momentum", "ns_steps", "nesterov", "exclude_embeddings", "adam_weight_decay", "rms_rate",
        )  # fmt: skip
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

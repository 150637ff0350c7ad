"""Adafactor: gradients divided by the root of means of squares that are kept for rows and columns only."""

from math import prod

import numpy as np

from dseq.kernels import adafactor as kernels
from dseq.optimizers.optimizer import Optimizer
from dseq.program.variable import Variable


class Adafactor(Optimizer):
    """Adafactor (Shazeer and Stern 2018). For weights of two and more axes, r and c are decaying means of
    `g ** 2 + epsilon_1` along the last two, and v is `r / mean(r) * c`; for others v is such a mean itself. With
    `u = g / sqrt(v)` and `a = min(rate, 1 / sqrt(t))` the step is
    `max(epsilon_2, rms(w)) * a * u / max(1, rms(u) / clip_threshold)`. Means keep `1 - t ** beta_2_decay` of
    themselves.

    Args:
        learning_rate: Float, schedule or function without arguments.
        beta_2_decay: The power of t, a float < 0.
        epsilon_1: Float added to squares of gradients.
        epsilon_2: Smallest length of a weight that counts.
        clip_threshold: Root mean square to which u is shortened.
        relative_step: Whether a learning rate that is a number is at most `1 / sqrt(t)`.
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
    groups = (("velocity",),)

    def __init__(
        self,
        learning_rate=0.001,
        beta_2_decay=-0.8,
        epsilon_1=1e-30,
        epsilon_2=1e-3,
        clip_threshold=1.0,
        relative_step=True,
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
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def numbers(self, rate, step):
        # What Keras makes of `relative_step` is what it does in any case: the rate is at most 1 / sqrt(t).
        fresh = step**self.beta_2_decay
        return min(rate, step**-0.5), self.epsilon_1, self.epsilon_2, fresh, self.clip_threshold

    def _make_state(self):
        super()._make_state()
        self._rows, self._columns = [], []
        for v in self._layout.variables:
            shapes = (v.shape[:-1], v.shape[:-2] + v.shape[-1:]) if len(v.shape) > 1 else ((), ())
            dtype = v.dtype if len(v.shape) > 1 else "int32"  # Keras keeps the place of what vectors do not have
            for found, shape in zip((self._rows, self._columns), shapes, strict=True):
                found.append(Variable(np.zeros(shape), dtype, v.name, f"{self.name}/{v.name}", trainable=False))

    def _slot_variables(self):
        found = []
        for v, r, c in zip(self._layout.variables, self._rows, self._columns, strict=True):
            found += [r, c, self._layout.part(self.slots["velocity"], v, "velocity", self.name)]
        return found

    @property
    def variables(self):
        # Files of Keras hold v. For weights with factors nobody needs it before: it takes no time in a step, and no
        # memory until it is asked for.
        for i, v in enumerate(self._layout.variables if self.built and self.step_count else ()):
            if len(v.shape) > 1:
                r, c = self._rows[i].array, self._columns[i].array
                with np.errstate(invalid="ignore"):
                    share = r / r.mean(-1, keepdims=True)
                self._part_variables[3 * i + 2].array[...] = np.nan_to_num(share[..., None] * c[..., None, :])
        return super().variables

    def weight_calls(self, part):
        memory, shape = self.memory, part.variable.shape
        p, g, v = part.p, part.g, part.slots["velocity"]
        found, weights = memory.square_sums(p, "weights")
        if len(shape) < 2:
            u = memory.scratch("direction", p.size)
            squares, steps = memory.square_sums(u, "steps")
            found.append((kernels.plain_moments, (u, v, g, part.hyper, part.clip)))
            found += squares
            found.append((kernels.plain, (p, v, g, weights, steps, part.hyper, part.clip)))
            return found
        b, (n, m) = prod(shape[:-2]), shape[-2:]
        i = self._layout.index(part.variable)
        r, c = self._rows[i].array.reshape(b, n), self._columns[i].array.reshape(b, m)
        p, g = p.reshape(b, n, m), g.reshape(b, n, m)
        columns, steps = memory.scratch("columns", m, "float64"), memory.scratch("steps", 1, "float64")
        roots = memory.scratch("roots", m)
        found.append((kernels.factored_moments, (r, c, g, columns, part.hyper, part.clip)))
        found.append((kernels.factored_squares, (steps, r, c, g, roots, part.clip)))
        found.append((kernels.factored, (p, r, c, g, roots, weights, steps, part.hyper, part.clip)))
        return found

    def get_config(self):
        return {
            **super().get_config(),
            "beta_2_decay": self.beta_2_decay,
            "epsilon_1": self.epsilon_1,
            "epsilon_2": self.epsilon_2,
            "clip_threshold": self.clip_threshold,
            "relative_step": self.relative_step,
        }

"""Learning rates that follow half a cosine, once or again and again."""

import math

from dseq.optimizers.schedules.learning_rate_schedule import LearningRateSchedule, number, plain, positive_steps


class CosineDecay(LearningRateSchedule):
    """Half a cosine down to `alpha` times where it began, after an optional warm-up in a straight line.

    Args:
        initial_learning_rate: Float; where the warm-up begins, or the decay if there is none.
        decay_steps: Steps of the decay, positive, after those of the warm-up.
        alpha: What part of the rate is left in the end.
        name: Name.
        warmup_target: Where the warm-up ends and the decay begins; None for no warm-up.
        warmup_steps: Steps of the warm-up.

    Raises:
        ValueError: If `decay_steps` is not positive.
    """

    def __init__(
        self,
        initial_learning_rate,
        decay_steps,
        alpha=0.0,
        name="CosineDecay",
        warmup_target=None,
        warmup_steps=0,
    ):
        positive_steps("decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.alpha = alpha
        self.name = name
        self.warmup_steps = warmup_steps
        self.warmup_target = warmup_target

    def __call__(self, step):
        step = number(step)
        first, before = float(self.initial_learning_rate), 0
        if self.warmup_target is not None:
            target, before = float(self.warmup_target), self.warmup_steps
            if step < before:
                return (target - first) * (step / before) + first
            first = target
        part = min(step - before, self.decay_steps) / self.decay_steps
        return first * ((1 - self.alpha) * 0.5 * (1 + math.cos(math.pi * part)) + self.alpha)

    def get_config(self):
        return {
            "initial_learning_rate": plain(self.initial_learning_rate),
            "decay_steps": self.decay_steps,
            "alpha": self.alpha,
            "name": self.name,
            "warmup_target": plain(self.warmup_target),
            "warmup_steps": self.warmup_steps,
        }


class CosineDecayRestarts(LearningRateSchedule):
    """Half a cosine after the other (Loshchilov and Hutter 2016): each `t_mul` times as long, `m_mul` times as high.

    Args:
        initial_learning_rate: Float.
        first_decay_steps: Steps of the first, positive.
        t_mul: Float.
        m_mul: Float.
        alpha: What part of the rate is left at the end of each.
        name: Name.

    Raises:
        ValueError: If `first_decay_steps` is not positive.
    """

    def __init__(self, initial_learning_rate, first_decay_steps, t_mul=2.0, m_mul=1.0, alpha=0.0, name="SGDRDecay"):
        positive_steps("first_decay_steps", first_decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = first_decay_steps
        self._t_mul = t_mul
        self._m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def __call__(self, step):
        step = number(step)
        part, length = step / self.first_decay_steps, self._t_mul
        if length == 1.0:
            turn = math.floor(part)
            part -= turn
        else:
            through = 1 - part * (1 - length)
            turn = math.floor(math.log(through) / math.log(length))
            turn += through >= length ** (turn + 1)  # where logarithms round down at the beginning of a turn
            part = (part - (1 - length**turn) / (1 - length)) / length**turn
        height = self._m_mul**turn * 0.5 * (1 + math.cos(math.pi * part))
        return float(self.initial_learning_rate) * ((1 - self.alpha) * height + self.alpha)

    def get_config(self):
        return {
            "initial_learning_rate": plain(self.initial_learning_rate),
            "first_decay_steps": self.first_decay_steps,
            "t_mul": self._t_mul,
            "m_mul": self._m_mul,
            "alpha": self.alpha,
            "name": self.name,
        }

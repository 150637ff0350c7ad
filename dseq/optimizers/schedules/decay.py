"""Learning rates that become smaller: exponentially, in stages, as a polynomial, as 1 / t."""

import math

from dseq.optimizers.schedules.learning_rate_schedule import LearningRateSchedule, number, plain, positive_steps


class ExponentialDecay(LearningRateSchedule):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: Float.
        decay_steps: Steps in which the rate is multiplied by `decay_rate` once, positive.
        decay_rate: Float.
        staircase: Whether only whole multiples of `decay_steps` count.
        name: Name.

    Raises:
        ValueError: If `decay_steps` is not positive.
    """

    def __init__(self, initial_learning_rate, decay_steps, decay_rate, staircase=False, name="ExponentialDecay"):
        positive_steps("decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step):
        step = number(step)
        turns = step / self.decay_steps
        return float(self.initial_learning_rate) * self.decay_rate ** (math.floor(turns) if self.staircase else turns)

    def get_config(self):
        return {
            "initial_learning_rate": plain(self.initial_learning_rate),
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


class PiecewiseConstantDecay(LearningRateSchedule):
    """`values[0]` up to and including step `boundaries[0]`, `values[1]` up to `boundaries[1]`, and so on.

    Args:
        boundaries: List of rising steps.
        values: List of floats, one more than boundaries.
        name: Name.

    Raises:
        ValueError: If there is not one more value than boundaries.

    Example:
        >>> rate = PiecewiseConstantDecay([100_000, 110_000], [1.0, 0.5, 0.1])
        >>> rate(100_000), rate(100_001)
        (1.0, 0.5)
    """

    def __init__(self, boundaries, values, name="PiecewiseConstant"):
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                "The length of boundaries should be 1 less than the length of values. Received: "
                f"boundaries={boundaries} of length {len(boundaries)}, and values={values} of length {len(values)}."
            )
        self.boundaries = boundaries
        self.values = values
        self.name = name

    def __call__(self, step):
        step = number(step)
        passed = sum(step > int(b) if isinstance(step, int) else step > b for b in self.boundaries)
        return float(self.values[passed])

    def get_config(self):
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}


class PolynomialDecay(LearningRateSchedule):
    """From `initial_learning_rate` to `end_learning_rate` in `decay_steps`: their difference times
    `(1 - step / decay_steps) ** power`.

    Args:
        initial_learning_rate: Float.
        decay_steps: Steps of the decay, positive.
        end_learning_rate: Float.
        power: Float; 1.0 for a straight line.
        cycle: Whether the rate begins anew, over as many times `decay_steps` as it takes to lie beyond the step.
        name: Name.

    Raises:
        ValueError: If `decay_steps` is not positive.
    """

    def __init__(
        self,
        initial_learning_rate,
        decay_steps,
        end_learning_rate=0.0001,
        power=1.0,
        cycle=False,
        name="PolynomialDecay",
    ):
        positive_steps("decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step):
        step = number(step)
        steps, end = self.decay_steps, float(self.end_learning_rate)
        if self.cycle:
            steps *= max(1, math.ceil(step / steps))
        part = min(step, steps) / steps
        return (float(self.initial_learning_rate) - end) * (1 - part) ** self.power + end

    def get_config(self):
        return {
            "initial_learning_rate": plain(self.initial_learning_rate),
            "decay_steps": self.decay_steps,
            "end_learning_rate": plain(self.end_learning_rate),
            "power": self.power,
            "cycle": self.cycle,
            "name": self.name,
        }


class InverseTimeDecay(LearningRateSchedule):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: Float.
        decay_steps: How often the decay is applied, positive.
        decay_rate: Float.
        staircase: Whether only whole multiples of `decay_steps` count.
        name: Name.

    Raises:
        ValueError: If `decay_steps` is not positive.
    """

    def __init__(self, initial_learning_rate, decay_steps, decay_rate, staircase=False, name="InverseTimeDecay"):
        positive_steps("decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step):
        step = number(step)
        turns = step / self.decay_steps
        turns = math.floor(turns) if self.staircase else turns
        return float(self.initial_learning_rate) / (1 + self.decay_rate * turns)

    def get_config(self):
        return {
            "initial_learning_rate": plain(self.initial_learning_rate),
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }

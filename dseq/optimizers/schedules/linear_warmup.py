"""Learning rates for large batches: scaled with the batch, and reached gradually."""

from dseq.optimizers.schedules.learning_rate_schedule import LearningRateSchedule, number, plain


class LinearWarmup(LearningRateSchedule):
    """A rate times `scale`, to which the first steps lead in a straight line; dseq's own.

    A batch that is k times as large is trained with a rate k times as high (Goyal et al. 2017, "Accurate, Large
    Minibatch SGD: Training ImageNet in 1 Hour"), since it makes k times fewer steps. At the beginning, where weights
    change fast, that is too high: the rate grows from that of the small batch to k times that over some epochs.

    Args:
        learning_rate: Float, or schedule of steps counted from the beginning of training: the small batch's rate.
        warmup_steps: Steps of the way up; 0 for none.
        scale: The k; 1.0 for a mere warm-up.
        initial_learning_rate: Where the first step begins. None: the small batch's rate if `scale` is larger than 1,
            as Goyal et al. do, else 0.
        name: Name.

    Raises:
        ValueError: If `warmup_steps` is negative.

    Example:
        >>> per_node = 64  # the batch for which 0.1 was found; 8 nodes train with batch_size=512
        >>> rate = LinearWarmup(PiecewiseConstantDecay([30_000, 60_000], [0.1, 0.01, 0.001]), 2_500, scale=512 / 64)
        >>> rate(0), rate(1_250), rate(2_500)
        (0.1, 0.45, 0.8)
        >>> optimizer = dseq.optimizers.SGD(rate, momentum=0.9)
    """

    def __init__(self, learning_rate, warmup_steps, scale=1.0, initial_learning_rate=None, name="LinearWarmup"):
        if warmup_steps < 0:
            raise ValueError(f"Argument `warmup_steps` must be >= 0. Received: warmup_steps={warmup_steps}")
        self.learning_rate = learning_rate
        self.warmup_steps = warmup_steps
        self.scale = scale
        self.initial_learning_rate = initial_learning_rate
        self.name = name

    def _rate(self, step):
        rate = self.learning_rate
        return float(rate(step)) if callable(rate) else float(rate)

    def __call__(self, step):
        step = number(step)
        if step >= self.warmup_steps:
            return self.scale * self._rate(step)
        first = self.initial_learning_rate
        if first is None:
            first = self._rate(0) if self.scale > 1 else 0.0
        first = float(first)
        return first + (self.scale * self._rate(self.warmup_steps) - first) * (step / self.warmup_steps)

    def get_config(self):
        from dseq.optimizers.schedules import serialize

        rate = self.learning_rate
        return {
            "learning_rate": serialize(rate) if callable(rate) else plain(rate),
            "warmup_steps": self.warmup_steps,
            "scale": self.scale,
            "initial_learning_rate": plain(self.initial_learning_rate),
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        from dseq.optimizers.schedules import deserialize

        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = deserialize(config["learning_rate"])
        return cls(**config)

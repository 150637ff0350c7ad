"""The base of learning-rate schedules, those of users among them."""


class LearningRateSchedule:
    """A learning rate that depends on the number of steps made so far.

    Subclasses implement `__call__(step)` with plain Python numbers, and `get_config` if models that use them are saved.

    Example:
        >>> class Halving(dseq.optimizers.schedules.LearningRateSchedule):
        ...     def __init__(self, initial_learning_rate):
        ...         self.initial_learning_rate = initial_learning_rate
        ...
        ...     def __call__(self, step):
        ...         return self.initial_learning_rate * 0.5 ** (step // 1000)
        >>> optimizer = dseq.optimizers.SGD(learning_rate=Halving(0.1))
    """

    def __call__(self, step):
        """The learning rate of a step, counted from 0."""
        raise NotImplementedError(
            f"Learning rate schedule '{type(self).__name__}' must override `__call__(self, step)`."
        )

    def get_config(self) -> dict:
        """The constructor's arguments."""
        raise NotImplementedError(
            f"Learning rate schedule '{type(self).__name__}' must override `get_config()` in order to be serializable."
        )

    @classmethod
    def from_config(cls, config):
        """The schedule with this configuration."""
        return cls(**config)


def positive_steps(name, value):
    """Raises unless a number of steps is positive."""
    if value <= 0:
        raise ValueError(f"Argument `{name}` must be > 0. Received: {name}={value}")


def number(step):
    """A step as a Python number, also of a variable or an array of one element."""
    step = getattr(step, "array", step)
    return step.item() if hasattr(step, "item") else step


def plain(value):
    """A number as configurations hold it: a variable's value as a float."""
    return float(value) if hasattr(value, "assign") else value

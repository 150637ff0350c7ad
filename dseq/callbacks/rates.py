"""The learning rate of a model's optimizer, for callbacks that change it or write it down."""

import numpy as np


def optimizer_of(model, kind):
    """The optimizer whose learning rate counts.

    Args:
        model: The model.
        kind: Name of the callback, for the message.

    Raises:
        ValueError: If there is none with a learning rate.
    """
    optimizer = getattr(model, "optimizer", None)
    # One that scales the loss hands steps on to another.
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if not hasattr(optimizer, "learning_rate"):
        raise ValueError(
            f'{kind} needs a model whose optimizer has a "learning_rate" attribute. Received: optimizer={optimizer!r}'
        )
    return optimizer


def learning_rate(optimizer) -> float:
    """The learning rate of the next step, as a number.

    Args:
        optimizer: An optimizer.
    """
    return float(np.asarray(optimizer.learning_rate))

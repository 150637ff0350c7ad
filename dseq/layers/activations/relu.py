"""The rectifier as a layer."""

from dseq import activations
from dseq.layers.layer import Layer


class ReLU(Layer):
    """Rectified linear unit.

    `x` between `threshold` and `max_value`, `max_value` above, `negative_slope * (x - threshold)` below.

    Args:
        max_value: Largest output, at least 0; None for no limit.
        negative_slope: Slope below the threshold, at least 0.
        threshold: Where the unit begins to be active, at least 0.
        **kwargs: `name`, `dtype`, as for every layer.
    """

    def __init__(self, max_value=None, negative_slope=0.0, threshold=0.0, **kwargs):
        if max_value is not None and max_value < 0:
            raise ValueError(f"`max_value` of a ReLU layer cannot be negative. Received: max_value={max_value}")
        if negative_slope is None or negative_slope < 0:
            raise ValueError(f"`negative_slope` of a ReLU layer cannot be negative. Received: {negative_slope}")
        if threshold is None or threshold < 0:
            raise ValueError(f"`threshold` of a ReLU layer cannot be negative. Received: threshold={threshold}")
        super().__init__(**kwargs)
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold

    def lower(self, plan, x):
        chosen = activations.relu.with_parameters(self.negative_slope, self.max_value, self.threshold)
        return activations.lower(plan, chosen, x)

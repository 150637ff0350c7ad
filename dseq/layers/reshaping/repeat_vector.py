"""A vector repeated."""

from dseq.kernels.reshape import repeat_backward, repeat_forward
from dseq.layers.layer import Layer


class RepeatVector(Layer):
    """Repeats a vector n times.

    Args:
        n: Positive integer, how often.
        **kwargs: `name`, `dtype`, as for every layer.

    Input shape:
        `(batch, features)`.

    Output shape:
        `(batch, n, features)`.
    """

    def __init__(self, n, **kwargs):
        if not isinstance(n, int) or isinstance(n, bool):
            raise TypeError(f"`n` of RepeatVector must be an integer. Received: n={n!r} (of type {type(n).__name__})")
        if n <= 0:
            raise ValueError(f"`n` of RepeatVector must be positive. Received: n={n}")
        super().__init__(**kwargs)
        self.n = n
        self.require(ndim=2)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.n, input_shape[1])

    def lower(self, plan, x):
        y = plan.value("y", (self.n, *x.shape))
        plan.forward(repeat_forward, y, x)
        plan.backward(repeat_backward, x.grad, y.grad)
        return y

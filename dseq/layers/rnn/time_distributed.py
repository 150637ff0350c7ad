"""One layer for every step of a sequence."""

from dseq.layers.core.wrapper import Wrapper


class TimeDistributed(Wrapper):
    """Applies a layer, or a model, to each step of its input: axis 1 counts the steps.

    All steps of all samples run at once, as so many rows. They are the same to the layer but in two respects: Dropout
    drops anew in each step, and normalisation over the batch is over the steps too.

    Args:
        layer: The layer.
        **kwargs: `name`, `dtype`, as for every layer.

    Input shape:
        `(batch, steps, ...)`.

    Output shape:
        `(batch, steps, ...)`, behind the steps what the layer makes of one step.

    Example:
        >>> x = dseq.Input((20, 784))
        >>> dseq.layers.TimeDistributed(dseq.layers.Dense(10))(x).shape
        (None, 20, 10)
    """

    takes_any_type = True

    def build(self, input_shape):
        self.check_steps(input_shape)
        self.build_inside((input_shape[0], *input_shape[2:]))
        self.require(min_ndim=3)

    def check_steps(self, shape):
        """Raises if a full shape has no axis of steps."""
        if not isinstance(shape, tuple | list) or len(shape) < 3:
            raise ValueError(
                "`TimeDistributed` Layer should be passed an `input_shape` with at least 3 dimensions, "
                f"received: {tuple(shape)} in {self.name!r}"
            )

    def compute_output_shape(self, input_shape):
        self.check_steps(input_shape)
        shape = self.layer.output_shapes([(input_shape[0], *input_shape[2:])])[0]
        return (shape[0], input_shape[1], *shape[1:])

    def output_kinds(self, count):
        return self.layer.output_kinds(count)

    def lower(self, plan, x):
        steps = x.shape[0]
        with plan.folded(steps):
            (y,) = self.layer.lower_into(plan, [x.reshape(x.shape[1:])])
        if not y.per_row:
            raise ValueError(
                f"The layer inside `TimeDistributed` must make something of each sample. Received: {self.layer.name!r} "
                f"in {self.name!r}, whose output of shape {y.shape} has no batch axis."
            )
        return y.reshape((steps, *y.shape))

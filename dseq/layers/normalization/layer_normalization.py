"""Layer normalisation."""

from math import prod

from dseq.layers.normalization.affine import Affine, sample_axes, with_axes_last
from dseq.layers.normalization.rows import normalize_rows


class LayerNormalization(Affine):
    """Gives each sample's features mean 0 and variance 1, then a factor and an offset that are learned.

    Args:
        axis: Axis, or list of axes, that are normalised together, counted with the batch axis.
        epsilon: Number added to the variance.
        center: Whether there is an offset `beta`, with one element for each that is normalised.
        scale: Whether there is a factor `gamma`, of the same shape.
        beta_initializer: Initializer of the offset.
        gamma_initializer: Initializer of the factor.
        beta_regularizer: Regularizer of the offset, or None.
        gamma_regularizer: Regularizer of the factor, or None.
        beta_constraint: Constraint of the offset, or None.
        gamma_constraint: Constraint of the factor, or None.
        **kwargs: `name`, `trainable`, `dtype`, as for every layer.

    Raises:
        TypeError: If `axis` is no integer and no list of them.

    Example:
        >>> dseq.layers.LayerNormalization(epsilon=0.0)(np.array([[1.0, 3.0], [20.0, 40.0]])).tolist()
        [[-1.0, 1.0], [-1.0, 1.0]]
    """

    def __init__(
        self,
        axis=-1,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        beta_regularizer=None,
        gamma_regularizer=None,
        beta_constraint=None,
        gamma_constraint=None,
        **kwargs,
    ):
        if kwargs.pop("rms_scaling", False):
            raise ValueError(
                "`rms_scaling=True` is deprecated in Keras and scales by the variance. Use "
                "`dseq.layers.RMSNormalization` instead. Received: rms_scaling=True"
            )
        if not isinstance(axis, int | list | tuple):
            raise TypeError(f"Expected an int or a list/tuple of ints for the argument 'axis', but received: {axis!r}")
        super().__init__(
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        self.axis = axis if isinstance(axis, int) else list(axis)
        self.epsilon = epsilon

    def build(self, input_shape):
        sample_axes(self, self.axis, input_shape[1:])
        self.axis = [self.axis] if isinstance(self.axis, int) else sorted(self.axis)
        shape = sized(self, input_shape, self.axis)
        self.add_affine(shape)
        self.require(ndim=len(input_shape), axes={axis: input_shape[axis] for axis in self.axis})

    def lower(self, plan, x):
        axes = sample_axes(self, self.axis, x.shape)

        def lower(x):
            return normalize_rows(plan, x, len(axes), self.gamma, self.beta, self.epsilon, centred=True)

        return with_axes_last(plan, x, axes, lower)


def sized(layer, input_shape, axes) -> tuple:
    """The sizes of axes, which must be known.

    Args:
        layer: The layer, for the message.
        input_shape: Full shape of its input.
        axes: List of axes.
    """
    shape = tuple(input_shape[axis] for axis in axes)
    if None in shape or prod(shape) == 0:
        raise ValueError(
            f"The axes that {layer.name!r} normalises must have a size. Received: input shape {tuple(input_shape)}, "
            f"axis={axes}"
        )
    return shape

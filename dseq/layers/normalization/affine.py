"""What layers that scale and shift normalised values share: their weights gamma and beta, and their axes."""

from dseq import constraints, initializers, regularizers
from dseq.layers.layer import Layer
from dseq.layers.reshaping.permute import permuted


class Affine(Layer):
    """The base of layers with a factor `gamma` and an offset `beta`.

    Args:
        center: Whether there is an offset.
        scale: Whether there is a factor.
        beta_initializer: Initializer of the offset.
        gamma_initializer: Initializer of the factor.
        beta_regularizer: Regularizer of the offset, or None.
        gamma_regularizer: Regularizer of the factor, or None.
        beta_constraint: Constraint of the offset, or None.
        gamma_constraint: Constraint of the factor, or None.
        **kwargs: `name`, `trainable`, `dtype`, as for every layer.
    """

    supports_masking = True

    def __init__(
        self,
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
        super().__init__(**kwargs)
        self.center = bool(center)
        self.scale = bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma = self.beta = None

    def add_affine(self, shape) -> None:
        """Makes the weights that are wanted.

        Args:
            shape: Their shape.
        """
        for name, wanted in (("gamma", self.scale), ("beta", self.center)):
            if wanted:
                options = {what: getattr(self, f"{name}_{what}") for what in ("regularizer", "constraint")}
                setattr(self, name, self.add_weight(shape, getattr(self, f"{name}_initializer"), name=name, **options))

    def compute_output_shape(self, input_shape):
        check_axes(self, self.axis, input_shape)
        return tuple(input_shape)


def check_axes(layer, axis, shape) -> None:
    """Raises if an axis of a layer is not one of its input's.

    Args:
        layer: The layer.
        axis: Axis or list of axes, counted with the batch axis.
        shape: Full shape of the input.
    """
    for each in axis if isinstance(axis, list | tuple) else [axis]:
        if not -len(shape) <= each < len(shape):
            raise ValueError(
                f"Axis {each} is out of bounds for input shape {tuple(shape)} of {layer.name!r}. Received: axis={axis}"
            )


def sample_axes(layer, axis, shape) -> list:
    """Axes of a sample, sorted and counted without the batch axis.

    Args:
        layer: The layer, for messages.
        axis: Axis or list of axes, counted with the batch axis.
        shape: Shape of a sample.

    Raises:
        ValueError: If one is not an axis of the input, or is that of the samples.
    """
    full = (None, *shape)
    check_axes(layer, axis, full)
    axes = sorted({each % len(full) for each in (axis if isinstance(axis, list | tuple) else [axis])})
    if not axes or axes[0] == 0:
        raise ValueError(
            f"`axis` of {layer.name!r} cannot be that of the samples, 0. Received: axis={axis} for input shape {full}"
        )
    return [each - 1 for each in axes]


def with_axes_last(plan, x, axes, lower):
    """Calls `lower` on an operand whose given axes are the last, and puts the result's axes back in order.

    Args:
        plan: The `Plan`.
        x: An operand.
        axes: Sorted axes of a sample.
        lower: Function of an operand that gives one of the same shape.
    """
    count = len(x.shape)
    if axes == list(range(count - len(axes), count)):
        return lower(x)
    order = [a for a in range(count) if a not in axes] + list(axes)
    y = lower(permuted(plan, x, [a + 1 for a in order]))
    return permuted(plan, y, [order.index(a) + 1 for a in range(count)])

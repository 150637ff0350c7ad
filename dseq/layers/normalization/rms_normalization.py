"""Normalisation by the root mean square."""

from dseq.layers.layer import Layer
from dseq.layers.normalization.affine import check_axes, sample_axes, with_axes_last
from dseq.layers.normalization.layer_normalization import sized
from dseq.layers.normalization.rows import normalize_rows


class RMSNormalization(Layer):
    """Divides each sample's features by their root mean square, and multiplies them by a factor that is learned.

    Args:
        axis: Axis, or list of axes, that are normalised together, counted with the batch axis.
        epsilon: Number added to the mean square.
        **kwargs: `name`, `trainable`, `dtype`, as for every layer.

    Example:
        >>> dseq.layers.RMSNormalization(epsilon=0.0)(np.array([[3.0, 3.0], [-2.0, 2.0]])).tolist()
        [[1.0, 1.0], [-1.0, 1.0]]
    """

    supports_masking = True

    def __init__(self, axis=-1, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis if isinstance(axis, int) else list(axis)
        self.epsilon = epsilon
        self.scale = None

    def build(self, input_shape):
        sample_axes(self, self.axis, input_shape[1:])
        self.axis = [self.axis] if isinstance(self.axis, int) else sorted(self.axis)
        self.scale = self.add_weight(sized(self, input_shape, self.axis), "ones", name="scale")
        self.require(ndim=len(input_shape), axes={axis: input_shape[axis] for axis in self.axis})

    def compute_output_shape(self, input_shape):
        check_axes(self, self.axis, input_shape)
        return tuple(input_shape)

    def lower(self, plan, x):
        axes = sample_axes(self, self.axis, x.shape)

        def lower(x):
            return normalize_rows(plan, x, len(axes), self.scale, None, self.epsilon, centred=False)

        return with_axes_last(plan, x, axes, lower)

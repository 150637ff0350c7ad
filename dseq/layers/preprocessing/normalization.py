"""Features shifted and scaled by the statistics of a data set."""

from itertools import chain
from math import prod

import numpy as np

from dseq.kernels.batch_norm import (
    fixed_table,
    frozen_channels_backward,
    frozen_columns_backward,
    normalize_channels,
    normalize_columns,
)
from dseq.kernels.epilogue import NONE
from dseq.layers.layer import Layer
from dseq.layers.normalization.affine import with_axes_last
from dseq.layers.preprocessing.statistics import first_of, is_array, moments_of
from dseq.program.floatx import epsilon
from dseq.program.operand import flat

WIDTH = 256  # elements that rows of few features are put together to


class Normalization(Layer):
    """Takes the mean from each feature and divides by its standard deviation.

    Both come from data (`adapt`, on all ranks at once) or are given.

    Args:
        axis: Axis, or tuple of axes, whose places have statistics of their own, counted with the batch axis; None for
            one mean and variance of everything.
        mean: The mean, a number or an array that broadcasts to the sizes of these axes; needs `variance`.
        variance: The variance, likewise.
        invert: Whether to undo it: multiply by the standard deviation and add the mean.
        **kwargs: `name`, `dtype`, as for every layer.

    Raises:
        ValueError: If only one of `mean` and `variance` is given, or their shapes do not fit.

    Example:
        >>> layer = dseq.layers.Normalization()
        >>> layer.adapt(np.array([[0.0, 7.0, 4.0], [2.0, 9.0, 6.0], [0.0, 7.0, 4.0], [2.0, 9.0, 6.0]]))
        >>> layer(np.array([[0.0, 7.0, 4.0]])).tolist()
        [[-1.0, -1.0, -1.0]]
    """

    supports_masking = True

    def __init__(self, axis=-1, mean=None, variance=None, invert=False, **kwargs):
        super().__init__(**kwargs)
        self.axis = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        if (mean is None) != (variance is None):
            raise ValueError(
                "When setting values directly, both `mean` and `variance` must be set. "
                f"Received: mean={mean} and variance={variance}"
            )
        if np.shape(mean) != np.shape(variance):
            raise ValueError(
                "When setting values directly, `mean` and `variance` must have the same shape. "
                f"Received: mean shape {np.shape(mean)} and variance shape {np.shape(variance)}"
            )
        if mean is not None and np.ndim(mean) > len(self.axis):
            raise ValueError(
                f"The rank of `mean` must be less than or equal to the number of axes ({len(self.axis)}). "
                f"Received: mean shape {np.shape(mean)} for axis {self.axis}"
            )
        self.input_mean = mean
        self.input_variance = variance
        self.invert = bool(invert)
        self.adapt_mean = self.adapt_variance = self.count = None

    def build(self, input_shape):
        ndim = len(input_shape)
        if any(not -ndim <= axis < ndim for axis in self.axis):
            raise ValueError(
                f"All `axis` values must be in the range [-ndim, ndim). Received inputs with ndim={ndim}, while "
                f"axis={self.axis}"
            )
        self._kept = sorted(axis % ndim for axis in self.axis)
        for axis in self._kept:
            if axis == 0 or input_shape[axis] is None:
                raise ValueError(
                    f"All `axis` values to be kept must have a known shape. Received axis={self.axis}, "
                    f"inputs.shape={tuple(input_shape)}, with unknown axis at index {axis}"
                )
        self._shape = tuple(input_shape[axis] for axis in self._kept)
        self._broadcast = [n if axis in self._kept else 1 for axis, n in enumerate(input_shape)]
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(self._shape, "zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(self._shape, "ones", trainable=False, name="variance")
            self.count = self.add_weight((), "zeros", dtype="int32", trainable=False, name="count")  # as files have it
        else:
            # Axes are aligned from the right, as NumPy does.
            self._given = [
                np.array(np.broadcast_to(np.asarray(value, np.float64), self._shape))
                for value in (self.input_mean, self.input_variance)
            ]
        self.require(ndim=ndim, axes={axis: input_shape[axis] for axis in self._kept})

    def adapt(self, data) -> None:
        """Sets mean and variance to those of data. On several ranks all call it, and each reads a part.

        Args:
            data: Array, or anything that has a shape and can be sliced by rows, as a data set of an open HDF5 file; or
                an iterable of batches, arrays or tuples that begin with one.

        Raises:
            ValueError: If there are no data, or they do not fit what the layer was built for.
            TypeError: If the data are something else.
        """
        if not is_array(data):
            data, shape = _begun(data)
        else:
            shape = tuple(data.shape)
        if not self.built:
            self.build((None, *shape[1:]))
        self._check(shape)
        if self.input_mean is not None:
            raise ValueError(
                f"`adapt` sets mean and variance, which {self.name!r} was given. Received: mean={self.input_mean}. "
                "Leave out `mean` and `variance`."
            )
        over = tuple(axis for axis in range(len(shape)) if axis not in self._kept)
        mean, variance = moments_of(data, self._shape, over, self._check)
        self.adapt_mean.assign(mean)
        self.adapt_variance.assign(variance)

    def _check(self, shape):
        fits = len(shape) == len(self._broadcast)
        if not fits or any(shape[axis] != self._broadcast[axis] for axis in self._kept):
            raise ValueError(
                f"The layer was built for inputs with sizes {self._shape} at axes {self._kept}, but adapt() is being "
                f"called with data with an incompatible shape. Received: data.shape={tuple(shape)}"
            )

    @property
    def mean(self):
        """The mean, with an axis of 1 where there is one for all; None before the layer is built."""
        return self._statistic(self.adapt_mean, 0)

    @property
    def variance(self):
        """The variance, likewise."""
        return self._statistic(self.adapt_variance, 1)

    def _statistic(self, weight, which):
        if not self.built:
            return None
        values = self._given[which] if weight is None else weight.numpy()
        return values.reshape(self._broadcast).astype(self.dtype)

    def lower(self, plan, x):
        axes = [axis - 1 for axis in self._kept]
        if axes and axes != list(range(axes[0], axes[-1] + 1)):
            return with_axes_last(plan, x, axes, lambda x: self._lower_along(plan, x, len(x.shape) - len(axes)))
        return self._lower_along(plan, x, axes[0] if axes else len(x.shape))

    def _lower_along(self, plan, x, first):
        """The layer where the axes with statistics lie side by side, from the first on."""
        count, behind = prod(self._shape), prod(x.shape[first + len(self._kept) :])
        last = behind == 1
        width = count * max(1, WIDTH // max(count, 1)) if last else count
        if self.adapt_mean is None:
            mean, variance = (plan.constant(values.ravel(), "float64") for values in self._given)
        else:
            mean, variance = flat(self.adapt_mean), flat(self.adapt_variance)
        table = plan.value("table", (3, width), plan.dtype, shared=True)
        least = plan.constant(epsilon(), "float64")
        plan.forward(fixed_table, table, mean, variance, least, int(self.invert))
        y = plan.value("y", x.shape)
        view = (count,) if last else (count, behind)
        row_x, row_y = x.reshape(view), y.reshape(view)
        plan.forward(normalize_columns if last else normalize_channels, row_y, row_x, table, NONE)
        plan.backward(frozen_columns_backward if last else frozen_channels_backward, row_x.grad, row_y.grad, table)
        return y

    def get_config(self):
        given = {"mean": self.input_mean, "variance": self.input_variance}
        return super().get_config() | {name: np.array(value).tolist() for name, value in given.items()}


def _begun(data):
    """An iterable of batches, and the shape of the first."""
    if not hasattr(data, "__iter__") and not hasattr(data, "__getitem__"):
        raise TypeError(f"`adapt` takes arrays and iterables of batches. Received: {type(data)}")
    batches = iter(data[i] for i in range(len(data))) if not hasattr(data, "__iter__") else iter(data)
    batch = next(batches, None)
    if batch is None:
        raise ValueError(
            "adapt() received an empty iterable (no batches). Pass an array, or an iterable of one array or more."
        )
    array = first_of(batch)
    if np.ndim(array) == 0:
        raise TypeError(f"adapt() expects an iterable that yields arrays. Received: an element {array!r}")
    return chain([batch], batches), np.shape(array)

"""Batch normalisation, over the global batch of all ranks."""

from math import inf, prod

import numpy as np

from dseq import initializers
from dseq.kernels import batch_norm as kernels
from dseq.kernels import moments as statistics
from dseq.kernels.epilogue import NONE
from dseq.layers.normalization.affine import Affine, sample_axes
from dseq.program.floatx import epsilon as small
from dseq.program.operand import Operand, flat

WIDTH = 256  # elements that rows of few channels are put together to


class BatchNormalization(Affine):
    """Gives each channel mean 0 and variance 1 over the batch, then a factor and an offset that are learned.

    In training the statistics are those of the batch, and moving averages follow them; in inference, and when the layer
    is frozen (`trainable = False`), the moving averages are used. Masked steps do not count.

    The batch is the global one, of all ranks: their number does not change the result. It costs two short sums over
    ranks in the forward pass and one in the backward pass; `synchronized=False` saves them, and takes each rank's
    statistics from its own rows.

    Args:
        axis: Axis of the channels, counted with the batch axis.
        momentum: Share of the moving averages that is kept in each step.
        epsilon: Number added to the variance.
        center: Whether there is an offset `beta`.
        scale: Whether there is a factor `gamma`.
        beta_initializer: Initializer of the offset.
        gamma_initializer: Initializer of the factor.
        moving_mean_initializer: Initializer of the moving mean.
        moving_variance_initializer: Initializer of the moving variance.
        beta_regularizer: Regularizer of the offset, or None.
        gamma_regularizer: Regularizer of the factor, or None.
        beta_constraint: Constraint of the offset, or None.
        gamma_constraint: Constraint of the factor, or None.
        renorm: Whether values are corrected towards slowly moving statistics (batch renormalisation).
        renorm_clipping: Dict of bounds of these corrections, `rmax`, `rmin` and `dmax`, none of which must be there.
        renorm_momentum: Share of the slowly moving statistics that is kept in each step.
        synchronized: None or True: statistics of the global batch. False: of each rank's rows, whose number then
            changes the result; the moving averages follow the mean over ranks.
        **kwargs: `name`, `trainable`, `dtype`, as for every layer.

    Example:
        >>> x = np.array([[1.0, 10.0], [3.0, 30.0]])
        >>> dseq.layers.BatchNormalization(epsilon=0.0)(x, training=True).tolist()
        [[-1.0, -1.0], [1.0, 1.0]]
    """

    def __init__(
        self,
        axis=-1,
        momentum=0.99,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        moving_mean_initializer="zeros",
        moving_variance_initializer="ones",
        beta_regularizer=None,
        gamma_regularizer=None,
        beta_constraint=None,
        gamma_constraint=None,
        renorm=False,
        renorm_clipping=None,
        renorm_momentum=0.99,
        synchronized=None,
        **kwargs,
    ):
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
        self.axis = int(axis)
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.renorm = bool(renorm)
        self.renorm_clipping = renorm_clipping
        self.renorm_momentum = float(renorm_momentum)
        self.synchronized = None if synchronized is None else bool(synchronized)
        self.moving_mean = self.moving_variance = None
        if self.renorm:
            self._limits = _limits(renorm_clipping or {})

    def build(self, input_shape):
        (axis,) = sample_axes(self, self.axis, input_shape[1:])
        channels = input_shape[axis + 1]
        if channels is None:
            raise ValueError(
                f"Axis {self.axis} of the input of {self.name!r} must have a size. Received: {tuple(input_shape)}"
            )
        shape = (channels,)
        self.add_affine(shape)

        def moving(name, initializer):
            return self.add_weight(shape, initializer, trainable=False, name=name)

        def first_stddev(shape, dtype=None):
            return np.sqrt(_clone(self.moving_variance_initializer)(shape, dtype=dtype))

        self.moving_mean = moving("moving_mean", self.moving_mean_initializer)
        self.moving_variance = moving("moving_variance", self.moving_variance_initializer)
        if self.renorm:
            self.moving_stddev = moving("moving_stddev", first_stddev)
            self.renorm_mean = moving("renorm_mean", _clone(self.moving_mean_initializer))
            self.renorm_stddev = moving("renorm_stddev", first_stddev)
        self.require(ndim=len(input_shape), axes={self.axis: channels})

    def lower(self, plan, x):
        (axis,) = sample_axes(self, self.axis, x.shape)
        c, behind = x.shape[axis], prod(x.shape[axis + 1 :])
        run = _Run(self, plan, c, behind)
        y = plan.value("y", x.shape)
        shape = (c,) if behind == 1 else (c, behind)
        rows_x, rows_y = x.reshape(shape), y.reshape(shape)
        if plan.training and self.trainable:
            mask = self._mask(x, behind)
            run.statistics_of(rows_x, mask)
            run.settle()
            run.normalize(rows_y, rows_x)
            run.backward(rows_x, rows_y, mask)
        else:
            run.use_moving()
            run.normalize(rows_y, rows_x)
            run.backward_frozen(rows_x, rows_y)
        return y

    def _mask(self, x, behind):
        """The mask of rows, or None."""
        if x.mask is None:
            return None
        if len(x.mask.shape) != len(x.shape) - 1 or behind != 1:
            raise ValueError(
                "The mask provided should be one dimension less than the inputs, whose channels come last. Received: "
                f"mask.shape={(None, *x.mask.shape)}, inputs.shape={(None, *x.shape)}, axis={self.axis} in "
                f"{self.name!r}"
            )
        return flat(x.mask)

    def get_config(self):
        config = super().get_config()
        if config["synchronized"] is False:
            config["synchronized"] = 0  # see from_config
        return config

    @classmethod
    def from_config(cls, config):
        # Keras writes False into every configuration, where there is one process: that is the global batch. Statistics
        # of each rank are written as 0, which means the same to Keras.
        if config.get("synchronized") is False:
            config = config | {"synchronized": None}
        return cls(**config)


class _Run:
    """One call of the layer in a plan: the blocks of its statistics, and the calls that fill them.

    Args:
        layer: The layer.
        plan: The `Plan`.
        c: Number of channels.
        behind: Elements of a row behind each channel.
    """

    def __init__(self, layer, plan, c, behind):
        self.layer = layer
        self.plan = plan
        self.c = c
        self.last = behind == 1
        width = c * max(1, WIDTH // max(c, 1)) if self.last else c
        self.batch = self._shared("batch", 3 * c + 1)
        self.table = plan.value("table", (3, width), plan.dtype, shared=True)
        self.scratch = plan.value("scratch", (4, width), "float64", shared=True) if self.last else None
        self.epsilon = plan.constant(layer.epsilon, "float64")
        self.corrections = None
        self.across = layer.synchronized is not False

    def _shared(self, name, *shape):
        return self.plan.value(name, shape, "float64", shared=True)

    def _gradient(self, name, shape, dtype):
        """A block of the backward pass that belongs to no sample and has no value in the forward pass."""
        operand = Operand(f"{self.layer.name}/{name}", shape, "shared_grads", dtype)
        self.plan.blocks.append(operand)
        return operand

    def statistics_of(self, x, mask):
        """The statistics of this batch."""
        plan, c = self.plan, self.c
        moments = self._shared("moments", 2 * c + 1)
        totals, spreads = self._shared("totals", c + 1), self._shared("spreads", c)
        if mask is not None:
            plan.forward(statistics.masked_moments, moments, x, mask)
        elif self.last:
            plan.forward(statistics.column_moments, moments, x, self.scratch)
        else:
            plan.forward(statistics.channel_moments, moments, x)
        plan.forward(statistics.share_means, totals, moments)
        if self.across:
            plan.exchange(totals)
        plan.forward(statistics.share_spreads, spreads, moments, totals)
        if self.across:
            plan.exchange(spreads)
        guard = plan.constant(0.0 if mask is None else small(), "float64")
        plan.forward(statistics.batch_statistics, self.batch, totals, spreads, self.epsilon, guard)
        if self.layer.renorm:
            self.corrections = self._shared("corrections", 2, c)
            slow = self.layer.renorm_mean, self.layer.renorm_stddev
            limits = plan.constant(self.layer._limits, "float64")
            plan.forward(statistics.renorm_corrections, self.corrections, self.batch, *slow, limits, self.epsilon)

    def settle(self):
        """Moving averages follow the statistics after the update."""
        plan, layer, c, batch = self.plan, self.layer, self.c, self.batch
        if not self.across:
            batch, shared = self._shared("average", 3 * c + 1), self._shared("shared", 2 * c + 1)
            plan.forward(statistics.share_statistics, shared, self.batch)
            plan.exchange(shared)
            plan.forward(statistics.average_statistics, batch, shared, self.epsilon)
        momentum = plan.constant(layer.momentum, "float64")
        plan.settle(statistics.follow, layer.moving_mean, batch, 0, momentum)
        if not layer.renorm:
            plan.settle(statistics.follow, layer.moving_variance, batch, c, momentum)
            return
        slowly = plan.constant(layer.renorm_momentum, "float64")
        plan.settle(statistics.follow, layer.renorm_mean, batch, 0, slowly)
        plan.settle(statistics.follow_stddev, layer.renorm_stddev, batch, slowly)
        plan.settle(statistics.follow_stddev, layer.moving_stddev, batch, momentum)
        plan.settle(statistics.variance_of, layer.moving_variance, layer.moving_stddev, self.epsilon)

    def use_moving(self):
        """The moving averages as statistics."""
        moving = self.layer.moving_mean, self.layer.moving_variance
        self.plan.forward(statistics.moving_statistics, self.batch, *moving, self.epsilon)

    def normalize(self, y, x):
        """The output."""
        layer, plan = self.layer, self.plan
        plan.forward(kernels.make_table, self.table, self.batch, layer.gamma, layer.beta, self.corrections)
        plan.forward(kernels.normalize_columns if self.last else kernels.normalize_channels, y, x, self.table, NONE)

    def backward(self, x, y, mask):
        """The gradients in training: the statistics depend on every row."""
        if y.grad is None:
            return
        plan = self.plan
        sums = self._gradient("sums", (2 * self.c,), "float64")
        if x.grad is not None:  # the last calls come first
            pulls = self._gradient("pulls", (2, self.table.shape[1]), plan.dtype)
            parts = x.grad, y.grad, x, self.table, pulls
            if mask is not None:
                plan.backward(kernels.masked_backward, *parts, mask)
            elif self.last:
                plan.backward(kernels.columns_backward, *parts, NONE, first=kernels.columns_write)
            else:
                plan.backward(kernels.channels_backward, *parts)
            plan.backward(kernels.make_pulls, pulls, sums, self.table, self.batch)
            if self.across:
                plan.exchange_backward(sums)
        self._weights_backward(sums, x, y)

    def backward_frozen(self, x, y):
        """The gradients where statistics are constants."""
        if y.grad is None:
            return
        plan = self.plan
        plan.backward(
            kernels.frozen_columns_backward if self.last else kernels.frozen_channels_backward,
            x.grad, y.grad, self.table,
        )  # fmt: skip
        weights = self.layer.gamma, self.layer.beta
        if any(w is not None and w.grad is not None for w in weights):
            self._weights_backward(self._gradient("sums", (2 * self.c,), "float64"), x, y)

    def _weights_backward(self, sums, x, y):
        """The sums over this rank's rows, and from them the gradients of the weights."""
        plan, gamma, beta = self.plan, self.layer.gamma, self.layer.beta
        if gamma is not None and self.corrections is not None:
            plan.backward(kernels.add_corrected_slopes, gamma.grad, sums, self.corrections)
        elif gamma is not None:
            plan.backward(kernels.add_slopes, gamma.grad, sums, self.c)
        if beta is not None:
            plan.backward(kernels.add_slopes, beta.grad, sums, 0)
        if self.last:
            plan.backward(kernels.column_slopes, sums, y.grad, x, self.table, self.batch, self.scratch, NONE)
        else:
            plan.backward(kernels.channel_slopes, sums, y.grad, x, self.batch)


def _limits(clipping):
    """Least and largest r, largest |d|."""
    keys = ["rmax", "rmin", "dmax"]
    if set(clipping) - set(keys):
        raise ValueError(f"Received invalid keys for `renorm_clipping` argument: {clipping}. Supported values: {keys}.")
    rmax, rmin, dmax = (clipping.get(key) for key in keys)
    if rmax is not None and rmin is not None and rmax < rmin:
        raise ValueError(
            f"rmax should be greater than rmin in the `renorm_clipping` argument. Received: rmax={rmax}, rmin={rmin}."
        )
    if dmax is not None and dmax < 0:
        raise ValueError(f"dmax should be non-negative in the `renorm_clipping` argument. Received: dmax={dmax}.")
    return [0.0 if rmin is None else rmin, inf if rmax is None else rmax, inf if dmax is None else dmax]


def _clone(initializer):
    return initializer.clone() if hasattr(initializer, "clone") else initializer

"""Crossentropies and divergences as metrics."""

from dseq import losses
from dseq.metrics.reduction import MeanMetricWrapper


class _LossMean(MeanMetricWrapper):
    _direction = "down"


class BinaryCrossentropy(_LossMean):
    """Mean crossentropy of labels 0 and 1.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.
        from_logits: Whether predictions are logits.
        label_smoothing: Float in [0, 1]: how far labels are moved towards equal probabilities.
    """

    arguments = ("from_logits", "label_smoothing")

    def __init__(self, name="binary_crossentropy", dtype=None, from_logits=False, label_smoothing=0):
        super().__init__(
            losses.BinaryCrossentropy(from_logits=from_logits, label_smoothing=label_smoothing), name, dtype
        )


class CategoricalCrossentropy(_LossMean):
    """Mean crossentropy of one-hot or soft labels.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.
        from_logits: Whether predictions are logits.
        label_smoothing: Float in [0, 1]: how far labels are moved towards equal probabilities.
        axis: Axis of the classes.
    """

    arguments = ("from_logits", "label_smoothing", "axis")

    def __init__(self, name="categorical_crossentropy", dtype=None, from_logits=False, label_smoothing=0, axis=-1):
        super().__init__(
            losses.CategoricalCrossentropy(from_logits=from_logits, label_smoothing=label_smoothing, axis=axis),
            name,
            dtype,
        )


class SparseCategoricalCrossentropy(_LossMean):
    """Mean crossentropy of class numbers.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.
        from_logits: Whether predictions are logits.
        ignore_class: Label of rows that don't count, or None.
        axis: Axis of the classes.
    """

    arguments = ("from_logits", "ignore_class", "axis")

    def __init__(
        self, name="sparse_categorical_crossentropy", dtype=None, from_logits=False, ignore_class=None, axis=-1
    ):
        super().__init__(
            losses.SparseCategoricalCrossentropy(from_logits=from_logits, ignore_class=ignore_class, axis=axis),
            name,
            dtype,
        )


class KLDivergence(_LossMean):
    """Mean Kullback-Leibler divergence of rows.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    def __init__(self, name="kl_divergence", dtype=None):
        super().__init__(losses.KLDivergence(), name, dtype)


class Poisson(_LossMean):
    """Mean Poisson loss.

    Args:
        name: Name of the metric.
        dtype: Float type for arrays.
    """

    def __init__(self, name="poisson", dtype=None):
        super().__init__(losses.Poisson(), name, dtype)

"""Losses as functions of arrays: one value for each sample, and each further axis but the last."""

from dseq.losses import crossentropy, divergence, focal, overlap, regression
from dseq.losses import hinge as hinges
from dseq.losses.ctc import CTC


def mean_squared_error(y_true, y_pred):
    """Mean of `(y_true - y_pred) ** 2` over the last axis."""
    return regression.MeanSquaredError().call(y_true, y_pred)


def mean_absolute_error(y_true, y_pred):
    """Mean of `|y_true - y_pred|` over the last axis."""
    return regression.MeanAbsoluteError().call(y_true, y_pred)


def mean_absolute_percentage_error(y_true, y_pred):
    """Mean of `100 * |y_true - y_pred| / max(|y_true|, epsilon)` over the last axis."""
    return regression.MeanAbsolutePercentageError().call(y_true, y_pred)


def mean_squared_logarithmic_error(y_true, y_pred):
    """Mean of `(log(y_true + 1) - log(y_pred + 1)) ** 2` over the last axis."""
    return regression.MeanSquaredLogarithmicError().call(y_true, y_pred)


def huber(y_true, y_pred, delta=1.0):
    """Half the squared error up to `delta`, linear beyond: the mean over the last axis."""
    return regression.Huber(delta).call(y_true, y_pred)


def log_cosh(y_true, y_pred):
    """Mean of `log(cosh(y_pred - y_true))` over the last axis."""
    return regression.LogCosh().call(y_true, y_pred)


def cosine_similarity(y_true, y_pred, axis=-1):
    """Minus the cosine of the angle between rows."""
    return regression.CosineSimilarity(axis).call(y_true, y_pred)


def kl_divergence(y_true, y_pred):
    """Sum of `y_true * log(y_true / y_pred)` over the last axis."""
    return divergence.KLDivergence().call(y_true, y_pred)


def poisson(y_true, y_pred):
    """Mean of `y_pred - y_true * log(y_pred)` over the last axis."""
    return divergence.Poisson().call(y_true, y_pred)


def hinge(y_true, y_pred):
    """Mean of `max(1 - y_true * y_pred, 0)` over the last axis."""
    return hinges.Hinge().call(y_true, y_pred)


def squared_hinge(y_true, y_pred):
    """Mean of `max(1 - y_true * y_pred, 0) ** 2` over the last axis."""
    return hinges.SquaredHinge().call(y_true, y_pred)


def categorical_hinge(y_true, y_pred):
    """`max(largest wrong - right + 1, 0)` of each row."""
    return hinges.CategoricalHinge().call(y_true, y_pred)


def binary_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """Mean crossentropy of labels 0 and 1 over the last axis."""
    return crossentropy.BinaryCrossentropy(from_logits, label_smoothing, axis).call(y_true, y_pred)


def categorical_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """Crossentropy of one-hot or soft labels."""
    return crossentropy.CategoricalCrossentropy(from_logits, label_smoothing, axis).call(y_true, y_pred)


def sparse_categorical_crossentropy(y_true, y_pred, from_logits=False, ignore_class=None, axis=-1):
    """Crossentropy of class numbers."""
    return crossentropy.SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis).call(y_true, y_pred)


def binary_focal_crossentropy(
    y_true,
    y_pred,
    apply_class_balancing=False,
    alpha=0.25,
    gamma=2.0,
    from_logits=False,
    label_smoothing=0.0,
    axis=-1,
):
    """Binary crossentropy times `(1 - p) ** gamma`, with p the probability of the right answer."""
    loss = focal.BinaryFocalCrossentropy(apply_class_balancing, alpha, gamma, from_logits, label_smoothing, axis)
    return loss.call(y_true, y_pred)


def categorical_focal_crossentropy(
    y_true, y_pred, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, axis=-1
):
    """Categorical crossentropy whose terms are multiplied by `alpha * (1 - p) ** gamma`."""
    loss = focal.CategoricalFocalCrossentropy(alpha, gamma, from_logits, label_smoothing, axis)
    return loss.call(y_true, y_pred)


def categorical_generalized_cross_entropy(y_true, y_pred, q):
    """`(1 - p ** q) / q` with p the probability of the right class."""
    return focal.CategoricalGeneralizedCrossEntropy(q).call(y_true, y_pred)


def dice(y_true, y_pred, axis=None):
    """One minus Dice's coefficient of the elements along `axis`, None for all."""
    return overlap.Dice(axis=axis).call(y_true, y_pred)


def tversky(y_true, y_pred, alpha=0.5, beta=0.5, axis=None):
    """One minus Tversky's index of the elements along `axis`, None for all."""
    return overlap.Tversky(alpha, beta, axis=axis).call(y_true, y_pred)


def ctc(y_true, y_pred):
    """Minus the logarithm of the probability of each label sequence; 0 is the blank class."""
    return CTC().call(y_true, y_pred)

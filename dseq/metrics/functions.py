"""Comparisons as functions of arrays: one value for each row."""

import numpy as np

from dseq.losses.evaluation import evaluate
from dseq.losses.shapes import same_shape
from dseq.metrics import accuracy as matches
from dseq.metrics.correlation import ConcordanceCorrelation, PearsonCorrelation
from dseq.program.floatx import floatx


def _values(metric, y_true, y_pred):
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred, metric.dtype)
    if y_pred.ndim < 2:  # a single row
        return evaluate(metric, y_true[None], y_pred.reshape(1, -1))[0]
    return evaluate(metric, y_true, y_pred)


def binary_accuracy(y_true, y_pred, threshold=0.5):
    """Whether predictions lie on the labels' side of a threshold, 1 or 0 for each."""
    y_pred = np.asarray(y_pred, floatx())
    y_true = np.asarray(y_true).reshape((*same_shape("binary_accuracy", np.shape(y_true), y_pred.shape),))
    return (y_true == (y_pred > threshold)).astype(floatx())


def categorical_accuracy(y_true, y_pred):
    """Whether the largest prediction is the largest label."""
    return _values(matches.CategoricalAccuracy(), y_true, y_pred)


def sparse_categorical_accuracy(y_true, y_pred):
    """Whether the largest prediction is that of the label, a class number."""
    return _values(matches.SparseCategoricalAccuracy(), y_true, y_pred)


def top_k_categorical_accuracy(y_true, y_pred, k=5):
    """Whether the class of one-hot labels is among the k largest predictions."""
    return _values(matches.TopKCategoricalAccuracy(k), y_true, y_pred)


def sparse_top_k_categorical_accuracy(y_true, y_pred, k=5, from_sorted_ids=False):
    """Whether the label, a class number, is among the k largest predictions, or the first k of sorted ids."""
    return _values(matches.SparseTopKCategoricalAccuracy(k, from_sorted_ids=from_sorted_ids), y_true, y_pred)


def pearson_correlation(y_true, y_pred, axis=-1):
    """Pearson's coefficient of correlation along an axis."""
    return _values(PearsonCorrelation(axis=axis), y_true, y_pred)


def concordance_correlation(y_true, y_pred, axis=-1):
    """Lin's coefficient of concordance along an axis."""
    return _values(ConcordanceCorrelation(axis=axis), y_true, y_pred)

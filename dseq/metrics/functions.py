"""Comparisons as functions of arrays: one value for each row."""

import numpy as np

from dseq.losses.loss import evaluate
from dseq.metrics import accuracy as matches


def _values(metric, y_true, y_pred):
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred, metric.dtype)
    if y_pred.ndim < 2:  # a single row
        return evaluate(metric, y_true[None], y_pred.reshape(1, -1))[0]
    return evaluate(metric, y_true, y_pred)


def binary_accuracy(y_true, y_pred, threshold=0.5):
    """Mean over the last axis of whether predictions lie on the labels' side of a threshold."""
    return _values(matches.BinaryAccuracy(threshold=threshold), y_true, y_pred)


def categorical_accuracy(y_true, y_pred):
    """Whether the largest prediction is the largest label."""
    return _values(matches.CategoricalAccuracy(), y_true, y_pred)


def sparse_categorical_accuracy(y_true, y_pred):
    """Whether the largest prediction is that of the label, a class number."""
    return _values(matches.SparseCategoricalAccuracy(), y_true, y_pred)


def top_k_categorical_accuracy(y_true, y_pred, k=5):
    """Whether the class of one-hot labels is among the k largest predictions."""
    return _values(matches.TopKCategoricalAccuracy(k), y_true, y_pred)


def sparse_top_k_categorical_accuracy(y_true, y_pred, k=5):
    """Whether the label, a class number, is among the k largest predictions."""
    return _values(matches.SparseTopKCategoricalAccuracy(k), y_true, y_pred)

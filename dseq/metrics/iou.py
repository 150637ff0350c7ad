"""Intersection over union: how well regions of classes fit."""

import warnings
from math import prod

import numpy as np

from dseq.kernels import confusion as kernels
from dseq.losses.axes import last, sample_axis, without
from dseq.losses.shapes import same_shape
from dseq.metrics.lowered import LoweredMetric, add, room, rows_of
from dseq.program.floatx import epsilon
from dseq.program.operand import flat, matrix


class IoU(LoweredMetric):
    """Mean over some classes of true positives / (true positives + false positives + false negatives).

    Args:
        num_classes: Number of classes.
        target_class_ids: The classes the mean goes over; those that nowhere appear do not count.
        name: Name of the metric.
        dtype: Type of the counts: with the default, an integer type, sample weights are cut to integers.
        ignore_class: Label of what does not count, or None.
        sparse_y_true: Whether labels are class numbers; else they are one-hot.
        sparse_y_pred: Whether predictions are class numbers; else the largest one is the class.
        axis: Axis of the classes where they are not sparse.

    Raises:
        ValueError: If a target class is none of the classes.

    Example:
        >>> IoU(num_classes=2, target_class_ids=[0])([0, 0, 1, 1], [0, 1, 0, 1])
        0.3333...
    """

    _direction = "up"
    takes_numbers = True

    def __init__(
        self,
        num_classes,
        target_class_ids,
        name=None,
        dtype=None,
        ignore_class=None,
        sparse_y_true=True,
        sparse_y_pred=True,
        axis=-1,
    ):
        super().__init__(None if dtype is None or "int" in str(dtype) else dtype, name)
        if dtype is None or "int" in str(dtype):
            self._dtype = "int32" if dtype in (None, "int") else str(dtype)
        if max(target_class_ids) >= num_classes or min(target_class_ids) < 0:
            wrong = max(target_class_ids) if max(target_class_ids) >= num_classes else min(target_class_ids)
            raise ValueError(
                f"Target class id {wrong} is out of range, which is [0, {num_classes}). Received: "
                f"target_class_ids={list(target_class_ids)}"
            )
        self.num_classes = num_classes
        self.target_class_ids = list(target_class_ids)
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        self._allocate(total_confusion_matrix=(num_classes, num_classes))

    @property
    def total_cm(self):
        """The confusion matrix, a row for each label."""
        return self._view("total_confusion_matrix")

    def target(self, y_true_shape, y_pred_shape):
        shape = y_pred_shape
        if not self.sparse_y_pred:
            shape = without(y_pred_shape, sample_axis(self.name, self.axis, y_pred_shape))
        labels = tuple(y_true_shape)
        if not self.sparse_y_true:
            labels = without(labels, sample_axis(self.name, self.axis, labels))
        if self.sparse_y_true and not self.sparse_y_pred and prod(labels) == prod(shape):
            return labels, None
        same_shape(self.name, labels, shape)
        return tuple(y_true_shape), None

    def lower(self, plan, y_true, y_pred, weight, sums):
        labels = flat(y_true) if self.sparse_y_true else self._classes(plan, y_true)
        classes = self._predictions(plan, y_pred)
        counts = room(plan, self, "counts", (self.num_classes, self.num_classes))
        whole = int(np.dtype(self.dtype).kind in "iu")
        args = counts, labels, classes, rows_of(weight, classes.size), self.ignore_class, whole
        plan.forward(kernels.matrix_counts, *args)
        add(plan, sums, counts)

    def _predictions(self, plan, y_pred):
        return flat(y_pred) if self.sparse_y_pred else self._classes(plan, y_pred)

    def _classes(self, plan, x):
        rows = last(plan, x, [sample_axis(self.name, self.axis, x.shape)])
        classes = flat(plan.value(f"{self.name}_classes", (prod(rows.shape[:-1]),), plan.dtype))
        plan.forward(kernels.largest_of_rows, classes, matrix(rows))
        return classes

    def _weights(self, weight, y_pred):
        if weight.dtype.kind == "f" and np.dtype(self.dtype).kind in "iu":
            warnings.warn(
                "You are passing weight as `float`, but dtype is `int`. This may result in an incorrect weight due to "
                "type casting. Consider using integer weights, or dtype='float32'.",
                stacklevel=3,
            )
        shape = y_pred.shape
        if not self.sparse_y_pred:
            shape = (shape[0], *without(shape[1:], sample_axis(self.name, self.axis, shape[1:])))
        if weight.size == prod(shape):
            return weight.reshape(shape)
        weight = weight.reshape(*weight.shape, *[1] * (len(shape) - weight.ndim))
        return np.broadcast_to(weight, shape)

    def result(self):
        matrix_ = self._part("total_confusion_matrix")
        right = np.diag(matrix_)[self.target_class_ids]
        union = (matrix_.sum(0) + matrix_.sum(1))[self.target_class_ids] - right
        appears = union > 1e-9
        shares = np.where(appears, right / (union + epsilon()), 0.0)
        return float(shares.sum() / (appears.sum() + epsilon()))

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "target_class_ids": self.target_class_ids,
            "ignore_class": self.ignore_class,
            "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred,
            "axis": self.axis,
        }


class BinaryIoU(IoU):
    """Intersection over union of two classes, for predictions that are numbers.

    Args:
        target_class_ids: The classes the mean goes over: (0,), (1,) or both.
        threshold: Predictions at least as large are class 1.
        name: Name of the metric.
        dtype: Type of the counts, an integer type if None.
    """

    def __init__(self, target_class_ids=(0, 1), threshold=0.5, name=None, dtype=None):
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def _predictions(self, plan, y_pred):
        classes = plan.value(f"{self.name}_classes", y_pred.shape, plan.dtype)
        plan.forward(kernels.at_least, flat(classes), flat(y_pred), plan.constant(self.threshold))
        return flat(classes)

    def get_config(self):
        return {
            "target_class_ids": self.target_class_ids,
            "threshold": self.threshold,
            "name": self.name,
            "dtype": self.dtype,
        }


class MeanIoU(IoU):
    """Mean intersection over union of all classes.

    Args:
        num_classes: Number of classes.
        name: Name of the metric.
        dtype: Type of the counts, an integer type if None.
        ignore_class: Label of what does not count, or None.
        sparse_y_true: Whether labels are class numbers.
        sparse_y_pred: Whether predictions are class numbers.
        axis: Axis of the classes where they are not sparse.
    """

    def __init__(
        self,
        num_classes,
        name=None,
        dtype=None,
        ignore_class=None,
        sparse_y_true=True,
        sparse_y_pred=True,
        axis=-1,
    ):
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)

    def get_config(self):
        config = super().get_config()
        del config["target_class_ids"]
        return config


class OneHotIoU(IoU):
    """Intersection over union of some classes, for one-hot labels.

    Args:
        num_classes: Number of classes.
        target_class_ids: The classes the mean goes over.
        name: Name of the metric.
        dtype: Type of the counts, an integer type if None.
        ignore_class: Label of what does not count, or None.
        sparse_y_pred: Whether predictions are class numbers.
        axis: Axis of the classes.
    """

    def __init__(
        self, num_classes, target_class_ids, name=None, dtype=None, ignore_class=None, sparse_y_pred=False, axis=-1
    ):
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self):
        config = super().get_config()
        del config["sparse_y_true"]
        return config


class OneHotMeanIoU(MeanIoU):
    """Mean intersection over union of all classes, for one-hot labels.

    Args:
        num_classes: Number of classes.
        name: Name of the metric.
        dtype: Type of the counts, an integer type if None.
        ignore_class: Label of what does not count, or None.
        sparse_y_pred: Whether predictions are class numbers.
        axis: Axis of the classes.
    """

    def __init__(self, num_classes, name=None, dtype=None, ignore_class=None, sparse_y_pred=False, axis=-1):
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self):
        config = super().get_config()
        del config["sparse_y_true"]
        return config

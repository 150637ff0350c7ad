"""Metrics: what is watched while training, by name, by object or as functions of arrays."""

import inspect

from dseq.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from dseq.losses import class_of as _loss_class
from dseq.losses import get as _loss
from dseq.losses.shapes import is_binary, is_sparse
from dseq.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from dseq.metrics.auc import AUC
from dseq.metrics.confusion import FalseNegatives, FalsePositives, Precision, Recall, TrueNegatives, TruePositives
from dseq.metrics.correlation import ConcordanceCorrelation, PearsonCorrelation, R2Score
from dseq.metrics.f_score import F1Score, FBetaScore
from dseq.metrics.functions import (
    binary_accuracy,
    categorical_accuracy,
    concordance_correlation,
    pearson_correlation,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from dseq.metrics.iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from dseq.metrics.margin import CategoricalHinge, Hinge, SquaredHinge
from dseq.metrics.metric import Metric
from dseq.metrics.operating_point import (
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
)
from dseq.metrics.probabilistic import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
)
from dseq.metrics.reduction import Mean, MeanMetricWrapper, Sum
from dseq.metrics.regression import (
    CosineSimilarity,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    RootMeanSquaredError,
)
from dseq.program import registry
from dseq.program.naming import snake_case

MODULE = "keras.metrics"

_comparisons = {
    binary_accuracy: BinaryAccuracy,
    categorical_accuracy: CategoricalAccuracy,
    sparse_categorical_accuracy: SparseCategoricalAccuracy,
    sparse_top_k_categorical_accuracy: SparseTopKCategoricalAccuracy,
    top_k_categorical_accuracy: TopKCategoricalAccuracy,
    pearson_correlation: PearsonCorrelation,
    concordance_correlation: ConcordanceCorrelation,
}
_losses = {
    binary_crossentropy: BinaryCrossentropy,
    categorical_crossentropy: CategoricalCrossentropy,
    categorical_hinge: CategoricalHinge,
    hinge: Hinge,
    kl_divergence: KLDivergence,
    log_cosh: LogCoshError,
    mean_absolute_error: MeanAbsoluteError,
    mean_absolute_percentage_error: MeanAbsolutePercentageError,
    mean_squared_error: MeanSquaredError,
    mean_squared_logarithmic_error: MeanSquaredLogarithmicError,
    poisson: Poisson,
    sparse_categorical_crossentropy: SparseCategoricalCrossentropy,
    squared_hinge: SquaredHinge,
}
_functions = _comparisons | _losses
_counts = [TruePositives, FalsePositives, TrueNegatives, FalseNegatives, Precision, Recall, AUC, F1Score, FBetaScore]
_counts += [PrecisionAtRecall, RecallAtPrecision, SensitivityAtSpecificity, SpecificityAtSensitivity]
_counts += [BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU, R2Score]
_classes = [*_functions.values(), Accuracy, CosineSimilarity, Mean, RootMeanSquaredError, Sum, *_counts]
_by_name = {function.__name__: kind for function, kind in _functions.items()}
_by_name |= {snake_case(kind.__name__): kind for kind in _classes} | {kind.__name__: kind for kind in _classes}
_abbreviations = {
    "bce": BinaryCrossentropy,
    "kld": KLDivergence,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
    "rmse": RootMeanSquaredError,
}
_by_name |= _abbreviations | {name.upper(): kind for name, kind in _abbreviations.items()}
_by_name |= {"logcosh": LogCoshError}


def get(identifier, y_true_shape=None, y_pred_shape=None):
    """A metric for whatever an entry of `compile(metrics=[...])` may be.

    Args:
        identifier: Name, configuration, `Metric`, its class, one of the functions here, or None. `"accuracy"`,
            `"acc"`, `"crossentropy"` and `"ce"` take their form from the shapes.
        y_true_shape: Shape of one sample's labels, if known.
        y_pred_shape: Shape of one sample's predictions, if known; then a metric is called by the name it was given.

    Returns:
        A `Metric`; None for None.

    Raises:
        ValueError: If it is none of these.
    """
    if identifier is None or isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, str):
        if y_pred_shape is None:
            return deserialize(identifier)
        if identifier.lower() in ("accuracy", "acc"):
            return resolve_accuracy(y_true_shape, y_pred_shape, identifier)
        if identifier.lower() in ("crossentropy", "ce"):
            return MeanMetricWrapper(_loss(identifier, y_true_shape, y_pred_shape), identifier)
        metric = deserialize(identifier)
        metric.name = identifier
        return metric
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if inspect.isclass(identifier) and issubclass(identifier, Metric):
        return identifier()
    if callable(identifier):
        if identifier in _functions:
            return _functions[identifier](name=identifier.__name__)
        return MeanMetricWrapper(identifier)
    raise ValueError(f"Could not interpret metric identifier: {identifier}")


def resolve_accuracy(y_true_shape, y_pred_shape, name="accuracy"):
    """The accuracy that fits labels and predictions, whatever the loss is.

    Args:
        y_true_shape: Shape of one sample's labels.
        y_pred_shape: Shape of one sample's predictions.
        name: Name of the metric, as the user spelled it.

    Returns:
        `BinaryAccuracy` for a single column, `SparseCategoricalAccuracy` for class numbers, else
        `CategoricalAccuracy`.
    """
    if is_binary(y_pred_shape):
        return BinaryAccuracy(name)
    if is_sparse(y_true_shape, y_pred_shape):
        return SparseCategoricalAccuracy(name)
    return CategoricalAccuracy(name)


def reader_of(function, **arguments):
    """The loss or comparison that a function computes, as an object that can be written into plans.

    Args:
        function: A function of `dseq.losses` or `dseq.metrics`, or any other.
        **arguments: Its arguments besides labels and predictions.

    Returns:
        The object; None if the function is neither.
    """
    if function in _comparisons:
        return _comparisons[function](**arguments)
    loss = _loss_class(function)
    return None if loss is None else loss(**arguments)


def serialize(metric) -> dict | str | None:
    """A metric as plain data for `deserialize`."""
    if metric is None:
        return None
    if not isinstance(metric, Metric):
        return registry.get_registered_name(metric)
    kind = type(metric)
    place = registry.place_of(kind)
    return {
        "module": place[0] if place else kind.__module__,
        "class_name": kind.__name__,
        "config": metric.get_config(),
        "registered_name": None if place else registry.get_registered_name(kind),
    }


def deserialize(config, custom_objects=None):
    """The metric that `serialize` described.

    Args:
        config: A dict with `class_name` and `config`, or a name.
        custom_objects: Classes and functions of your own, by name.

    Raises:
        ValueError: If the class is not known.
    """
    if config is None:
        return None
    given = config
    if isinstance(config, str):
        config = {"class_name": config, "config": {}}
    found = registry.find(MODULE, config, custom_objects)
    name = config.get("class_name")
    if name == "function":  # as Keras writes a metric given by name
        name, config = config.get("config"), {}
    if found is None and isinstance(name, str):
        found = _by_name.get(name)
    if found is None:
        raise ValueError(f"Could not interpret metric identifier: {given}")
    if not inspect.isclass(found):
        return get(found)
    with registry.CustomObjectScope(custom_objects):
        return found.from_config(config.get("config") or {})


registry.provide(MODULE, {kind.__name__: kind for kind in (*_classes, MeanMetricWrapper, Metric)})
registry.provide(MODULE, {function.__name__: function for function in _comparisons})

__all__ = [
    *sorted(kind.__name__ for kind in _classes),
    "MeanMetricWrapper",
    "Metric",
    *sorted(function.__name__ for function in _functions),
    "binary_focal_crossentropy",
    "categorical_focal_crossentropy",
    "deserialize",
    "get",
    "huber",
    "resolve_accuracy",
    "serialize",
]

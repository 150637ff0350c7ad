"""Metrics: what is watched while training, by name, by object or as functions of arrays."""

import inspect

from dseq.losses import (
    binary_crossentropy,
    categorical_crossentropy,
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
from dseq.metrics.functions import (
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from dseq.metrics.hinge import CategoricalHinge, Hinge, SquaredHinge
from dseq.metrics.metric import Metric
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
from dseq.program.naming import snake_case

_comparisons = {
    binary_accuracy: BinaryAccuracy,
    categorical_accuracy: CategoricalAccuracy,
    sparse_categorical_accuracy: SparseCategoricalAccuracy,
    sparse_top_k_categorical_accuracy: SparseTopKCategoricalAccuracy,
    top_k_categorical_accuracy: TopKCategoricalAccuracy,
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
_classes = [*_functions.values(), Accuracy, CosineSimilarity, Mean, RootMeanSquaredError, Sum]
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
        if hasattr(identifier, "lower_values"):
            return MeanMetricWrapper(identifier)
        raise ValueError(
            "A metric must be one of `dseq.metrics`: those written in Python can't be compiled yet. "
            f"Received: {identifier}"
        )
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
        function: A function of `dseq.losses` or `dseq.metrics`.
        **arguments: Its arguments besides labels and predictions.

    Raises:
        ValueError: If it is none of them.
    """
    if function in _comparisons:
        return _comparisons[function](**arguments)
    return type(_loss(function))(**arguments)


def serialize(metric) -> dict | str | None:
    """A metric as plain data for `deserialize`."""
    if metric is None:
        return None
    if not isinstance(metric, Metric):
        return metric.__name__
    kind = type(metric)
    known = _by_name.get(kind.__name__) is kind
    return {
        "module": "keras.metrics" if known else kind.__module__,
        "class_name": kind.__name__,
        "config": metric.get_config(),
        "registered_name": None if known else kind.__name__,
    }


def deserialize(config, custom_objects=None):
    """The metric that `serialize` described.

    Args:
        config: A dict with `class_name` and `config`, or a name.
        custom_objects: Classes of your own, by name.

    Raises:
        ValueError: If the class is not known.
    """
    if config is None:
        return None
    given = config
    if isinstance(config, str):
        config = {"class_name": config, "config": {}}
    name = config.get("class_name")
    if name == "function":  # as Keras writes a metric given by name
        name, config = config.get("config"), {}
    found = (custom_objects or {}).get(name, _by_name.get(name)) if isinstance(name, str) else None
    if found is None:
        raise ValueError(f"Could not interpret metric identifier: {given}")
    return found.from_config(config.get("config") or {})


__all__ = [
    *sorted(kind.__name__ for kind in _classes),
    "MeanMetricWrapper",
    "Metric",
    *sorted(function.__name__ for function in _functions),
    "deserialize",
    "get",
    "huber",
    "resolve_accuracy",
    "serialize",
]

"""Losses: what training makes small, by name, by object or as functions of arrays."""

import inspect

from dseq.losses.circle import Circle, circle
from dseq.losses.crossentropy import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
from dseq.losses.ctc import CTC
from dseq.losses.custom import CustomLoss, TracedLoss
from dseq.losses.divergence import KLDivergence, Poisson
from dseq.losses.focal import (
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
)
from dseq.losses.functions import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    categorical_hinge,
    cosine_similarity,
    ctc,
    dice,
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
    tversky,
)
from dseq.losses.hinge import CategoricalHinge, Hinge, SquaredHinge
from dseq.losses.loss import Loss
from dseq.losses.overlap import Dice, Tversky
from dseq.losses.regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
)
from dseq.losses.shapes import is_binary, is_sparse
from dseq.program import registry

MODULE = "keras.losses"

_functions = {
    binary_crossentropy: BinaryCrossentropy,
    binary_focal_crossentropy: BinaryFocalCrossentropy,
    categorical_crossentropy: CategoricalCrossentropy,
    categorical_focal_crossentropy: CategoricalFocalCrossentropy,
    categorical_generalized_cross_entropy: CategoricalGeneralizedCrossEntropy,
    categorical_hinge: CategoricalHinge,
    circle: Circle,
    cosine_similarity: CosineSimilarity,
    ctc: CTC,
    dice: Dice,
    hinge: Hinge,
    huber: Huber,
    kl_divergence: KLDivergence,
    log_cosh: LogCosh,
    mean_absolute_error: MeanAbsoluteError,
    mean_absolute_percentage_error: MeanAbsolutePercentageError,
    mean_squared_error: MeanSquaredError,
    mean_squared_logarithmic_error: MeanSquaredLogarithmicError,
    poisson: Poisson,
    sparse_categorical_crossentropy: SparseCategoricalCrossentropy,
    squared_hinge: SquaredHinge,
    tversky: Tversky,
}
_by_name = {function.__name__: kind for function, kind in _functions.items()}
_by_name |= {kind.__name__: kind for kind in _functions.values()}
_abbreviations = {
    "bce": BinaryCrossentropy,
    "kld": KLDivergence,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
}
_by_name |= _abbreviations | {name.upper(): kind for name, kind in _abbreviations.items()}
_by_name |= {"logcosh": LogCosh, "kullback_leibler_divergence": KLDivergence, "huber_loss": Huber}


def get(identifier, y_true_shape=None, y_pred_shape=None):
    """A loss for whatever `compile(loss=...)` may be given.

    Args:
        identifier: Name (`"mse"`, `"mean_squared_error"`, `"MeanSquaredError"`), configuration, `Loss`, its class, one
            of the functions here, a function of your own (see `CustomLoss`), or None. `"crossentropy"` and `"ce"` take
            their form from the shapes.
        y_true_shape: Shape of one sample's labels, if known.
        y_pred_shape: Shape of one sample's predictions, if known.

    Returns:
        A `Loss`; None for None.

    Raises:
        ValueError: If it is none of these.
    """
    if identifier is None or isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, str):
        if identifier.lower() in ("crossentropy", "ce") and y_pred_shape is not None:
            return resolve_crossentropy(y_true_shape, y_pred_shape)
        return deserialize(identifier)
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if inspect.isclass(identifier) and issubclass(identifier, Loss):
        return identifier()
    if callable(identifier):
        known = class_of(identifier)
        return known() if known else CustomLoss(identifier)
    raise ValueError(f"Could not interpret loss identifier: {identifier}")


def class_of(function):
    """The class of the loss that a function of this module computes; None for any other function."""
    return _functions.get(function)


def resolve_crossentropy(y_true_shape, y_pred_shape):
    """The crossentropy that fits labels and predictions, by the rule for `"accuracy"`.

    Args:
        y_true_shape: Shape of one sample's labels.
        y_pred_shape: Shape of one sample's predictions.
    """
    if is_binary(y_pred_shape):
        return BinaryCrossentropy()
    if is_sparse(y_true_shape, y_pred_shape):
        return SparseCategoricalCrossentropy()
    return CategoricalCrossentropy()


def serialize(loss) -> dict | str | None:
    """A loss as plain data for `deserialize`."""
    if loss is None:
        return None
    if not isinstance(loss, Loss):
        return registry.get_registered_name(loss)
    kind = type(loss)
    place = registry.place_of(kind)
    return {
        "module": place[0] if place else kind.__module__,
        "class_name": kind.__name__,
        "config": loss.get_config(),
        "registered_name": None if place else registry.get_registered_name(kind),
    }


def deserialize(name, custom_objects=None):
    """The loss that `serialize` described.

    Args:
        name: A dict with `class_name` and `config`, or a name.
        custom_objects: Classes and functions of your own, by name.

    Raises:
        ValueError: If the class is not known.
    """
    if name is None:
        return None
    config = {"class_name": name, "config": {}} if isinstance(name, str) else name
    found = registry.find(MODULE, config, custom_objects)
    class_name = config.get("class_name")
    if class_name == "function":  # as Keras writes a loss given by name
        class_name, config = config.get("config"), {}
    if found is None and isinstance(class_name, str):
        found = _by_name.get(class_name)
    if found is None:
        raise ValueError(f"Could not interpret loss identifier: {name}")
    if not inspect.isclass(found):
        return get(found)
    with registry.CustomObjectScope(custom_objects):
        return found.from_config(config.get("config") or {})


registry.provide(MODULE, {kind.__name__: kind for kind in (*_functions.values(), Loss, CustomLoss, TracedLoss)})
registry.provide(MODULE, {function.__name__: function for function in _functions})

__all__ = [
    *sorted(kind.__name__ for kind in _functions.values()),
    "CustomLoss",
    "Loss",
    *sorted(function.__name__ for function in _functions),
    "deserialize",
    "get",
    "serialize",
]

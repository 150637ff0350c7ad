"""Losses by name, by configuration, and the shapes of labels they take."""

import numpy as np
import pytest

from dseq import losses

ALL = [getattr(losses, name) for name in losses.__all__ if name[0].isupper() and name not in ("Loss", "CustomLoss")]


@pytest.mark.parametrize(
    ("identifier", "kind"),
    [
        *((name, losses.MeanSquaredError) for name in ("mse", "MSE", "mean_squared_error", "MeanSquaredError")),
        *((name, losses.BinaryCrossentropy) for name in ("bce", "BCE", "binary_crossentropy", "BinaryCrossentropy")),
        ("mae", losses.MeanAbsoluteError),
        ("mape", losses.MeanAbsolutePercentageError),
        ("MSLE", losses.MeanSquaredLogarithmicError),
        ("kld", losses.KLDivergence),
        ("log_cosh", losses.LogCosh),
        ("huber", losses.Huber),
        ("dice", losses.Dice),
        ("Tversky", losses.Tversky),
        (losses.circle, losses.Circle),
        ("ctc", losses.CTC),
        ("binary_focal_crossentropy", losses.BinaryFocalCrossentropy),
        ("categorical_generalized_cross_entropy", losses.CategoricalGeneralizedCrossEntropy),
        ("sparse_categorical_crossentropy", losses.SparseCategoricalCrossentropy),
        (losses.hinge, losses.Hinge),
        (losses.Poisson, losses.Poisson),
        ({"class_name": "Huber", "config": {"delta": 2.0}}, losses.Huber),
        ({"class_name": "function", "config": "mean_squared_error"}, losses.MeanSquaredError),
    ],
)
def test_get(identifier, kind):
    assert type(losses.get(identifier)) is kind


def test_get_leaves_objects_alone():
    loss = losses.Huber(0.5)
    assert losses.get(loss) is loss
    assert losses.get(None) is None


@pytest.mark.parametrize("name", ["crossentropy", "ce", "CE"])
def test_crossentropy_takes_its_form_from_the_shapes(name):
    assert type(losses.get(name, (), (1,))) is losses.BinaryCrossentropy
    assert type(losses.get(name, (1,), (3,))) is losses.SparseCategoricalCrossentropy
    assert type(losses.get(name, (), (3,))) is losses.SparseCategoricalCrossentropy
    assert type(losses.get(name, (3,), (3,))) is losses.CategoricalCrossentropy


@pytest.mark.parametrize("identifier", ["nope", 3, {"class_name": "Nope", "config": {}}])
def test_unknown_losses(identifier):
    with pytest.raises(ValueError, match="Could not interpret loss identifier"):
        losses.get(identifier)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_configuration(kind):
    loss = kind(reduction="sum", name="mine")
    copy = losses.deserialize(losses.serialize(loss))
    assert type(copy) is kind and copy.get_config() == loss.get_config()
    assert (copy.reduction, copy.name) == ("sum", "mine")


def test_configuration_keeps_every_argument():
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=3)
    config = loss.get_config()
    assert (config["from_logits"], config["ignore_class"], config["axis"]) == (True, 3, -1)
    config = losses.BinaryCrossentropy(label_smoothing=0.3).get_config()
    assert (config["from_logits"], config["label_smoothing"]) == (False, 0.3)


def test_layout_of_labels():
    assert losses.MeanSquaredError().target((), (1,)) == ((1,), None)
    assert losses.MeanSquaredError().target((4, 1), (4,)) == ((4,), None)
    assert losses.BinaryCrossentropy().target((), (1,)) == ((1,), None)
    assert losses.SparseCategoricalCrossentropy().target((1,), (3,)) == ((), "int32")
    assert losses.SparseCategoricalCrossentropy().target((5,), (5, 3)) == ((5,), "int32")
    assert losses.CategoricalCrossentropy().target((5, 3), (5, 3)) == ((5, 3), None)
    assert losses.MeanSquaredError().values_per_sample((5, 3)) == 5
    assert losses.MeanSquaredError().values_per_sample((3,)) == 1


@pytest.mark.parametrize("labels", [(), (1,)])
def test_class_numbers_for_the_wrong_crossentropy(labels):
    with pytest.raises(ValueError, match="must have the same shape.*`sparse_categorical_crossentropy`.*to_categorical"):
        losses.CategoricalCrossentropy().target(labels, (3,))


def test_one_hot_labels_for_the_wrong_crossentropy():
    with pytest.raises(ValueError, match="one class number.*Received.*`categorical_crossentropy`.*argmax"):
        losses.SparseCategoricalCrossentropy().target((3,), (3,))


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"must have the same shape.*\(4,\).*\(3,\)"):
        losses.MeanSquaredError()(np.zeros((2, 4)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="same number of samples"):
        losses.MeanSquaredError()(np.zeros((2, 3)), np.zeros((4, 3)))
    with pytest.raises(ValueError, match=r"`sample_weight` must be.*\(5,\)"):
        losses.MeanSquaredError()(np.zeros((2, 3)), np.zeros((2, 3)), sample_weight=np.ones(5))


def test_arguments():
    with pytest.raises(ValueError, match=r"`label_smoothing`.*in \[0, 1\]. Received: label_smoothing=2"):
        losses.CategoricalCrossentropy(label_smoothing=2)
    with pytest.raises(ValueError, match="`axis` of .* must be an axis of the predictions .* Received: axis=0"):
        losses.CategoricalCrossentropy(axis=0).values_shape((4, 3))
    assert losses.CategoricalCrossentropy(axis=1).values_shape((4, 3)) == (3,)
    assert losses.SparseCategoricalCrossentropy(axis=1).target((5,), (3, 5)) == ((5,), "int32")
    with pytest.raises(ValueError, match=r"`q` of .* must be in the interval \(0, 1\). Received: q=1"):
        losses.CategoricalGeneralizedCrossEntropy(q=1)
    with pytest.warns(SyntaxWarning, match="num_classes > 1"):
        losses.CategoricalCrossentropy().target((1,), (1,))

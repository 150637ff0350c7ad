"""Rewrites of plans: each fires where it may, shows in the listing, and leaves the numbers what they were."""

import numpy as np
import pytest

import dseq
from dseq import layers
from dseq.program import rewriting
from dseq.training.session import Predicting, Training

IMAGES = np.random.default_rng(0).standard_normal((6, 6, 5, 3))
LABELS = np.random.default_rng(1).standard_normal((6, 4))


@pytest.fixture(autouse=True)
def float64():
    before = dseq.config.floatx()
    dseq.config.set_floatx("float64")
    yield
    dseq.config.set_floatx(before)


def model_of(build, shape=(6, 5, 3)):
    """A model of the function's output, its moving statistics no longer those of the beginning."""
    dseq.utils.set_random_seed(5)
    x = layers.Input(shape)
    model = dseq.Model(x, build(x))
    rng = np.random.default_rng(2)
    for variable in model.variables:
        if variable.name.startswith(("moving", "beta", "gamma", "bias")):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return model


def listing(model, kind=Predicting):
    """The plan of a model as text."""
    model.compile("sgd", "mse")
    if kind is Training:
        outputs = [np.zeros((6, *t.shape[1:])) for t in model.outputs]
        return str(Training(model, [IMAGES], outputs, False).plan)
    return str(Predicting(model, [IMAGES]).plan)


def trained(build, names, steps=2):
    """Losses, weights and predictions of a model trained with these rewrites."""
    with rewriting.limited_to(*names):
        model = model_of(build)
        model.compile(dseq.optimizers.SGD(0.05), "mse")
        targets = np.resize(LABELS, (6, *model.outputs[0].shape[1:]))
        losses = [model.train_on_batch(IMAGES, targets) for _ in range(steps)]
        return [np.array(losses), *model.get_weights(), model.predict(IMAGES, verbose=0)]


def check_same(build, *names):
    """A model gives the same with these rewrites as without any."""
    for a, b in zip(trained(build, names), trained(build, ()), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


def pooled(x):
    return layers.Dense(4)(layers.GlobalAveragePooling2D()(x))


def normalized(activation):
    return lambda x: pooled(layers.Activation(activation)(layers.BatchNormalization()(layers.Conv2D(4, 1)(x))))


@pytest.mark.parametrize("activation", ["relu", "relu6"])
def test_normalization_and_activation(activation):
    build = normalized(activation)
    for kind in (Training, Predicting):
        text = listing(model_of(build), kind)
        assert "normalize_columns" in text or kind is Predicting
        assert "relu_forward" not in text and "clipped_line" not in text and "relu_backward" not in text
    assert "columns_in_place" in listing(model_of(build), Training)
    check_same(build, "activation")
    check_same(build, "activation", "normalization")
    check_same(build, *rewriting.REWRITES)


def test_a_value_with_another_reader_stays():
    def build(x):
        y = layers.BatchNormalization()(layers.Conv2D(4, 1)(x))
        return pooled(layers.Multiply()([layers.ReLU()(y), y]))

    text = listing(model_of(build), Training)
    assert "relu_forward" in text and "relu_backward" in text
    check_same(build, *rewriting.REWRITES)

    def output(x):
        y = layers.BatchNormalization()(layers.Conv2D(4, 1)(x))
        return [layers.ReLU()(y), y]

    text = listing(model_of(output))
    assert "relu_forward" in text and "normalize_columns" in text
    model = model_of(output)
    after, before = model.predict(IMAGES, verbose=0)
    np.testing.assert_array_equal(after, np.maximum(before, 0))
    assert before.min() < 0

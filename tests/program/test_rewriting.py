"""Rewrites of plans: each fires where it may, shows in the listing, and leaves the numbers what they were."""

import re

import numpy as np
import pytest

import dseq
from dseq import layers
from dseq.kernels.loss import add_weighted
from dseq.kernels.rescale import rescale_forward
from dseq.program import rewriting
from dseq.program.operand import flat
from dseq.program.plan import Plan
from dseq.program.step import Step
from dseq.training.evaluation import Predicting
from dseq.training.session import Training

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
    assert "relu_forward" in text and "fold_kernel" in text
    model = model_of(output)
    after, before = model.predict(IMAGES, verbose=0)
    np.testing.assert_array_equal(after, np.maximum(before, 0))
    assert before.min() < 0


def test_activations_of_layers_with_weights():
    def build(x):
        y = layers.Conv2D(4, 3, activation="relu", padding="same")(x)
        y = layers.Conv2D(4, 3, activation="relu6")(y)
        return layers.Dense(4)(layers.Dense(5, "relu")(layers.Flatten()(y)))

    text = listing(model_of(build), Training)
    assert "relu_forward" not in text and "clipped_line_forward" not in text
    assert text.count("relu_in_place") == 2 and text.count("clipped_line_in_place") == 1
    with rewriting.limited_to():
        assert "relu_forward" in listing(model_of(build), Training)
    check_same(build, "activation")
    check_same(build, *rewriting.REWRITES)


def test_smooth_activations_stay():
    """Their gradients are told from what they are applied to."""
    text = listing(model_of(lambda x: pooled(layers.Conv2D(4, 1, activation="tanh")(x))), Training)
    assert "tanh_forward" in text and "tanh_backward" in text


def test_residuals():
    def build(x):
        x = layers.Conv2D(4, 1, activation="relu")(x)
        for _ in range(2):
            y = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(x))
            x = layers.ReLU()(layers.Add()([x, y]))
        return pooled(x)

    text = listing(model_of(build), Training)
    assert "relu_forward" not in text
    assert text.count("accumulate") == 0 and text.count("assign") == 2  # one branch of each sum has the block itself
    check_same(build, "gradients")
    check_same(build, *rewriting.REWRITES)


def test_one_padding_for_two_convolutions():
    def build(x):
        x = layers.Conv2D(4, 1)(x)
        a, b = (layers.Conv2D(3, 3, padding="same")(x) for _ in range(2))
        return pooled(layers.Concatenate()([a, b, layers.Conv2D(3, 5, padding="same")(x)]))

    text = listing(model_of(build), Training)
    assert text.count("pad_forward") == 2 and not re.search(r"d \S*padded", text)
    check_same(build, "padding")
    check_same(build, *rewriting.REWRITES)


def test_normalization_writes_where_margins_are():
    def build(x):
        y = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 1)(x)))
        y = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(y))
        return pooled(layers.Add()([y, layers.Conv2D(4, 2, padding="same")(y)]))

    text = listing(model_of(build), Training)
    assert text.count("normalize_padded") == 1 and text.count("normalize_columns") == 1 == text.count("pad_forward")
    check_same(build, "activation", "margins")
    check_same(build, *rewriting.REWRITES)


def test_unread_values_are_not_computed():
    plan = Plan(dtype="float64")
    x = plan.input("x", (3,))
    y, unread, sums = plan.value("y", (3,)), plan.value("unread", (3,)), plan.sums("sums")
    for to, source, factor in ((y, x, 2.0), (unread, y, 3.0), (unread, unread, 5.0)):
        plan.forward(rescale_forward, flat(to), flat(source), plan.constant(factor), plan.constant(1.0))
    plan.forward(add_weighted, sums, flat(y), None)
    rewriting.rewrite(plan, [y])
    assert [kernel for kernel, _ in plan.forward_calls] == [rescale_forward, add_weighted]
    assert plan.blocks == [x, y]
    step = Step(plan)
    step.bind(4)
    step.input("x")[...] = 1.5
    step.compute()
    assert (step.array(y) == 4).all() and step.tail[0] == 48


FOLDED = {
    "Conv2D": lambda x: layers.Conv2D(4, 3, groups=1)(x),
    "Conv2D without bias": lambda x: layers.Conv2D(6, 3, padding="same", groups=3, use_bias=False)(x),
    "Conv1D": lambda x: layers.Conv1D(4, 2)(layers.Reshape((6, 15))(x)),
    "Dense": lambda x: layers.Dense(4)(x),
}


@pytest.mark.parametrize("layer", FOLDED.values(), ids=FOLDED)
def test_folding(layer):
    model = model_of(lambda x: layers.ReLU()(layers.BatchNormalization()(layer(x))))
    text = listing(model)
    assert "normalize_columns" not in text and "relu_forward" not in text
    head, forward = text.split("forward:\n")
    assert head.count("fold_kernel") == head.count("fold_bias") == 1 and "fold_" not in forward
    with rewriting.limited_to():
        plain = dseq.models.clone_model(model)
        plain.set_weights(model.get_weights())
        assert "normalize_columns" in listing(plain)
        expected = plain.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(model.predict(IMAGES, verbose=0), expected, rtol=1e-9, atol=1e-12)


def test_folded_weights_follow_the_weights():
    model = model_of(lambda x: pooled(layers.BatchNormalization()(layers.Conv2D(4, 1)(x))))

    def by_hand():
        kernel, bias, gamma, beta, mean, variance, dense, offset = model.get_weights()
        y = (IMAGES @ kernel[0, 0] + bias - mean) / np.sqrt(variance + 1e-3) * gamma + beta
        return y.mean((1, 2)) @ dense + offset

    model.compile(dseq.optimizers.SGD(0.1), "mse")
    np.testing.assert_allclose(model.predict(IMAGES, verbose=0), by_hand(), rtol=1e-9)
    model.variables[0].assign(model.variables[0] * 2)
    np.testing.assert_allclose(model.predict(IMAGES, verbose=0), by_hand(), rtol=1e-9)
    model.fit(IMAGES, LABELS, epochs=2, batch_size=3, verbose=0)
    np.testing.assert_allclose(model.predict(IMAGES, verbose=0), by_hand(), rtol=1e-9)
    found = []

    class Doubles(dseq.callbacks.Callback):
        def on_predict_batch_end(self, batch, logs=None):
            found.append((logs["outputs"].copy(), by_hand()))
            model.variables[4].assign(model.variables[4] * 2)

    model.predict(IMAGES, batch_size=6, callbacks=[Doubles()], verbose=0)
    model.predict(IMAGES, batch_size=3, callbacks=[Doubles()], verbose=0)
    np.testing.assert_allclose(found[0][0], found[0][1], rtol=1e-9)
    np.testing.assert_allclose(found[1][0], found[1][1][:3], rtol=1e-9)
    np.testing.assert_allclose(found[2][0], found[2][1][3:], rtol=1e-9)


def test_no_folding_where_others_read():
    def build(x):
        y = layers.Conv2D(4, 1)(x)
        return pooled(layers.Multiply()([layers.BatchNormalization()(y), y]))

    assert "normalize_columns" in listing(model_of(build))
    check_same(build, *rewriting.REWRITES)


def images_by_tiles(x):
    x = layers.Conv2D(32, 3, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    return layers.Conv2D(48, 3)(x)


def test_convolutions_by_tiles(monkeypatch):
    training = listing(model_of(images_by_tiles), Training).splitlines()
    kernels = [line.split()[0] for line in training]
    assert kernels.count("conv_forward") == kernels.count("conv_write_kernel") == 1  # the first has 3 channels
    assert kernels.count("winograd_forward") == kernels.count("winograd_write_kernel") == 2
    assert kernels.count("winograd_write_input") == 1  # that of the last has more tiles than its output
    assert kernels.count("conv_write_input") == 1
    for i, name in enumerate(kernels):
        if name in ("winograd_forward", "winograd_write_input"):
            assert kernels[i - 1] == "winograd_kernel"
    check_same(images_by_tiles, *rewriting.REWRITES)
    head, steps = listing(model_of(images_by_tiles)).split("\nforward:")
    assert head.count("winograd_kernel") == steps.count("winograd_forward") == 2  # weights are transformed once a run
    assert "winograd_kernel" not in steps
    monkeypatch.setattr(dseq.config, "convolution", "direct")
    assert "winograd" not in listing(model_of(images_by_tiles), Training)


@pytest.mark.parametrize(
    "wanted", [{"strides": 2}, {"dilation_rate": 2}, {"groups": 2}, {"kernel_size": (3, 1)}, {"filters": 40}]
)
def test_convolutions_that_are_none_of_tiles(wanted):
    def build(x):
        layer = layers.Conv2D(**{"filters": 32, "kernel_size": 3, "padding": "same"} | wanted)
        return layer(layers.Conv2D(32, 1)(x))

    assert "winograd" not in listing(model_of(build), Training)


def test_names():
    with pytest.raises(ValueError, match="The rewrites are unread, .*Received: none"), rewriting.limited_to("none"):
        pass


def test_maxima_of_an_activation():
    def build(x):
        y = layers.MaxPooling2D()(layers.Conv2D(4, 3, activation="relu", padding="same")(x))
        y = layers.MaxPooling2D((2, 1), 1)(layers.Conv2D(4, 2, activation="relu6")(y))
        return layers.Dense(4)(layers.Flatten()(y))

    text = listing(model_of(build), Training)
    assert "relu_in_place" not in text and "clipped_line_in_place" not in text and text.count("places_write") == 1
    assert text.count("places_bias") == 1  # that of the first goes with its kernel
    check_same(build, "activation", "pooling")
    check_same(build, *rewriting.REWRITES)

    def read_twice(x):
        y = layers.Conv2D(4, 3, activation="relu", padding="same")(x)
        return pooled(layers.Add()([layers.MaxPooling2D(2, 1, padding="same")(y), y]))

    assert "relu_in_place" in listing(model_of(read_twice), Training)
    check_same(read_twice, *rewriting.REWRITES)

    def read_before_the_activation(x):
        y = layers.Conv2D(4, 3)(x)
        before = layers.GlobalAveragePooling2D()(y)
        return layers.Dense(4)(layers.Concatenate()([before, layers.GlobalMaxPooling2D()(layers.ReLU()(y))]))

    assert "places_bias" not in listing(model_of(read_before_the_activation), Training)
    check_same(read_before_the_activation, *rewriting.REWRITES)


def test_maxima_of_a_convolution():
    """They are taken while its rows are in a cache, and so is the kernel's gradient where the input needs none."""

    def build(x):
        x = layers.MaxPooling2D((2, 1))(layers.Conv2D(4, 3, activation="relu", padding="same")(x))
        x = layers.MaxPooling2D((1, 2))(layers.Conv2D(5, 2)(x))  # has no activation
        x = layers.MaxPooling2D((1, 2), 1)(layers.Conv2D(4, (2, 1))(x))  # five channels, windows that overlap
        return layers.Dense(4)(layers.Flatten()(x))

    text = listing(model_of(build), Training)
    assert text.count("conv_max ") == 2 and text.count("conv_forward") == 1 and "relu_" not in text
    assert text.count("conv_max_write_kernel") == 1 and text.count("conv_write_kernel") == 2
    assert text.count("places_write") == 2 and text.count("places_bias") == 0
    assert "places" not in listing(model_of(build)) and listing(model_of(build)).count("conv_max ") == 2
    check_same(build, *rewriting.REWRITES)

    def linear(x):
        return layers.Dense(4)(layers.Flatten()(layers.MaxPooling2D()(layers.Conv2D(4, 2)(x))))

    text = listing(model_of(linear), Training)
    assert "places_" not in text and "dense_backward_bias" not in text
    check_same(linear, *rewriting.REWRITES)

    def twice(x):
        layer = layers.Conv2D(4, 2, bias_regularizer="l2")  # its bias' gradient is written by another first
        x = [layers.Flatten()(layers.MaxPooling2D()(layer(y))) for y in (x, layers.Rescaling(2.0)(x))]
        return layers.Dense(4)(layers.Add()(x))

    assert listing(model_of(twice), Training).count("places_bias") == 2
    check_same(twice, *rewriting.REWRITES)

    def others(x):
        y = layers.Conv2D(4, 2, activation="relu")(x)
        y = layers.Concatenate()([layers.Flatten()(layers.MaxPooling2D(size)(y)) for size in (2, (1, 2))])
        return layers.Dense(4)(y)

    assert "conv_max" not in listing(model_of(others), Training)
    check_same(others, *rewriting.REWRITES)


def test_memory_is_lent():
    """What a training step needs is not the sum of all its blocks, and what is read behind it is there."""

    def build(x):
        for _ in range(3):
            x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(x)))
        return [x, pooled(x)]

    sizes = []
    for names in (tuple(rewriting.REWRITES), set(rewriting.REWRITES) - {"zeros"}):
        with rewriting.limited_to(*names):
            model = model_of(build)
            model.compile("sgd", ["mse", "mae"], metrics=[["mae"], ["mae"]])
            targets = [np.zeros((6, *t.shape[1:])) for t in model.outputs]
            session = Training(model, [IMAGES], targets, False)
            session.step.bind(6)
            sizes.append(session.step.activation_bytes)
            assert ("fill" in str(session.plan)) == ("zeros" in names)
    assert sizes[0] < 0.8 * sizes[1]
    check_same(lambda x: build(x)[1], *rewriting.REWRITES)


@pytest.mark.parametrize("activation", ["linear", "relu", "relu6"])
def test_maxima_of_a_normalisation(activation):
    """Normalised images that only a pooling reads are not kept; their maxima go where the next layer wants margins."""

    def build(x):
        for filters, window in ((4, 2), (3, (3, 1))):
            x = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same")(x))
            x = layers.MaxPooling2D(window)(layers.Activation(activation)(x))
        return layers.Dense(4)(layers.Flatten()(x))

    def sized(x):
        return build(layers.ZeroPadding2D(((0, 0), (0, 1)))(x))

    text = listing(model_of(sized), Training)
    assert "normalize_columns" not in text and text.count("normalize_max ") == text.count("max_slopes") == 2
    assert text.count("max_columns_write") == 2 and "places_write" not in text
    assert text.count("pad_forward") == 1  # of the images
    check_same(sized, *rewriting.REWRITES)
    text = listing(model_of(build), Training)
    assert text.count("max_slopes") == 1 == text.count("places_write")  # windows of 2 leave the fifth column out
    check_same(build, *rewriting.REWRITES)


def test_maxima_that_others_read_too():
    def build(x):
        y = layers.BatchNormalization()(layers.Conv2D(4, (3, 2), activation="tanh")(x))
        pooled_ = layers.MaxPooling2D(2)(y)
        return layers.Dense(4)(layers.Concatenate()([layers.Flatten()(t) for t in (y, pooled_)]))

    assert "normalize_max" not in listing(model_of(build), Training)
    check_same(build, *rewriting.REWRITES)

    def twice(x):
        y = layers.MaxPooling2D(2)(layers.BatchNormalization()(layers.Conv2D(4, (3, 2))(x)))
        return layers.Dense(4)(layers.Concatenate()([layers.Flatten()(t) for t in (y, layers.ReLU()(y))]))

    assert "normalize_max" in listing(model_of(twice), Training)
    check_same(twice, *rewriting.REWRITES)

    def first(x):
        return layers.Dense(4)(layers.Flatten()(layers.MaxPooling2D((2, 1))(layers.BatchNormalization()(x))))

    assert "normalize_max" in listing(model_of(first), Training)
    check_same(first, *rewriting.REWRITES)

"""Depthwise, separable and transposed convolutions: Keras' numbers, gradients in float64, weights, errors."""

import numpy as np
import pytest

import dseq as keras
from dseq import layers
from dseq.testing import LayerHarness


def wave(shape, phase=0.0):
    return np.sin(np.arange(np.prod(shape, dtype=int)) * 0.7 + phase).reshape(shape)


# Of Keras 3.15.1 on JAX in float64, for waves as inputs, weights and gradient: the shape of y, then y and the gradients
# of x, kernels and bias, each times a wave, then the second number of y.
KERAS = [
    (lambda k: layers.DepthwiseConv2D((3, 2), strides=2, padding="same", depth_multiplier=2, activation="relu", **k),
     (5, 6, 3), (2, 3, 3, 6), [4.472341363, -3.432856532, -6.005241682, -2.559946688], 0.717106133),
    (lambda k: layers.DepthwiseConv2D(3, dilation_rate=2, padding="same", data_format="channels_first", **k),
     (2, 6, 5), (2, 2, 6, 5), [8.385953437, 14.974409037, -18.505653948, -0.178792356], 0.88038079),
    (lambda k: layers.DepthwiseConv2D(3, strides=2, dilation_rate=3, padding="same", **k),
     (8, 8, 2), (2, 4, 4, 2), [1.72112193, 0.63614817, -1.150126255, -0.393797783], 0.39827469),
    (lambda k: layers.DepthwiseConv1D(3, strides=3, depth_multiplier=2, use_bias=False, **k),
     (10, 2), (2, 3, 4), [-0.598764491, -0.265583676, 0.522022452], -0.6784206),
    (lambda k: layers.SeparableConv2D(4, 3, strides=2, padding="same", depth_multiplier=2, activation="relu", **k),
     (5, 6, 3), (2, 3, 3, 4), [0.811230982, 0.045078412, 2.415052009, 0.156557493, 0.519331884], 0.0),
    (lambda k: layers.SeparableConv1D(3, 4, padding="same", dilation_rate=2, **k),
     (9, 2), (2, 9, 3), [-2.404925454, -2.826441038, 5.81774515, 2.358753773, -0.076191572], 0.016223949),
    (lambda k: layers.Conv2DTranspose(3, 3, strides=2, padding="same", **k),
     (3, 4, 2), (2, 6, 8, 3), [-1.576190121, -1.781091775, 1.494779441, -0.363120697], 0.454166878),
    (lambda k: layers.Conv2DTranspose(3, (4, 2), strides=(2, 3), output_padding=(1, 0), padding="same", **k),
     (3, 4, 2), (2, 5, 9, 3), [1.160110435, 3.396322552, 3.024361083, -0.344310545], 0.432509904),
    (lambda k: layers.Conv2DTranspose(3, 2, strides=3, data_format="channels_first", **k),
     (2, 3, 4), (2, 3, 9, 12), [0.587067477, 0.605558817, -0.562265658, -0.249246171], 0.589782837),
    (lambda k: layers.Conv2DTranspose(3, 3, dilation_rate=2, padding="same", **k),
     (3, 4, 2), (2, 3, 4, 3), [1.912496966, 1.246662847, 0.691237601, -0.100973079], 1.074921632),
    (lambda k: layers.Conv1DTranspose(3, 5, strides=3, output_padding=2, activation="relu", **k),
     (4, 2), (2, 16, 3), [-2.460763435, -2.102676749, 2.262709402, -0.106821002], 0.454166878),
    (lambda k: layers.Conv3DTranspose(2, (2, 3, 3), strides=(1, 2, 2), padding="same", **k),
     (2, 3, 2, 2), (2, 2, 6, 4, 2), [-1.829053199, 1.224444895, 4.535234895, 0.720585262], 0.454166878),
    (lambda k: layers.Conv3DTranspose(2, (2, 3, 3), strides=2, padding="same", output_padding=1, **k),
     (2, 3, 2, 2), (2, 3, 6, 4, 2), [4.087349353, -5.951228963, 2.960792932, -0.333980708], 0.454166878),
    (lambda k: layers.Conv3DTranspose(2, 2, strides=(1, 2, 3), data_format="channels_first", **k),
     (2, 2, 3, 2), (2, 2, 3, 6, 6), [-0.030701174, -0.156510004, 1.093683602, -0.335621676], 0.073901256),
]  # fmt: skip


@pytest.mark.parametrize("make, shape, output, sums, second", KERAS, ids=range(len(KERAS)))
def test_keras_numbers(make, shape, output, sums, second):
    layer = make({"dtype": "float64"})
    run = LayerHarness(layer, shape, rows=2, overwrites=True)
    assert layer.compute_output_shape((None, *shape)) == (None, *output[1:])
    for i, weight in enumerate(layer.weights):
        weight.assign(wave(weight.shape, i + 1))
    run.array(run.inputs[0])[...] = wave((2, *shape))
    y = run.forward()
    run.backward(wave(output, 9))
    gradients = [run.array(run.inputs[0].grad), *(run.parameters.gradient(w) for w in layer.weights)]
    found = [(y * wave(y.shape, 9)).sum(), *((g * wave(g.shape, 5)).sum() for g in gradients)]
    assert y.shape == output
    np.testing.assert_allclose([*found, y.ravel()[1]], [*sums, second], rtol=0, atol=5e-9)


GRADIENTS = [
    (lambda k: layers.DepthwiseConv2D((2, 3), strides=(3, 1), padding="same", depth_multiplier=3, **k), (7, 5, 2)),
    (lambda k: layers.DepthwiseConv2D(5, padding="same", activation="relu6", **k), (3, 4, 2)),  # windows beyond images
    (lambda k: layers.DepthwiseConv1D(4, padding="same", activation="tanh", dilation_rate=2, **k), (9, 2)),
    (lambda k: layers.SeparableConv2D(4, (3, 1), dilation_rate=(2, 1), use_bias=False, **k), (7, 5, 2)),
    (lambda k: layers.SeparableConv1D(4, 3, strides=2, data_format="channels_first", **k), (2, 8)),
    (lambda k: layers.Conv2DTranspose(3, (2, 3), strides=(1, 2), activation="tanh", **k), (3, 4, 2)),
    (lambda k: layers.Conv1DTranspose(3, 2, strides=4, padding="same", use_bias=False, **k), (3, 2)),
    (lambda k: layers.TimeDistributed(layers.DepthwiseConv2D(2, strides=2, **k), **k), (3, 4, 4, 2)),
    (lambda k: layers.TimeDistributed(layers.Conv2DTranspose(2, 2, padding="same", **k), **k), (3, 2, 3, 2)),
]


@pytest.mark.parametrize("make, shape", GRADIENTS, ids=range(len(GRADIENTS)))
def test_gradients(make, shape):
    LayerHarness(make({"dtype": "float64"}), shape).check_gradients()


@pytest.mark.parametrize("padding, size", [("same", 12), ("valid", 11)])
def test_a_transposed_convolution_is_the_adjoint_of_the_convolution(padding, size):
    rng = np.random.default_rng(0)
    there = layers.Conv2D(3, 5, strides=3, padding=padding, use_bias=False, dtype="float64")
    back = layers.Conv2DTranspose(2, 5, strides=3, padding=padding, use_bias=False, dtype="float64")
    x = rng.standard_normal((2, size, size, 2))
    y = there(x)
    z = rng.standard_normal(y.shape)
    assert back(z).shape == x.shape
    back.set_weights(there.get_weights())
    np.testing.assert_allclose((y * z).sum(), (x * back(z)).sum(), rtol=1e-12)


def test_a_separable_convolution_is_a_depthwise_one_and_one_of_pixels():
    x = np.random.default_rng(0).standard_normal((2, 6, 5, 3)).astype("float32")
    whole = layers.SeparableConv2D(4, 3, strides=2, padding="same", depth_multiplier=2, activation="relu6")
    y = whole(x)
    depthwise, pointwise, bias = whole.get_weights()
    first = layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2, use_bias=False)
    second = layers.Conv2D(4, 1, activation="relu6")
    second(first(x))
    first.set_weights([depthwise])
    second.set_weights([pointwise, bias])
    np.testing.assert_allclose(second(first(x)), y, atol=1e-6)


@pytest.mark.parametrize("name", ["relu", "relu6"])
def test_an_activation_inside_is_one_behind(name):
    """The kernel applies it itself; the gradient, too, must be that of a layer behind."""
    x, y = 4 * wave((6, 5, 5, 3)), wave((6, 5, 5, 3), 3)
    results = []
    for inside in (True, False):
        stack = [keras.Input((5, 5, 3)), layers.DepthwiseConv2D(3, padding="same", activation=name if inside else None)]
        model = keras.Sequential(stack if inside else [*stack, layers.Activation(name)])
        model.layers[0].set_weights([wave((3, 3, 3, 1), 1), wave((3,), 2)])
        model.compile(keras.optimizers.SGD(0.1), "mse")
        before = model.predict(x, verbose=0)
        model.train_on_batch(x, y)
        results.append([before, *model.get_weights()])
    assert (results[0][0] == 0).any() and (results[0][0] > 0).any()
    for inside, behind in zip(*results, strict=True):
        np.testing.assert_array_equal(inside, behind)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, use_bias=False),
        lambda: layers.SeparableConv2D(5, 3),
        lambda: layers.Conv2DTranspose(4, 3, strides=2),
    ],
    ids=["depthwise", "separable", "transposed"],
)
def test_with_normalization_and_activation_behind(make):
    """In `predict` a plan may put all three into one call; the layers one by one don't."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 7, 6, 4)).astype("float32")
    first, norm = make(), layers.BatchNormalization()
    model = keras.Sequential([keras.Input((7, 6, 4)), first, norm, layers.Activation("relu6")])
    for weight in first.weights:
        weight.assign(rng.standard_normal(weight.shape))
    for weight in norm.weights:
        weight.assign(rng.uniform(0.2, 2, weight.shape))
    gamma, beta, mean, variance = (weight.numpy() for weight in norm.weights)
    expected = np.clip((first(x) - mean) / np.sqrt(variance + 1e-3) * gamma + beta, 0, 6)
    assert 0.2 < (expected > 0).mean() < 0.95
    model.compile("sgd", "mse")
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=2e-5)


def test_weights_in_keras_order():
    shape = (None, 8, 8, 4)
    made = {
        layers.DepthwiseConv2D(3, depth_multiplier=2): [("kernel", (3, 3, 4, 2)), ("bias", (8,))],
        layers.SeparableConv2D(5, 3, depth_multiplier=2): [
            ("depthwise_kernel", (3, 3, 4, 2)), ("pointwise_kernel", (1, 1, 8, 5)), ("bias", (5,))],
        layers.Conv2DTranspose(5, 3): [("kernel", (3, 3, 5, 4)), ("bias", (5,))],
    }  # fmt: skip
    for layer, weights in made.items():
        layer.build(shape)
        assert [(w.name, w.shape) for w in layer.weights] == weights
    names = [layer.name.rstrip("_0123456789") for layer in made]
    assert names == ["depthwise_conv2d", "separable_conv2d", "conv2d_transpose"]
    assert layers.Convolution2DTranspose is layers.Conv2DTranspose
    assert layers.SeparableConvolution1D is layers.SeparableConv1D


def test_regularizers_and_constraints():
    layer = layers.SeparableConv2D(
        2, 3, depthwise_regularizer="l2", pointwise_regularizer="l1", bias_constraint="non_neg",
        depthwise_constraint="max_norm", pointwise_constraint="unit_norm",
    )  # fmt: skip
    layer.build((None, 4, 4, 3))
    first, second, bias = layer.weights
    penalties = [0.01 * (first.numpy() ** 2).sum(), 0.01 * abs(second.numpy()).sum()]
    np.testing.assert_allclose(layer.losses, penalties, rtol=1e-5)
    constraints = [type(weight.constraint).__name__ for weight in layer.weights]
    assert constraints == ["MaxNorm", "UnitNorm", "NonNeg"]
    depthwise = layers.DepthwiseConv2D(3, depthwise_regularizer="l2", depthwise_constraint="non_neg")
    for made in (layer, depthwise, layers.Conv3DTranspose(2, 3, output_padding=0, kernel_regularizer="l1")):
        assert type(made).from_config(made.get_config()).get_config() == made.get_config()


@pytest.mark.parametrize(
    "use, message",
    [
        (lambda: layers.DepthwiseConv2D(3, depth_multiplier=0), "`depth_multiplier` of DepthwiseConv2D.*positive"),
        (lambda: layers.DepthwiseConv1D(3, padding="causal"), "`padding` argument of DepthwiseConv1D"),
        (lambda: layers.DepthwiseConv2D(0), "`kernel_size` argument"),
        (lambda: layers.DepthwiseConv2D(3, name="d")(np.ones((1, 2, 5, 3))), "zero or negative.*'d'"),
        (lambda: layers.DepthwiseConv2D(3, name="d")(np.ones((1, 5, 3))), 'layer "d".*expected ndim=4'),
        (lambda: layers.DepthwiseConv2D(3, name="d")(keras.Input((5, 5, None))), "channel dimension.*'d'"),
        (lambda: layers.SeparableConv2D(0, 3), "`filters` of SeparableConv2D.*positive"),
        (lambda: layers.SeparableConv2D(4, 3, name="s")(np.ones((1, 2, 5, 3))), "zero or negative.*'s'"),
        (lambda: layers.Conv2DTranspose(4, 3, padding="full"), "`padding` argument of Conv2DTranspose"),
        (lambda: layers.Conv2DTranspose(4, 3, strides=2, dilation_rate=2, name="t"), "in conjunction.*'t'"),
        (lambda: layers.Conv2DTranspose(4, 3, strides=2, output_padding=2), "less than `strides`.*Received"),
        (lambda: layers.Conv1DTranspose(4, 2, padding="same", output_padding=0, name="t")(np.ones((1, 1, 3))),
         "zero or negative.*'t'"),
    ],
)  # fmt: skip
def test_errors(use, message):
    with pytest.raises(ValueError, match=message):
        use()


@pytest.mark.parametrize("make", [lambda: layers.SeparableConv1D(2, 2), lambda: layers.Conv1DTranspose(2, 2)])
def test_other_channels(make):
    layer = make()
    layer(np.ones((1, 5, 3)))
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 3"):
        layer(np.ones((1, 5, 2)))

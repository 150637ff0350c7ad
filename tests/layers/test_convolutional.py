"""Convolution, pooling and embedding layers: shapes and counts of Keras, gradients in float64, errors."""

import numpy as np
import pytest

import dseq as keras
from dseq import layers
from dseq.testing import LayerHarness

GRADIENTS = [
    (lambda k: layers.Conv2D(3, 3, **k), (5, 6, 2)),
    (lambda k: layers.Conv2D(4, (3, 2), strides=(2, 1), padding="same", activation="tanh", **k), (5, 7, 2)),
    (lambda k: layers.Conv2D(4, 3, dilation_rate=2, padding="same", groups=2, **k), (7, 6, 4)),
    (lambda k: layers.Conv2D(3, 3, data_format="channels_first", padding="same", **k), (2, 5, 6)),
    (lambda k: layers.Conv1D(3, 3, padding="causal", dilation_rate=2, **k), (9, 2)),
    (lambda k: layers.Conv1D(3, 4, strides=3, padding="same", use_bias=False, **k), (10, 2)),
    (lambda k: layers.Conv3D(3, 2, padding="same", strides=(1, 2, 2), **k), (3, 4, 5, 2)),
    (lambda k: layers.MaxPooling2D(2, **k), (5, 6, 3)),
    (lambda k: layers.MaxPooling2D(3, strides=2, padding="same", **k), (5, 6, 3)),
    (lambda k: layers.AveragePooling2D((2, 3), padding="same", strides=1, **k), (4, 5, 2)),
    (lambda k: layers.MaxPooling1D(2, **k), (7, 3)),
    (lambda k: layers.AveragePooling3D(2, **k), (4, 5, 4, 2)),
    (lambda k: layers.GlobalMaxPooling1D(**k), (6, 3)),
    (lambda k: layers.GlobalAveragePooling2D(keepdims=True, data_format="channels_first", **k), (3, 4, 5)),
    (lambda k: layers.TimeDistributed(layers.Conv2D(2, 2, padding="same", **k), **k), (3, 4, 4, 2)),
    (lambda k: layers.TimeDistributed(layers.MaxPooling2D(2, **k), **k), (3, 4, 4, 2)),
]


@pytest.mark.parametrize("make, shape", GRADIENTS, ids=range(len(GRADIENTS)))
def test_gradients(make, shape):
    LayerHarness(make({"dtype": "float64"}), shape).check_gradients()


def taps(x, w, stride=1):
    """A convolution of padded images as a sum over taps."""
    kh, kw = w.shape[:2]
    oh, ow = (x.shape[1] - kh) // stride + 1, (x.shape[2] - kw) // stride + 1
    return sum(
        x[:, i : i + (oh - 1) * stride + 1 : stride, j : j + (ow - 1) * stride + 1 : stride] @ w[i, j]
        for i in range(kh)
        for j in range(kw)
    )


@pytest.mark.parametrize("stride, before, behind", [(1, 1, 1), (2, 0, 1), (3, 0, 0)])
def test_same_pads_the_odd_one_behind(stride, before, behind):
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype("float32")
    layer = layers.Conv2D(5, 3, strides=stride, padding="same")
    y = layer(x)
    padded = np.pad(x, ((0, 0), (before, behind), (before, behind), (0, 0)))
    np.testing.assert_allclose(y, taps(padded, layer.kernel.numpy(), stride)[:, : y.shape[1], : y.shape[2]], atol=1e-5)
    assert y.shape[1] == -(-6 // stride)


def test_channels_first_is_channels_last_transposed():
    x = np.random.default_rng(0).normal(size=(2, 6, 5, 3)).astype("float32")
    last, first = layers.Conv2D(4, 3), layers.Conv2D(4, 3, data_format="channels_first")
    y = last(x)
    first.build((None, 3, 6, 5))
    first.set_weights(last.get_weights())
    np.testing.assert_array_equal(first(np.moveaxis(x, -1, 1)), np.moveaxis(y, -1, 1))
    pooled = layers.MaxPooling2D(2, data_format="channels_first")(np.moveaxis(x, -1, 1))
    np.testing.assert_array_equal(pooled, np.moveaxis(layers.MaxPooling2D(2)(x), -1, 1))


def test_keras_average_does_not_count_what_lies_outside():
    x = np.arange(4, dtype="float32").reshape(1, 2, 2, 1)
    y = layers.AveragePooling2D(2, strides=1, padding="same")(x)
    np.testing.assert_array_equal(y.ravel(), [1.5, 2, 2.5, 3])


def test_the_guides_model_of_images():
    model = keras.Sequential([keras.Input((250, 250, 3)), layers.Conv2D(32, 5, strides=2, activation="relu")])
    for layer in (layers.Conv2D(32, 3), layers.MaxPooling2D(3), layers.Conv2D(32, 3), layers.Conv2D(32, 3),
                  layers.MaxPooling2D(3), layers.Conv2D(32, 3), layers.Conv2D(32, 3), layers.MaxPooling2D(2),
                  layers.GlobalMaxPooling2D(), layers.Dense(10)):  # fmt: skip
        model.add(layer)
    sizes = [layer.output.shape[1] for layer in model.layers]
    assert sizes == [123, 121, 40, 38, 36, 12, 10, 8, 4, 32, 10]
    assert model.count_params() == 49002 and model.layers[0].count_params() == 2432


def test_the_posts_model():
    posts = keras.Input((None,), dtype="int32", name="posts")
    x = layers.Embedding(256, 50)(posts)
    x = layers.Conv1D(128, 5, activation="relu")(x)
    x = layers.MaxPooling1D(5)(x)
    x = layers.Conv1D(256, 5, activation="relu")(layers.Conv1D(256, 5, activation="relu")(x))
    x = layers.MaxPooling1D(5)(x)
    x = layers.Conv1D(256, 5, activation="relu")(layers.Conv1D(256, 5, activation="relu")(x))
    x = layers.Dense(128, activation="relu")(layers.GlobalMaxPooling1D()(x))
    heads = [layers.Dense(1, name="age")(x), layers.Dense(10, activation="softmax", name="income")(x)]
    model = keras.Model(posts, [*heads, layers.Dense(1, activation="sigmoid", name="gender")(x)])
    assert model.count_params() == 1227276
    assert [y.shape for y in model(np.ones((2, 400), "int32"))] == [(2, 1), (2, 10), (2, 1)]
    with pytest.raises(ValueError, match="Computed output size would be zero or negative"):
        model(np.ones((2, 200), "int32"))


def test_embedding():
    layer = layers.Embedding(7, 3, weights=[np.arange(21.0).reshape(7, 3)])
    np.testing.assert_array_equal(layer(np.array([[0, 6], [2, 2]])), [[[0, 1, 2], [18, 19, 20]], [[6, 7, 8]] * 2])
    np.testing.assert_array_equal(layer(np.array([[3.0]])), [[[9, 10, 11]]])
    assert layer(np.zeros((2, 4, 5), "int32")).shape == (2, 4, 5, 3)
    for wrong in (7, -1):
        with pytest.raises(ValueError, match=r"must be in the range \[0, 7\)"):
            layer(np.array([[0, wrong]]))


def test_embedding_in_training_counts_each_use_and_refuses_strangers():
    tokens, y = np.array([[1, 1, 2], [0, 1, 0]]), np.zeros((2, 1))
    model = keras.Sequential([keras.Input((3,), dtype="int32"), layers.Embedding(4, 2), layers.Flatten(),
                              layers.Dense(1, kernel_initializer="ones")])  # fmt: skip
    before = model.layers[0].get_weights()[0]
    model.compile(keras.optimizers.SGD(0.1), keras.losses.MeanSquaredError(reduction="sum"))
    model.train_on_batch(tokens, y)
    outputs = [before[row].sum() for row in tokens]
    gradient = np.zeros((4, 2))
    for row, out in zip(tokens, outputs, strict=True):
        for token in row:
            gradient[token] += 2 * out
    np.testing.assert_allclose(model.layers[0].get_weights()[0], before - 0.1 * gradient, atol=1e-6)
    kept = model.get_weights()
    with pytest.raises(ValueError, match=r"must be in the range \[0, 4\)"):
        model.train_on_batch(tokens + 3, y)
    with pytest.raises(ValueError, match=r"must be in the range \[0, 4\)"):
        model.predict(tokens + 3, verbose=0)
    for a, b in zip(kept, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "use, message",
    [
        (lambda: layers.Conv2D(0, 3), "strictly positive"),
        (lambda: layers.Conv2D(4, 0), "`kernel_size` argument must be an integer >= 1"),
        (lambda: layers.Conv2D(4, (3, 3, 3)), "tuple of 2 such integers"),
        (lambda: layers.Conv2D(4, 3, padding="causal"), "`padding` argument"),
        (lambda: layers.Conv2D(4, 3, strides=2, dilation_rate=2), "not supported in conjunction"),
        (lambda: layers.Conv2D(4, 3, groups=3), "filters of Conv2D must be evenly divisible"),
        (lambda: layers.Conv2D(4, 3, groups=2)(np.ones((1, 5, 5, 3))), "channels must be evenly divisible"),
        (lambda: layers.Conv2D(4, 3, name="c")(np.ones((1, 2, 5, 3))), "zero or negative.*'c'"),
        (lambda: layers.Conv2D(4, 3, name="c")(np.ones((1, 5, 3))), 'layer "c".*expected ndim=4'),
        (lambda: layers.MaxPooling2D(3, name="p")(np.ones((1, 2, 5, 3))), "zero or negative.*'p'"),
        (lambda: layers.MaxPooling2D(2, padding="full"), "`padding` argument"),
        (lambda: layers.Conv2D(4, 3, data_format="nhwc"), "`data_format` argument"),
        (lambda: layers.Embedding(0, 3), "`input_dim` of Embedding must be a positive integer"),
    ],
)
def test_errors(use, message):
    with pytest.raises(ValueError, match=message):
        use()


def test_a_layer_called_on_other_channels():
    layer = layers.Conv2D(4, 3)
    layer(np.ones((1, 5, 5, 3)))
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 3"):
        layer(np.ones((1, 5, 5, 2)))


@pytest.mark.parametrize(
    "make, option",
    [
        (lambda **k: layers.Conv2D(2, 3, **k), "kernel"),
        (lambda **k: layers.Embedding(4, 2, **k), "embeddings"),
        (lambda **k: layers.PReLU(alpha_initializer="ones", **k), "alpha"),
    ],
    ids=["conv", "embedding", "prelu"],
)
def test_regularizers_and_constraints(make, option):
    layer = make(**{f"{option}_regularizer": "l2", f"{option}_constraint": "non_neg"})
    assert layer.get_config()[f"{option}_regularizer"]["config"] == {"l2": 0.01}
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()
    layer(np.ones((1, 5, 5, 3)) if option != "embeddings" else np.ones((1, 3), "int32"))
    weight = getattr(layer, option)
    np.testing.assert_allclose(layer.losses, [0.01 * (weight.numpy().astype("f8") ** 2).sum()], rtol=1e-5)
    assert isinstance(weight.constraint, keras.constraints.NonNeg)
    with pytest.raises(ValueError, match="Could not interpret regularizer identifier"):
        make(**{f"{option}_regularizer": "nope"})

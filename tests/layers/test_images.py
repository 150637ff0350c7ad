"""Layers of images: Keras' numbers, gradients, when random ones act, what they draw, any share of a batch, errors."""

import numpy as np
import pytest

import dseq
from dseq import layers
from dseq.kernels.base import JIT
from dseq.program.plan import Plan
from dseq.program.step import Step
from dseq.testing import LayerHarness
from tests.layers.keras_images import RUNS

RANDOM = {
    "flip": lambda **k: layers.RandomFlip(**k),
    "rotation": lambda **k: layers.RandomRotation(0.2, **k),
    "translation": lambda **k: layers.RandomTranslation(0.3, 0.3, "wrap", **k),
    "zoom": lambda **k: layers.RandomZoom(0.9, (-0.2, 0.3), "constant", "nearest", **k),
    "shear": lambda **k: layers.RandomShear(0.3, 0.2, **k),
    "crop": lambda **k: layers.RandomCrop(2, 3, **k),
    "crop_first": lambda **k: layers.RandomCrop(4, 2, data_format="channels_first", **k),
    "contrast": lambda **k: layers.RandomContrast(0.5, (0, 1), **k),
    "brightness": lambda **k: layers.RandomBrightness(0.5, (0, 1), **k),
    "invert": lambda **k: layers.RandomInvert((0.2, 0.8), (0, 1), **k),
    "grayscale": lambda **k: layers.RandomGrayscale(0.5, **k),
    "degeneration": lambda **k: layers.RandomColorDegeneration(0.5, (0, 1), **k),
    "posterization": lambda **k: layers.RandomPosterization((1, 5), (0, 1), **k),
    "solarization": lambda **k: layers.Solarization(0.5, 0.5, (0, 1), **k),
    "sharpness": lambda **k: layers.RandomSharpness(1.0, (0, 1), **k),
    "blur": lambda **k: layers.RandomGaussianBlur((0.4, 0.9), (3, 5), value_range=(0, 1), **k),
    "erasing": lambda **k: layers.RandomErasing((0.4, 0.9), value_range=(0, 1), **k),
    "jitter": lambda **k: layers.RandomColorJitter((0, 1), 0.2, 0.2, 0.6, 0.3, **k),
}
each_random = pytest.mark.parametrize("case", RANDOM)
SHAPE = (4, 5, 3)


def image(shape):
    return (np.arange(np.prod(shape)) * 37 % 251).astype("float32").reshape(shape)


@pytest.mark.parametrize("number", range(len(RUNS)), ids=lambda number: f"{RUNS[number][0]}_{number}")
def test_the_numbers_are_keras(number):
    kind, options, shape, expected = RUNS[number]
    layer = getattr(layers, kind)(**options)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    x = image((1, *shape))
    y = again(np.concatenate([x, x]))  # the random ones act, too, as nothing forbids it
    np.testing.assert_allclose(y[0].ravel(), expected, atol=2e-3)
    np.testing.assert_array_equal(y[0], y[1])
    assert y.shape[1:] == layer.compute_output_shape((None, *shape))[1:]
    if kind not in ("UpSampling1D", "UpSampling3D", "UpSampling2D"):
        np.testing.assert_array_equal(again(x[0]), y[0], err_msg="a single image")
    if kind.startswith("Random") or kind == "Solarization":
        np.testing.assert_array_equal(layer(x, training=False), x)


GRADIENTS = {
    "up": (lambda **k: layers.UpSampling2D((2, 3), interpolation="bicubic", **k), (2, 3, 2)),
    "up_first": (lambda **k: layers.UpSampling2D((2, 3), "channels_first", "bilinear", **k), (2, 3, 2)),
    "up_3d": (lambda **k: layers.UpSampling3D((1, 2, 2), **k), (2, 1, 2, 2)),
    "resizing": (lambda **k: layers.Resizing(3, 4, "lanczos3", pad_to_aspect_ratio=True, **k), (2, 5, 2)),
    "center": (lambda **k: layers.CenterCrop(2, 2, **k), (3, 4, 2)),
    "flip": (RANDOM["flip"], SHAPE),
    "crop": (RANDOM["crop"], SHAPE),
    "rotation": (lambda **k: layers.RandomRotation(0.2, data_format="channels_first", **k), (2, 4, 3)),
    "contrast": (RANDOM["contrast"], SHAPE),
    "sharpness": (lambda **k: layers.RandomSharpness(1.0, (-9, 9), "channels_first", **k), (2, 4, 3)),
}


@pytest.mark.parametrize("case", GRADIENTS)
def test_gradients(case):
    make, shape = GRADIENTS[case]
    LayerHarness(make(dtype="float64"), shape, rows=4).check_gradients()


def drawn(layer, x, first=0, step=3):
    """What a layer makes of images that a rank has from number `first` on, in a step of training."""
    plan = Plan(training=True, dtype="float32")
    layer(dseq.Input(x.shape[1:]))
    outputs = layer.lower_into(plan, [plan.input("x", x.shape[1:])])
    run = Step(plan, keep=outputs)
    run.clock[:3] = 17, step, first
    run.bind(len(x))
    run.input("x")[...] = x
    run.compute()
    return run.array(outputs[0]).copy()


@each_random
def test_any_share_of_the_batch_draws_the_same(case):
    x = np.random.default_rng(0).random((9, *(SHAPE if "first" not in case else (3, 4, 5)))).astype("float32")
    layer = RANDOM[case]()
    whole = drawn(layer, x)
    for first, last in ((0, 1), (3, 9), (5, 5)):
        np.testing.assert_array_equal(drawn(layer, x[first:last], first), whole[first:last])
    same = drawn(layer, x[[0] * 9])
    assert (same != same[:1]).any(), "each image is changed in its own way"
    assert (drawn(layer, x, step=4) != whole).any(), "and in each step in another"


@each_random
def test_in_a_model_they_act_in_training_only(case):
    shape = SHAPE if "first" not in case else (3, 4, 5)
    layer = RANDOM[case]()
    model = dseq.Sequential([dseq.Input(shape), layer])
    x = np.random.default_rng(0).random((16, *shape)).astype("float32")
    quiet = layer(x, training=False)
    np.testing.assert_array_equal(model.predict(x, verbose=0), quiet)
    np.testing.assert_array_equal(model(x, training=False), quiet)
    assert (layer(x) != quiet).any() and (model(x) != quiet).any() and (model(x, training=True) != quiet).any()
    outside = dseq.Sequential([dseq.Input(shape), dseq.layers.Identity()])
    np.testing.assert_array_equal(outside(x), x)


def test_augmentation_at_the_head_of_a_model_trains():
    x = np.random.default_rng(0).integers(0, 255, (12, 6, 6, 3)).astype("uint8")
    dseq.utils.set_random_seed(1)
    model = dseq.Sequential(
        [
            dseq.Input((6, 6, 3), dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.RandomFlip("horizontal"),
            layers.ZeroPadding2D(1),
            layers.RandomCrop(6, 6),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    losses = model.fit(x, np.arange(12) % 2, batch_size=5, epochs=4, verbose=0).history["loss"]
    assert np.isfinite(losses).all() and len(set(losses)) == 4
    again = dseq.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def positions(layer, count=600):
    """Where each pixel of images (2, 3) came from, as `(count, height, width)` numbers from 0 to 5."""
    x = np.broadcast_to(np.arange(6, dtype="float32").reshape(1, 2, 3, 1), (count, 2, 3, 1))
    return layer(x, training=True)[..., 0]


@pytest.mark.skipif(not JIT, reason="many images, and plain Python gives the same")
def test_what_is_drawn():
    dseq.utils.set_random_seed(5)
    for mode, flipped in (
        ("horizontal", [2, 1, 0, 5, 4, 3]),
        ("vertical", [3, 4, 5, 0, 1, 2]),
        ("horizontal_and_vertical", [5, 4, 3, 2, 1, 0]),
    ):
        found, counts = np.unique(positions(layers.RandomFlip(mode)).reshape(600, 6), axis=0, return_counts=True)
        assert found.tolist() == [list(range(6)), flipped] and abs(counts[0] - 300) < 75

    corners, counts = np.unique(positions(layers.RandomCrop(1, 2))[:, 0, 0], return_counts=True)
    assert corners.tolist() == [0, 1, 3, 4] and abs(counts - 150).max() < 50

    moved = positions(layers.RandomTranslation((0.0, 0.0), (-0.5, 0.5), "nearest"))[:, 0, 1]
    # 1 - 3 u for u in (-0.5, 0.5), cut at the borders 0 and 2: a third of the images lies beyond them.
    assert moved.min() == 0 and moved.max() == 2 and abs(moved.mean() - 1) < 0.1
    assert abs(np.mean((moved == 0) | (moved == 2)) - 1 / 3) < 0.08

    x = np.full((600, 1, 1, 3), 100, "float32")
    for layer, low, high in (
        (layers.RandomBrightness((-0.2, 0.1)), 100 - 51, 100 + 25.5),
        (layers.RandomBrightness(0.2, (0, 200)), 60, 140),
    ):
        y = layer(x)[:, 0, 0, 0]
        assert low <= y.min() < low + 3 and high - 3 < y.max() <= high and abs(y.mean() - (low + high) / 2) < 3
    x = np.concatenate([x, x + 20], axis=1)
    spread = np.diff(layers.RandomContrast((0.5, 0.25))(x), axis=1)[:, 0, 0, 0] / 20
    assert 0.75 <= spread.min() < 0.77 and 1.48 < spread.max() <= 1.5 and abs(spread.mean() - 1.125) < 0.05
    tones = layers.RandomPosterization((6, 8))(x + 3)[:, 0, 0, 0]
    values, counts = np.unique(tones, return_counts=True)
    assert values.tolist() == [100, 102] and abs(counts[0] - 300) < 75  # 103 in steps of 4 and of 2
    chosen = layers.RandomInvert((0.2, 0.4))(x)[:, 0, 0, 0]
    assert abs((chosen == 155).mean() - 0.3) < 0.07 and set(chosen) == {100, 155}
    x = np.tile(np.array([200, 100, 50], "float32"), (600, 1, 1, 1))
    gray = layers.RandomGrayscale(0.3)(x)
    assert abs((gray[..., 0] == gray[..., 1]).mean() - 0.3) < 0.07
    hues = dseq.ops.image.rgb_to_hsv(layers.RandomHue(0.5)(x) / 255)[:, 0, 0, 0]
    turned = (hues - 1 / 18 + 0.5) % 1 - 0.5  # 200, 100, 50 has a hue of 20 degrees
    assert -0.25 <= turned.min() < -0.24 and 0.24 < turned.max() <= 0.25 and abs(turned.mean()) < 0.02
    x = np.full((600, 8, 10, 3), 9, "float32")
    for order in (None, "channels_first"):
        layer = layers.RandomErasing((0.6, 0.6), (0.25, 0.25), [1, 2, 3], data_format=order)
        y = layer(x if order is None else x.transpose(0, 3, 1, 2))
        y = y if order is None else y.transpose(0, 2, 3, 1)
        erased = (y != 9).all(3)
        assert set(erased.sum((1, 2))) == {0, 20} and abs(erased.any((1, 2)).mean() - 0.6) < 0.07
        assert (y[erased] == [1, 2, 3]).all() and len(np.unique(erased, axis=0)) == 1 + 4 * 5
    x = x[:, :1, :1] * 100 / 9
    bright = layers.Solarization(0.0, (0.0, 1.0))(x)[:, 0, 0, 1]
    assert set(bright) == {100, 155} and abs((bright == 155).mean() - 100 / 255) < 0.07


def test_the_order_of_axes_is_kept_in_files():
    for kind in (layers.RandomContrast, layers.AutoContrast, layers.RandomBrightness):
        layer = kind(*([0.5] if "Random" in kind.__name__ else []), data_format="channels_first")
        assert kind.from_config(layer.get_config()).data_format == "channels_first"
    x = image((2, 3, 4, 5))
    stretched = layers.AutoContrast(data_format="channels_first")(x)
    np.testing.assert_allclose([stretched.min((2, 3)), stretched.max((2, 3))], [[[0] * 3] * 2, [[255] * 3] * 2])


def test_smaller_images_are_resized_and_one_sample_is_one_image():
    x = image((2, 3, 4, 1))
    for layer in (layers.RandomCrop(6, 3), layers.CenterCrop(6, 3)):
        np.testing.assert_allclose(layer(x), dseq.ops.image.resize(x, (6, 3), crop_to_aspect_ratio=True), rtol=1e-6)
    x = np.random.default_rng(0).random((3, 7, 2, 2, 1)).astype("float32")
    for layer in (layers.RandomFlip(), layers.RandomBrightness(0.5)):
        steps = layers.TimeDistributed(layer)
        whole = drawn(steps, x)
        changed = (whole != x).any((2, 3, 4))
        assert changed.any() and (isinstance(layer, layers.RandomBrightness) or not changed.all())
        assert len(np.unique(whole - x, axis=0)) == 3
        np.testing.assert_array_equal(drawn(steps, x[2:], 2), whole[2:])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: layers.UpSampling1D("a"), TypeError, "Expected an integer value for `size`"),
        (lambda: layers.UpSampling1D(0), ValueError, "should be a positive integer. Received: size=0"),
        (lambda: layers.UpSampling2D((1, 2, 3)), ValueError, "`size` argument must be"),
        (lambda: layers.UpSampling2D(2, interpolation="area"), ValueError, "`interpolation` argument of UpSampling2D"),
        (lambda: layers.Resizing(0, 3), ValueError, "`height` of Resizing must be a positive integer"),
        (lambda: layers.Resizing(2, 3, "area"), ValueError, "Invalid value for argument `interpolation`"),
        (lambda: layers.Resizing(2, 3, fill_mode="wrap"), ValueError, "Only `'constant'` is supported"),
        (
            lambda: layers.Resizing(2, 3, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
            ValueError,
            "Only one of `pad_to_aspect_ratio` & `crop_to_aspect_ratio`",
        ),
        (lambda: layers.RandomFlip("up"), ValueError, "must be one of .*Received: mode='up'"),
        (lambda: layers.RandomRotation(1.5), ValueError, r"`factor` argument .* \[-1, 1\]. Received: factor=1.5"),
        (lambda: layers.RandomRotation(0.1, "edge"), NotImplementedError, "Unknown `fill_mode` edge"),
        (lambda: layers.RandomZoom(-1), ValueError, r"`height_factor` argument .* \(-1.0, 1.0\]"),
        (lambda: layers.RandomZoom(0.1, interpolation="cubic"), NotImplementedError, "Unknown `interpolation` cubic"),
        (lambda: layers.RandomTranslation(0.1, (0, 1, 2)), ValueError, "`width_factor` argument should be a number"),
        (lambda: layers.RandomShear((-0.1, 0.2)), ValueError, "`x_factor` argument"),
        (lambda: layers.RandomContrast((0.5, 2)), ValueError, r"in the range \[0, 1\]. Received: factor=\(0.5, 2\)"),
        (lambda: layers.RandomBrightness(0.1, 255), ValueError, "`value_range` argument should be a list of two"),
        (lambda: layers.RandomPosterization(9), ValueError, r"in the range \[1, 8\]"),
        (lambda: layers.RandomGaussianBlur(kernel_size=4), ValueError, "must be an odd number"),
        (lambda: layers.RandomErasing(fill_value=[1, 2]), ValueError, "`fill_value` argument should be a number"),
        (lambda: layers.RandomFlip()(np.ones((2, 3))), ValueError, "expected ndim=4"),
        (lambda: layers.RandomGrayscale()(np.ones((2, 3, 3, 2))), ValueError, "Invalid channel size"),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()

"""Random layers and masking: statistics, gradients, the same numbers for any number of ranks, what is shared."""

import numpy as np
import pytest

import dseq
from dseq import layers
from dseq.kernels.base import JIT
from dseq.testing import LayerHarness

CASES = {
    "noise": (lambda **k: layers.GaussianNoise(0.4, **k), (7,)),
    "gaussian_dropout": (lambda **k: layers.GaussianDropout(0.4, **k), (7,)),
    "alpha_dropout": (lambda **k: layers.AlphaDropout(0.4, seed=3, **k), (7,)),
    "alpha_shared": (lambda **k: layers.AlphaDropout(0.4, noise_shape=(None, 1, 4), **k), (3, 4)),
    "spatial1d": (lambda **k: layers.SpatialDropout1D(0.4, **k), (3, 4)),
    "spatial2d": (lambda **k: layers.SpatialDropout2D(0.4, data_format="channels_first", **k), (3, 2, 2)),
    "spatial3d": (lambda **k: layers.SpatialDropout3D(0.4, **k), (2, 2, 2, 3)),
    "masking": (lambda **k: layers.Masking(**k), (3, 2)),
}
each_layer = pytest.mark.parametrize("case", CASES)


def harness(case, dtype="float64", **options):
    make, shape = CASES[case]
    return LayerHarness(make(dtype=dtype), shape, **options)


@each_layer
def test_gradients(case):
    harness(case, rows=5).check_gradients()


@each_layer
def test_plain_python_agrees(case):
    results = []
    for runner in ("table", "python"):
        run = harness(case, runner=runner, rows=5)
        y = run.forward()
        run.backward(np.cos(np.arange(y.size)).reshape(y.shape))
        results.append((y, run.array(run.inputs[0].grad).copy()))
    for table, python in zip(*results, strict=True):
        np.testing.assert_allclose(table, python, rtol=1e-9, atol=1e-12)


@each_layer
def test_any_share_of_the_batch_draws_the_same(case):
    run = harness(case, "float32", rows=21)
    x, whole = run.array(run.inputs[0]).copy(), run.forward()
    for first, last in ((0, 1), (3, 14), (14, 21), (5, 5)):
        run.resize(last - first)
        run.array(run.inputs[0])[...] = x[first:last]
        run.step.clock[2] = first
        np.testing.assert_allclose(run.forward(), whole[first:last], rtol=1e-6)


@each_layer
def test_configuration_and_inference(case):
    make, shape = CASES[case]
    layer = make(name="some_name")
    config = layer.get_config()
    assert type(layer).from_config(config).get_config() == config
    x = np.ones((2, *shape), "float32")
    np.testing.assert_array_equal(layer(x), x)
    assert (layer(x, training=True) != x).any() == (case != "masking")


def test_steps_folded_into_rows_draw_for_themselves():
    """Inside TimeDistributed, each step of each sample has draws of its own, the same for any share of the batch."""
    for inner in (layers.GaussianNoise(0.5), layers.AlphaDropout(0.5, noise_shape=(None, 1, 3))):
        run = LayerHarness(layers.TimeDistributed(inner, dtype="float32"), (4, 2, 3), rows=5)
        x, whole = run.array(run.inputs[0]).copy(), run.forward()
        run.array(run.inputs[0])[...] = 1.0
        same = run.forward()
        assert (same != same[:, :1]).any() and (same != same[:1]).any()
        run.resize(2)
        run.array(run.inputs[0])[...] = x[3:]
        run.step.clock[2] = 3
        np.testing.assert_allclose(run.forward(), whole[3:], rtol=1e-6)


@pytest.mark.skipif(not JIT, reason="many numbers, and plain Python gives the same")
def test_statistics():
    x = np.full((400, 500), 2.0, "float32")
    y = layers.GaussianNoise(0.3)(x, training=True) - x
    np.testing.assert_allclose([y.mean(), y.std()], [0, 0.3], atol=3e-3)
    y = layers.GaussianDropout(0.3)(x, training=True) / x
    np.testing.assert_allclose([y.mean(), y.std()], [1, np.sqrt(0.3 / 0.7)], atol=6e-3)
    x = np.random.default_rng(0).standard_normal((400, 500)).astype("float32")
    y = layers.AlphaDropout(0.2)(x, training=True)
    np.testing.assert_allclose([y.mean(), y.std()], [0, 1], atol=6e-3)
    values, counts = np.unique(y, return_counts=True)
    # The dropped share, at the value that Klambauer et al. derive for it.
    alpha = -1.7580993408473766
    a = ((1 - 0.2) * (1 + 0.2 * alpha**2)) ** -0.5
    assert abs(counts.max() / y.size - 0.2) < 5e-3
    np.testing.assert_allclose(values[counts.argmax()], a * alpha - a * alpha * 0.2, rtol=1e-6)


def test_channels_are_dropped_as_a_whole():
    x = np.ones((6, 5, 4, 8), "float32")
    last = layers.SpatialDropout2D(0.5)(x, training=True)
    first = layers.SpatialDropout2D(0.5, data_format="channels_first")(x, training=True)
    for y, axes in ((last, (1, 2)), (first, (2, 3))):
        np.testing.assert_array_equal(y.max(axes), y.min(axes))
        assert set(np.unique(y)) == {0, 2}
    with pytest.raises(ValueError, match="expected ndim=4"):
        layers.SpatialDropout2D(0.5)(x[0])
    with pytest.raises(ValueError, match="`data_format` argument must be one of"):
        layers.SpatialDropout3D(0.5, data_format="last")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.GaussianNoise(1.5), "`stddev`. Expected a float value between 0 and 1. Received: stddev=1.5"),
        (lambda: layers.GaussianDropout(-0.1), "`rate`. Expected a float value between 0 and 1"),
        (lambda: layers.AlphaDropout("x"), "`rate`. Expected a float value between 0 and 1"),
        (lambda: layers.GaussianDropout(1)(np.ones((2, 3)), training=True), "must be below 1 to train"),
        (lambda: layers.AlphaDropout(0.5, (None, 2))(np.ones((2, 3)), training=True), "`noise_shape` of"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_masking_sets_the_mask():
    x = np.array([[[1.0, 0.0], [2.0, 2.0], [0.0, 2.0]]])
    run = LayerHarness(layers.Masking(2.0, dtype="float64"), (3, 2), rows=1)
    run.array(run.inputs[0])[...] = x
    np.testing.assert_array_equal(run.forward(), [[[1, 0], [0, 0], [0, 2]]])
    (y,) = run.outputs
    assert y.mask.dtype == "uint8"
    np.testing.assert_array_equal(run.array(y.mask), [[1, 0, 1]])


def test_activity_regularization():
    layer = layers.ActivityRegularization(0.1, 0.2)
    x = np.array([[1.0, -2.0], [3.0, 0.0]])
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_allclose(layer.losses, [(0.1 * 6 + 0.2 * 14) / 2], rtol=1e-6)
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()
    model = dseq.Sequential([dseq.Input((2,)), layer, layers.Dense(1, use_bias=False)])
    model.compile("sgd", "mse")
    model.layers[-1].kernel.assign(np.zeros((2, 1)))
    np.testing.assert_allclose(model.evaluate(x, np.zeros(2), verbose=0), (0.1 * 6 + 0.2 * 14) / 2, rtol=1e-6)

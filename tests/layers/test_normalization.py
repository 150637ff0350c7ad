"""Normalisation layers: Keras' published values, gradients, runners, masks, frozen layers, configurations, errors."""

import numpy as np
import pytest

import dseq
from dseq import layers
from dseq.testing import LayerHarness

CASES = {
    "batch": (lambda **k: layers.BatchNormalization(**k), (5,)),
    "batch_wide": (lambda **k: layers.BatchNormalization(epsilon=0.1, **k), (2, 260)),
    "batch_first": (lambda **k: layers.BatchNormalization(axis=1, center=False, **k), (3, 4)),
    "batch_middle": (lambda **k: layers.BatchNormalization(axis=2, scale=False, **k), (2, 3, 4)),
    "layer": (lambda **k: layers.LayerNormalization(**k), (3, 5)),
    "layer_two_axes": (lambda **k: layers.LayerNormalization(axis=(1, 2), **k), (3, 4)),
    "layer_first_axis": (lambda **k: layers.LayerNormalization(axis=1, scale=False, **k), (3, 4)),
    "layer_apart": (lambda **k: layers.LayerNormalization(axis=[1, 3], center=False, **k), (3, 4, 2)),
    "group": (lambda **k: layers.GroupNormalization(2, **k), (3, 4)),
    "group_first": (lambda **k: layers.GroupNormalization(2, axis=1, scale=False, **k), (4, 3)),
    "instance": (lambda **k: layers.GroupNormalization(-1, center=False, **k), (3, 2, 2)),
    "rms": (lambda **k: layers.RMSNormalization(**k), (3, 5)),
    "rms_two_axes": (lambda **k: layers.RMSNormalization(axis=[1, 2], **k), (3, 4)),
    "unit": (lambda **k: layers.UnitNormalization(**k), (3, 5)),
    "unit_apart": (lambda **k: layers.UnitNormalization(axis=(1, 3), **k), (2, 3, 2)),
    "data": (lambda **k: layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 2.0], **k), (4, 3)),
    "data_first": (lambda **k: layers.Normalization(axis=1, invert=True, mean=1.0, variance=4.0, **k), (4, 3)),
    "data_apart": (lambda **k: layers.Normalization(axis=(1, 3), mean=[[1.0], [2.0]], variance=[[4.0], [2.0]], **k),
                   (2, 3, 2)),
    "data_all": (lambda **k: layers.Normalization(axis=None, mean=1.0, variance=4.0, **k), (4, 3)),
}  # fmt: skip
each_layer = pytest.mark.parametrize("case", CASES)


def harness(case, dtype="float64", **options):
    make, shape = CASES[case]
    return LayerHarness(make(dtype=dtype), shape, **options)


@each_layer
@pytest.mark.parametrize("overwrites", [False, True])
def test_gradients(case, overwrites):
    harness(case, rows=4, overwrites=overwrites).check_gradients()


@each_layer
def test_runners_agree(case):
    results = []
    for runner in ("table", "calls", "python"):
        run = harness(case, runner=runner, rows=5)
        y = run.forward()
        run.backward(np.cos(np.arange(y.size)).reshape(y.shape))
        results.append((y, run.array(run.inputs[0].grad).copy(), run.parameters.grads.copy()))
    for table, calls, python in zip(*results, strict=True):
        np.testing.assert_array_equal(table, calls)
        np.testing.assert_allclose(table, python, rtol=1e-12, atol=1e-13)


@each_layer
def test_backward_adds_and_takes_zero_rows(case):
    run = harness(case)
    y = run.forward()
    run.backward(np.cos(np.arange(y.size)).reshape(y.shape))
    once = run.array(run.inputs[0].grad).copy(), run.parameters.grads.copy()
    run.repeat_backward()
    np.testing.assert_allclose(run.array(run.inputs[0].grad), 2 * once[0], rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(run.parameters.grads, 2 * once[1], rtol=1e-12)
    run.resize(0)
    y = run.forward()
    run.backward(y)
    assert len(y) == 0 and not run.parameters.grads.any()


@each_layer
def test_configuration_and_eager_calls(case):
    make, shape = CASES[case]
    layer = make(name="some_name")
    config = layer.get_config()
    again = type(layer).from_config(config)
    assert again.get_config() == config and again.name == "some_name"
    x = np.random.default_rng(0).standard_normal((2, *shape)).astype("float32")
    y = layer(x)
    assert again(x).shape == y.shape == layer.compute_output_shape((2, *shape)) and y.dtype == "float32"
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x), y)


def reference(x, axes, epsilon):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)


@pytest.mark.parametrize("axis", [-1, 1])
@pytest.mark.parametrize("shape", [(50, 2, 3), (9, 3, 3, 2), (700, 2)])
def test_batch_statistics(axis, shape):
    """Both kinds of statistics, in float32, against NumPy in float64; a mean of 10,000 costs no digits."""
    x = np.random.default_rng(0).normal(1e4, 3.0, shape).astype("float32")
    layer = layers.BatchNormalization(axis=axis, epsilon=1e-3)
    axes = tuple(i for i in range(len(shape)) if i != axis % len(shape))
    np.testing.assert_allclose(layer(x, training=True), reference(x.astype("f8"), axes, 1e-3), atol=2e-6)
    layer.moving_mean.assign(x.astype("f8").mean(axes))
    layer.moving_variance.assign(x.astype("f8").var(axes))
    np.testing.assert_allclose(layer(x), reference(x.astype("f8"), axes, 1e-3), atol=1e-3)


def fitted(layer, x, y=None, epochs=1, optimizer="rmsprop", front=()):
    model = dseq.Sequential([dseq.Input(x.shape[1:]), *front, layer])
    model.compile(optimizer, "mse")
    model.fit(x, x if y is None else y, batch_size=len(x), epochs=epochs, verbose=0)
    return model


def test_momentum_of_zero_keeps_the_last_batch():
    """Keras' test_correctness: with momentum 0, inference after training is what training would give."""
    x = np.random.default_rng(0).normal(5.0, 10.0, (5, 3, 2)).astype("float32")
    layer = layers.BatchNormalization(momentum=0)
    model = fitted(layer, x, optimizer=dseq.optimizers.SGD(0.0))
    np.testing.assert_allclose(layer.moving_mean, x.mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, x.var((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(model.predict(x, verbose=0), layer(x, training=True), atol=1e-5)
    assert np.abs(layers.BatchNormalization()(x) - layer(x, training=True)).max() > 0.1


@pytest.mark.parametrize("mask_value", [0.0, 0.1, 1])
def test_masked_steps_do_not_count(mask_value):
    """Keras' test_bachnorm_ignore_masked_values."""
    step = [[1, 5], [2, 5], [mask_value, mask_value], [mask_value, mask_value]]
    x = np.array([step] * 10, "float32")
    layer = layers.BatchNormalization(momentum=0.0)
    fitted(layer, x, epochs=3, front=[layers.Masking(mask_value)])
    np.testing.assert_allclose(layer.moving_mean, [1.5, 5.0], rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, [0.25, 0.0], atol=1e-6)


def test_masked_gradients():
    class Masked(layers.Layer):
        """Masking and normalisation, as one layer for the harness."""

        def build(self, input_shape):
            self.inner = layers.BatchNormalization(dtype="float64")
            self.inner.build(input_shape)

        def call(self, x):
            return self.inner(layers.Masking(dtype="float64")(x))

    run = LayerHarness(Masked(dtype="float64"), (4, 3), rows=4)
    x = run.array(run.inputs[0])
    x[1:3, 2:] = 0
    kept = np.any(x != 0, axis=-1)
    values = x[kept]
    gamma, beta = (v.numpy() for v in run.layer.inner.trainable_variables)
    expected = np.where(kept[..., None], x, 0) - values.mean(0)
    expected = expected / np.sqrt(values.var(0) + 1e-3) * gamma + beta
    np.testing.assert_allclose(run.forward(), expected, rtol=1e-5, atol=1e-6)  # Keras adds 1e-7 to the count
    dy = run.rng.standard_normal(expected.shape)
    run.backward(dy)
    gradient = run.array(run.inputs[0].grad).copy()
    assert not gradient[~kept].any()
    direction = np.where(kept[..., None], run.rng.standard_normal(x.shape), 0)
    start, values = x.copy(), []
    for sign in (1, -1):
        x[...] = start + sign * 1e-6 * direction
        values.append((run.forward() * dy).sum())
    np.testing.assert_allclose((gradient * direction).sum(), (values[0] - values[1]) / 2e-6, rtol=1e-5)


def test_a_frozen_layer_is_in_inference_mode():
    """Keras' test_trainable_behavior."""
    x = np.random.default_rng(0).normal(5.0, 10.0, (20, 4, 3)).astype("float32")
    layer = layers.BatchNormalization(momentum=0.8, epsilon=1e-7)
    layer.build((None, 4, 3))
    layer.trainable = False
    assert (len(layer.weights), len(layer.trainable_weights), len(layer.non_trainable_weights)) == (4, 0, 4)
    np.testing.assert_allclose(layer(x, training=True), x, rtol=1e-6)
    front = layers.Dense(3)
    fitted(layer, x, front=[front])
    np.testing.assert_array_equal(layer.moving_mean, 0)
    layer.trainable = True
    assert (len(layer.weights), len(layer.trainable_weights), len(layer.non_trainable_weights)) == (4, 2, 2)
    run = LayerHarness(layers.BatchNormalization(dtype="float64"), (3, 2), training=False)
    run.layer.moving_variance.assign([0.5, 2.0])
    run.check_gradients()
    run = LayerHarness(layers.BatchNormalization(axis=1, dtype="float64"), (3, 2), training=False)
    run.layer.moving_variance.assign([0.5, 2.0, 1.0])
    run.check_gradients()


def test_renorm_starts_from_the_standard_deviation():
    layer = layers.BatchNormalization(renorm=True, moving_variance_initializer=dseq.initializers.Constant(4.0))
    layer.build((None, 5))
    np.testing.assert_array_equal(layer.moving_stddev, np.full(5, 2.0))
    np.testing.assert_array_equal(layer.renorm_stddev, np.full(5, 2.0))
    names = ["gamma", "beta", "moving_mean", "moving_variance", "moving_stddev", "renorm_mean", "renorm_stddev"]
    assert [v.name for v in layer.weights] == names


def test_synchronized_survives_configurations():
    """Keras writes False for what is its only way; a rank's own statistics are written so that Keras reads them too."""
    assert layers.BatchNormalization.from_config({"synchronized": False}).synchronized is None
    own = layers.BatchNormalization(synchronized=False)
    config = own.get_config()
    assert not config["synchronized"]
    assert layers.BatchNormalization.from_config(config).synchronized is False
    assert layers.BatchNormalization(synchronized=True).get_config()["synchronized"] is True


def test_published_values():
    """Literals of Keras' own tests."""
    x = np.arange(5, dtype="float32")[None]
    y = layers.LayerNormalization(beta_initializer="ones")(x)
    np.testing.assert_allclose(y, [[-0.41386, 0.29307, 1.0, 1.70693, 2.41386]], atol=1e-5)
    expected = [0.0, 0.18731716, 0.37463433, 0.5619515, 0.74926865, 0.9365858, 1.123903, 1.3112202, 1.4985373]
    y = layers.RMSNormalization()(np.arange(10, dtype="float32")[None])
    np.testing.assert_allclose(y, [[*expected, 1.6858544]], rtol=1e-6)

    def group(groups, axis, values):
        layer = layers.GroupNormalization(groups, axis=axis, scale=False, center=False)
        return layer(np.array(values, "float32"))

    y = group(4, -1, [[[-1.0, 1.0, 0, 2.0], [1.0, 3.0, -4, -2.0]]])
    np.testing.assert_allclose(y, [[[-1.0, -1.0, 1.0, 1.0], [1.0, 1.0, -1.0, -1.0]]], atol=1e-3)
    flat = [[-1.0, -1.0, 1.0, 1.0, 2.0, 2.0, 0, -2.0]]
    y = group(1, -1, flat)
    np.testing.assert_allclose(y, [[-0.898, -0.898, 0.539, 0.539, 1.257, 1.257, -0.180, -1.616]], atol=1e-3)
    y = group(2, 1, flat)
    np.testing.assert_allclose(y, [[-1.0, -1.0, 1.0, 1.0, 0.904, 0.904, -0.301, -1.507]], atol=1e-3)
    y = group(2, 2, [[[-1.0, -1.0, 2.0, 2.0], [1.0, 1.0, 0, -2.0]]])
    np.testing.assert_allclose(y, [[[-1.0, -1.0, 0.904, 0.904], [1.0, 1.0, -0.301, -1.507]]], atol=1e-3)
    y = layers.GroupNormalization(2, axis=1)(np.arange(16, dtype="float32").reshape(1, 4, 2, 2))
    half = [[-1.5274, -1.0910], [-0.6546, -0.2182]], [[0.2182, 0.6546], [1.0910, 1.5274]]
    np.testing.assert_allclose(y, [[*half, *half]], atol=1e-3)
    y = layers.UnitNormalization(axis=(1, 2))(np.arange(12, dtype="float32").reshape(1, 3, 4))
    np.testing.assert_allclose(np.square(y).sum(), 1.0, rtol=1e-6)
    assert not layers.UnitNormalization()(np.zeros((1, 3), "float32")).any()


def test_empty_axes_and_the_order_of_axes():
    assert layers.LayerNormalization()(np.zeros((1, 0, 10), "float32")).shape == (1, 0, 10)
    x = np.random.default_rng(0).standard_normal((2, 3, 4)).astype("float32")
    for kind in (layers.LayerNormalization, layers.RMSNormalization):
        np.testing.assert_array_equal(kind(axis=[-2, -1])(x), kind(axis=[-1, -2])(x))


def test_adapt():
    data = np.array([[0.0, 7.0, 4.0], [2.0, 9.0, 6.0], [0.0, 7.0, 4.0], [2.0, 9.0, 6.0]])
    layer = layers.Normalization()
    layer.adapt(data)
    assert layer(np.array([[0.0, 7.0, 4.0]])).tolist() == [[-1, -1, -1]]
    assert [v.name for v in layer.weights] == ["mean", "variance", "count"]
    back = layers.Normalization(invert=True)
    back.adapt(batch for batch in (data[:1], (data[1:], "targets")))
    np.testing.assert_allclose(back(np.array([[1.0, 2.0, 3.0]])), [[2, 10, 8]], rtol=1e-6)
    # The same layer follows when it is adapted to other data.
    model = dseq.Sequential([dseq.Input((3,)), layer])
    before = model.predict(data, verbose=0)
    layer.adapt(data + 1)
    np.testing.assert_allclose(model.predict(data, verbose=0), before - 1, atol=1e-6)
    images = np.random.default_rng(0).normal(1e4, 2.0, (7, 3, 4, 2)).astype("float32")
    for axis, over in ((-1, (0, 1, 2)), ((1, 3), (0, 2)), (2, (0, 1, 3)), (None, (0, 1, 2, 3))):
        layer = layers.Normalization(axis=axis)
        layer.adapt(images)
        np.testing.assert_allclose(layer(images), reference(images.astype("f8"), over, 0), atol=2e-3)
        assert layer.mean.shape == images.mean(over, keepdims=True).shape


ERRORS = {
    "layer axis": (lambda: layers.LayerNormalization(axis={"axis": -1}), TypeError, "Expected an int or a list/tuple"),
    "unit axis": (lambda: layers.UnitNormalization(axis="x"), TypeError, "Invalid value for `axis` argument"),
    "rms_scaling": (lambda: layers.LayerNormalization(rms_scaling=True), ValueError, "RMSNormalization"),
    "bounds": (lambda: layers.LayerNormalization(3)(np.zeros((2, 3))), ValueError, "Axis 3 is out of bounds"),
    "samples": (lambda: layers.BatchNormalization(0)(np.zeros((2, 3))), ValueError, "cannot be that of the samples"),
    "groups": (lambda: layers.GroupNormalization(0), ValueError, "expected a positive integer"),
    "too many groups": (lambda: layers.GroupNormalization(4)(np.zeros((2, 3))), ValueError, "cannot be more than"),
    "odd groups": (lambda: layers.GroupNormalization(2)(np.zeros((2, 3))), ValueError, "must be a divisor"),
    "renorm keys": (
        lambda: layers.BatchNormalization(renorm=True, renorm_clipping={"random_key": 1.0}),
        ValueError,
        "Received invalid keys",
    ),
    "rmax": (
        lambda: layers.BatchNormalization(renorm=True, renorm_clipping={"rmax": 0.0, "rmin": 1.0}),
        ValueError,
        "rmax should be",
    ),
    "dmax": (
        lambda: layers.BatchNormalization(renorm=True, renorm_clipping={"dmax": -1.0}),
        ValueError,
        "dmax should be non-negative",
    ),
    "only a mean": (lambda: layers.Normalization(mean=1.0), ValueError, "both `mean` and `variance` must be set"),
    "shapes": (lambda: layers.Normalization(mean=1.0, variance=[1.0]), ValueError, "must have the same shape"),
    "rank": (lambda: layers.Normalization(mean=[[1.0]], variance=[[1.0]]), ValueError, "The rank of `mean`"),
    "kept": (lambda: layers.Normalization(axis=0)(np.zeros((2, 3))), ValueError, "must have a known shape"),
    "range": (lambda: layers.Normalization(axis=2)(np.zeros((2, 3))), ValueError, "must be in the range"),
    "empty": (lambda: layers.Normalization().adapt([]), ValueError, "received an empty iterable"),
    "no data": (lambda: layers.Normalization().adapt(3), TypeError, "takes arrays and iterables"),
    "given": (
        lambda: layers.Normalization(mean=0.0, variance=1.0).adapt(np.zeros((2, 3))),
        ValueError,
        "Leave out `mean` and `variance`",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case):
    make, kind, message = ERRORS[case]
    with pytest.raises(kind, match=message):
        make()


def test_adapting_to_other_shapes_is_an_error():
    layer = layers.Normalization()
    layer.build((None, 3))
    with pytest.raises(ValueError, match="incompatible shape"):
        layer.adapt(np.zeros((5, 4)))
    with pytest.raises(ValueError, match="incompatible shape"):
        layer.adapt([np.zeros((5, 3)), np.zeros((5, 4))])

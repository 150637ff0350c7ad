"""Layers that add or cut off borders, against NumPy's `pad` and slices: shapes, gradients, configurations, errors."""

import numpy as np
import pytest

import dseq
from dseq import layers
from dseq.testing import LayerHarness

CASES = {
    "pad1d": (layers.ZeroPadding1D, {"padding": (2, 1)}, (4, 3), ((2, 1),)),
    "pad1d_first": (layers.ZeroPadding1D, {"padding": 1, "data_format": "channels_first"}, (3, 4), ((1, 1),)),
    "pad2d": (layers.ZeroPadding2D, {"padding": ((1, 0), (2, 3))}, (3, 4, 2), ((1, 0), (2, 3))),
    "pad2d_first": (
        layers.ZeroPadding2D,
        {"padding": (1, 2), "data_format": "channels_first"},
        (2, 3, 4),
        ((1, 1), (2, 2)),
    ),
    "pad3d": (layers.ZeroPadding3D, {"padding": ((1, 0), 2, (0, 3))}, (2, 3, 4, 2), ((1, 0), (2, 2), (0, 3))),
    "pad3d_first": (layers.ZeroPadding3D, {"data_format": "channels_first"}, (2, 3, 1, 4), ((1, 1),) * 3),
    "crop1d": (layers.Cropping1D, {"cropping": (2, 1)}, (5, 3), ((-2, -1),)),
    "crop2d": (layers.Cropping2D, {"cropping": ((1, 0), (0, 2))}, (3, 4, 2), ((-1, 0), (0, -2))),
    "crop2d_first": (
        layers.Cropping2D,
        {"cropping": (1, 1), "data_format": "channels_first"},
        (2, 3, 4),
        ((-1, -1), (-1, -1)),
    ),
    "crop3d": (layers.Cropping3D, {"cropping": ((1, 0), 1, (0, 2))}, (2, 3, 4, 2), ((-1, 0), (-1, -1), (0, -2))),
    "crop3d_first": (layers.Cropping3D, {"data_format": "channels_first"}, (2, 3, 4, 5), ((-1, -1),) * 3),
}
each_case = pytest.mark.parametrize("case", CASES)


def expected(x, options, borders):
    """The batch with zeros added where borders are positive, and cut off where they are negative."""
    first = options.get("data_format") == "channels_first"
    borders = ((0, 0), (0, 0), *borders) if first else ((0, 0), *borders, (0, 0))
    x = np.pad(x, [(max(a, 0), max(b, 0)) for a, b in borders])
    return x[tuple(slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(borders, x.shape, strict=True))]


@each_case
def test_values_gradients_and_runners(case):
    kind, options, shape, borders = CASES[case]
    results = []
    for runner in ("table", "python"):
        run = LayerHarness(kind(**options, dtype="float64"), shape, runner=runner)
        y = run.forward()
        np.testing.assert_array_equal(y, expected(run.array(run.inputs[0]), options, borders))
        run.backward(np.cos(np.arange(y.size)).reshape(y.shape))
        run.repeat_backward()
        results.append(run.array(run.inputs[0].grad).copy())
    np.testing.assert_array_equal(*results)
    dy = np.cos(np.arange(y.size)).reshape(y.shape)
    back = [(-a, -b) for a, b in borders]
    np.testing.assert_array_equal(results[0], 2 * expected(dy, options, back), err_msg="it adds: twice is two times")


@each_case
def test_shapes_and_configuration(case):
    kind, options, shape, borders = CASES[case]
    layer = kind(**options, name="some_name")
    config = layer.get_config()
    again = kind.from_config(config)
    assert again.get_config() == config
    x = np.random.default_rng(0).standard_normal((2, *shape)).astype("float32")
    y = again(x)
    np.testing.assert_array_equal(y, expected(x, options, borders))
    assert layer.compute_output_shape((None, *shape)) == (None, *y.shape[1:])
    first = options.get("data_format") == "channels_first"
    channels = 0 if first else -1
    sizes = [None] * len(shape)
    sizes[channels] = shape[channels]
    found = layer.compute_output_shape((None, *sizes))
    assert found[0] is None and found[1:][channels] == shape[channels] and found.count(None) == len(shape)


def test_nothing_to_do_is_no_copy():
    for layer in (layers.ZeroPadding2D(0, dtype="float64"), layers.Cropping2D(dtype="float64")):
        run = LayerHarness(layer, (3, 4, 2))
        assert run.outputs[0] is run.inputs[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.ZeroPadding1D((1, 2, 3)), "`padding` argument must be .* tuple of 2 such"),
        (lambda: layers.ZeroPadding2D((1,)), "`padding` should have two elements. Received: padding="),
        (lambda: layers.ZeroPadding2D(((1, 2), (3, -4))), "`2nd entry of padding` argument must be an integer >= 0"),
        (lambda: layers.ZeroPadding2D(-1), "`padding` cannot be negative. Received: padding=-1"),
        (lambda: layers.ZeroPadding2D(1.5), "`padding` should be either an int, a tuple of 2 ints"),
        (lambda: layers.ZeroPadding3D((1, 2)), "`padding` should have 3 elements"),
        (lambda: layers.ZeroPadding2D(1, "last"), "`data_format` argument must be one of"),
        (lambda: layers.Cropping2D(-1), "`cropping` cannot be negative"),
        (lambda: layers.Cropping3D("a"), "`cropping` should be either an int, a tuple of 3 ints"),
        (lambda: layers.Cropping1D(2)(dseq.Input((4, 3))), "must be smaller than the corresponding dimension"),
        (lambda: layers.Cropping2D(((1, 1), (0, 4)))(np.zeros((2, 3, 4, 1))), r"cropping=\(\(1, 1\), \(0, 4\)\)"),
        (lambda: layers.Cropping2D(1)(np.zeros((2, 3, 4))), "expected ndim=4"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()

"""`dseq.ops.image` against NumPy and `colorsys`: arrays at once and in graphs, gradients, single images, errors."""

import colorsys

import numpy as np
import pytest

import dseq
from dseq import ops
from tests.ops.harness import check, sample

TURN = np.array([0.0, -1, 2, 1, 0, 0, 0, 0])


def keys(x):
    """The cubic kernel with a = -0.5 (Keys, 1981)."""
    x = np.abs(x)
    return np.where(x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))


def matrix(length, size, kernel, wide):
    """The weights of old lines (columns) in new ones (rows)."""
    centre = (np.arange(size) + 0.5) * length / size - 0.5
    weights = kernel((np.arange(length) - centre[:, None]) / wide)
    return weights / weights.sum(1, keepdims=True)


def turned(x):
    """Row r and column c of the result come from row c and column 2 - r."""
    y = np.zeros_like(x)
    for r, c in np.ndindex(x.shape[1:3]):
        if 0 <= 2 - r < x.shape[2] and c < x.shape[1]:
            y[:, r, c] = x[:, c, 2 - r]
    return y


def hat(x):
    return np.maximum(1 - np.abs(x), 0)


CASES = {
    "resize": (
        lambda x: ops.image.resize(x, (4, 2), "bicubic", antialias=True),
        lambda x: np.einsum("pr,qs,nrsc->npqc", matrix(3, 4, keys, 1), matrix(4, 2, keys, 2), x),
    ),
    "resize_crop": (
        lambda x: ops.image.resize(x, (2, 4), "nearest", crop_to_aspect_ratio=True),
        lambda x: x[:, :2],
    ),
    "resize_pad": (
        lambda x: ops.image.resize(x, (3, 9), pad_to_aspect_ratio=True, fill_value=2.0, data_format="channels_first"),
        lambda x: np.einsum(
            "pr,qs,ncrs->ncpq",
            matrix(4, 3, hat, 1),
            matrix(11, 9, hat, 1),
            np.pad(x, [(0, 0), (0, 0), (0, 0), (4, 4)], constant_values=2.0),
        ),
    ),
    "affine": (lambda x: ops.image.affine_transform(x, TURN), turned),
    "affine_first": (
        lambda x: ops.image.affine_transform(x, TURN, "nearest", data_format="channels_first"),
        lambda x: np.moveaxis(turned(np.moveaxis(x, 1, 3)), 3, 1),
    ),
    "pad": (
        lambda x: ops.image.pad_images(x, 1, 2, target_height=6, target_width=7),
        lambda x: np.pad(x, [(0, 0), (1, 2), (2, 1), (0, 0)]),
    ),
    "crop": (
        lambda x: ops.image.crop_images(x, 1, right_cropping=1, target_height=2, target_width=2),
        lambda x: x[:, 1:3, 1:3],
    ),
    "gray": (ops.image.rgb_to_grayscale, lambda x: x @ np.array([[0.2989], [0.587], [0.114]])),
    "hsv": (ops.image.rgb_to_hsv, lambda x: np.apply_along_axis(lambda color: colorsys.rgb_to_hsv(*color), 3, x)),
    "rgb": (ops.image.hsv_to_rgb, lambda x: np.apply_along_axis(lambda color: colorsys.hsv_to_rgb(*color), 3, x)),
}


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients(case):
    function, expected = CASES[case]
    shape = (3, 4, 3) if case != "resize_pad" else (2, 4, 3)
    slopes = case not in ("hsv", "rgb")  # made of functions whose gradients are looked at elsewhere
    check(function, expected, sample(*shape, low=0.1, high=0.9), exact=1e-10, slopes=slopes)
    x = np.random.default_rng(0).random((1, *shape))
    np.testing.assert_array_equal(function(x[0]), function(x)[0], err_msg="a single image")


def test_a_transform_of_each_image():
    x, moves = sample(3, 4, 2), sample(8)
    moves.values[...] = [1, 0, 0, 0, 1, 0, 0, 0]
    moves.values[:, 2] = [0, 1, -1]
    expected = np.stack([x.values[0], np.pad(x.values[1, :, 1:], [(0, 0), (0, 1), (0, 0)]), x.values[2]])
    expected[2] = np.pad(x.values[2, :, :-1], [(0, 0), (1, 0), (0, 0)])
    check(ops.image.affine_transform, lambda *_: expected, x, moves, slopes=False)
    whole = (np.arange(8).reshape(1, 2, 4, 1) * 31).astype("uint8")
    half = ops.image.affine_transform(whole, np.array([1, 0, 0.5, 0, 1, 0, 0, 0]), fill_mode="nearest")
    assert half.dtype == np.uint8 and half[0, 0, :, 0].tolist() == [16, 46, 78, 93]  # halves to even


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ops.image.resize(x, 4), "`size` must be a tuple of two elements"),
        (lambda x: ops.image.resize(x[0, 0], (2, 2)), "Invalid images rank: expected rank 3"),
        (lambda x: ops.image.resize(x, (2, 2), "cubic"), "Invalid value for argument `interpolation`"),
        (lambda x: ops.image.affine_transform(x, np.zeros(6)), "Invalid transform rank"),
        (lambda x: ops.image.affine_transform(x, np.zeros((3, 8))), "one for each image"),
        (lambda x: ops.image.affine_transform(x, TURN, "cubic"), "Unknown `interpolation` cubic"),
        (lambda x: ops.image.pad_images(x, 1, 2, 3), "exactly two of left_padding, right_padding, target_width"),
        (lambda x: ops.image.pad_images(x, 1, 2, target_height=3, target_width=9), "must be >= 0"),
        (lambda x: ops.image.crop_images(x, 1, 2, 3, 1), "must be >= 0"),
        (lambda x: ops.image.rgb_to_grayscale(x[..., :2]), "Invalid channel size"),
        (lambda x: ops.image.rgb_to_hsv(x.astype("uint8")), "expected float dtype"),
        (lambda x: ops.image.resize(dseq.Input((None, 3)), (2, 2)), "must have a batch axis|expected rank"),
        (lambda x: ops.image.crop_images(x, 1, 1, 1, 1, data_format="first"), "`data_format` argument"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.ones((2, 3, 4, 3)))
